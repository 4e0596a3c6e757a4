"""Owns commands in other words: a step of a made-up world's solution said politely, tersely, wordily, mistyped, in another order.

The label of each is the command itself: what was said must leave the state that the command leaves. It must not know who understands.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from evals.bases import HERE
from evals.cases import Case, Expect, Turn
from evals.generators import Made
from evals.generators.adventure import Command, named
from evals.generators.worlds import SIZE, pages, plan, solution
from evals.simulated.mixed import WORDINGS, mistyped

CASES = 40
"""Cases of one world."""
POLITE = (
    "please {}", "could you {}, please?", "I'd like to {}", "would you kindly {}?", "can you {} for me, please", "{}, thank you",
    "may I {}?", "be so good as to {}", "let me {}, if I may",
)  # fmt: skip
VERBS = {
    "go": ("walk {0}", "head {0}", "{0}", "leave by the {0}", "make my way {0}"),
    "take": ("get the {0}", "grab the {0}", "pick up the {0}", "pick the {0} up", "lay hands on the {0}"),
    "open": ("pull the {0} open", "pull open the {0}", "get the {0} open", "have the {0} opened"),
    "unlock": ("open the {0} with the {1}", "use the {1} on the {0}", "turn the {1} in the {0}'s lock"),
    "put on": ("place the {0} on the {1}", "set the {0} on the {1}", "lay the {0} down upon the {1}"),
    "switch on": ("turn on the {0}", "light the {0}", "turn the {0} on", "get the {0} burning"),
}
ORDERS = {
    "go": "{0} is where I go",
    "take": "the {0}: take it",
    "open": "the {0}, open it",
    "unlock": "with the {1} unlock the {0}",
    "put on": "on the {1} put the {0}",
    "switch on": "the {0}, switch it on",
}


def _filled(pattern: str, command: Command) -> str:
    return pattern.format(named(command.what), named(command.to))


def _terse(command: Command, pick: random.Random) -> str:
    return command.what[0] if command.verb == "go" else str(command).replace("the ", "")


STYLES: dict[str, Callable[[Command, random.Random], str]] = {
    "polite": lambda command, pick: pick.choice(POLITE).format(command),
    "terse": _terse,
    "wordy": lambda command, pick: pick.choice(WORDINGS).format(command),
    "typo": lambda command, pick: mistyped(str(command), pick),
    "verb": lambda command, pick: _filled(pick.choice(VERBS[command.verb]), command),
    "order": lambda command, pick: _filled(ORDERS[command.verb], command),
}
"""By name; a result's tag `style`."""


def make(n: int, seed: int, size: int = 0) -> Made:
    """`n` messages, the styles in turn."""
    files: dict[str, str] = {}
    cases: list[Case] = []
    styles = list(STYLES)
    for world in range(-(-n // CASES)):
        pick = random.Random(f"paraphrases/{seed}/{world}")
        drawn, id = plan(pick, size or SIZE), f"world-{world + 1}"
        steps = solution(drawn)
        lines = [str(each) for each in steps]
        files |= pages(drawn, id)
        for _ in range(min(CASES, n - len(cases))):
            style, at = styles[len(cases) % len(styles)], pick.randrange(len(steps))
            said = STYLES[style](steps[at], pick)
            cases.append(
                Case(
                    f"paraphrases-{seed}-{len(cases) + 1}",
                    HERE,
                    (Turn(said),),
                    Expect(state="gold", refused=False),
                    task=said,
                    gold=(lines[at],),
                    setup=tuple(lines[:at]),
                    experience=id,
                    steps=1,
                    tags={"generator": "paraphrases", "style": style, "verb": steps[at].verb},
                )
            )
    return Made(files, tuple(cases))
