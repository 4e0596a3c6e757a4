"""Pure turns and understood commands a second, on `cloak` and `tavern`; the floor is one bare CEL evaluation by Google's engine."""

from __future__ import annotations

from itertools import cycle

from cel_expr_python import cel

from benchmarks.measure import peak, rate, row
from kb import library
from kb.check import check
from kb.pages.source import open_source
from kb.referee import Action, Inputs
from kb.session import Session
from kb.understand import Dialogue

REQUIREMENTS = ("0.33",)
ACTIONS = {
    "cloak": [
        Action("go <direction>", {"direction": "west"}),
        Action("examine <item>", {"item": "hook"}),
        Action("inventory"),
        Action("go <direction>", {"direction": "east"}),
        Action("take <item>", {"item": "cloak"}),
        Action("look"),
    ],
    "tavern": [
        Action("go <direction>", {"direction": "east"}),
        Action("look"),
        Action("wait"),
        Action("go <direction>", {"direction": "west"}),
        Action("talk to <npc>", {"npc": "bodo"}),
        Action("inventory"),
    ],
}
TARGETS = {"cloak": 10_000, "tavern": 3_000}
LINES = {"cloak": ["w", "x the small hook", "i", "e"], "tavern": ["e", "look", "talk to the smith", "w"]}


def main() -> None:
    """Prints rates, targets and the ratio to the floor."""
    floor = cel.NewEnv(variables={"a": cel.Type.INT, "b": cel.Type.INT}).compile("a + 1 == b")
    floor_rate = rate(lambda: floor.eval(data={"a": 1, "b": 2}))
    row("one bare CEL evaluation (floor)", f"{floor_rate:,.0f}/s")
    for name, actions in ACTIONS.items():
        (rulebook,) = check(open_source(library.worlds()[name]), run=False).rulebooks.values()
        session = Session(rulebook)
        start = session.referee.join(session.referee.new(), "player")
        inputs = Inputs(rulebook.settings.begins)
        state, left, turns = start, cycle(actions), 0

        def turn() -> None:
            nonlocal state, turns
            turns += 1
            if turns % 100 == 0:
                state = start
            outcome = session.referee.resolve(state, "player", next(left), inputs)
            _ = outcome.hash
            state = outcome.state

        pure = rate(turn)
        row(
            f"{name}: pure turns (target {TARGETS[name]:,})", f"{pure:,.0f}/s", f"{floor_rate / pure:.1f} floors a turn"
        )
        lines = cycle(LINES[name])
        dialogue = Dialogue()
        understood = rate(lambda: session.understander.understand(start, "player", next(lines), dialogue))
        row(f"{name}: commands understood", f"{understood:,.0f}/s", f"{floor_rate / understood:.1f} floors a command")
    row("peak memory", f"{peak()} MiB")


if __name__ == "__main__":
    main()
