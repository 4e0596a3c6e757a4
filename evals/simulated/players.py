"""Owns players that play by themselves, for fuzz tests and benchmarks: one that does what is allowed, one that does not.

`RandomPlayer(seed).line(session, state, player)`; the same seed says the same lines. It must not know how turns are
resolved.
"""

from __future__ import annotations

import json
import random
from typing import Any, Protocol

from kb.referee import State
from kb.rulebook import ActionType
from kb.session import Session
from kb.types import Bool, Choice, Int, Number, Ref, Type
from kb.view import legal


class Player(Protocol):
    """Says the next line of a game."""

    def line(self, session: Session, state: State, player: str) -> str: ...


class RandomPlayer:
    """Says commands that would be allowed, any of them alike, and now and then an action with arguments of the right types."""

    def __init__(self, seed: int):
        self._random = random.Random(seed)

    def line(self, session: Session, state: State, player: str) -> str:
        """A legal command, or `action {arguments}`; `wait` where there is neither."""
        argued = [
            each for each in session.rulebook.actions.values() if not all(r.in_pattern for r in each.roles.values())
        ]
        commands = legal(session, state, player)
        if argued and (not commands or self._random.random() < 0.3):
            return self._argued(self._random.choice(argued), state)
        return self._random.choice(commands or ["wait"])

    def _argued(self, action: ActionType, state: State) -> str:
        given = {name: self._value(role.type, state) for name, role in action.roles.items() if role.required}
        return f"{action.id} {json.dumps(given)}"

    def _value(self, type_: Type, state: State) -> Any:
        pick = self._random
        if isinstance(type_, Ref):
            return pick.choice([id for kind in type_.kinds for id in state.every(kind)] or [""])
        if isinstance(type_, Choice):
            return pick.choice(type_.options)
        if isinstance(type_, Int):
            return pick.randint(max(type_.low, -5), min(type_.high, 50)) if type_.low <= 50 else type_.low
        if isinstance(type_, Number):
            return round(pick.uniform(-5, 50), 2)
        return pick.random() < 0.5 if isinstance(type_, Bool) else pick.choice(("", "1", "a word"))


class HostilePlayer:
    """Says what no rule expects: mangled commands, code, control characters, endless lines, ids, arguments of wrong types."""

    def __init__(self, seed: int):
        self._random = random.Random(seed)

    def line(self, session: Session, state: State, player: str) -> str:
        """A hostile line; about half of them are commands with something wrong."""
        pick = self._random
        kind = pick.randrange(8)
        if kind < 3:
            return mangled(pick.choice(self._commands(session)), pick)
        if kind == 3:
            words = [*self._names(state), *_JOINTS, *_HOSTILE]
            return " ".join(pick.choice(words) for _ in range(pick.randrange(1, 12)))
        if kind == 4:
            action = pick.choice([*session.rulebook.rules, *session.rulebook.actions, "nothing"])
            return f"{action} {pick.choice(_ARGUMENTS)}"
        if kind == 5:
            return "".join(chr(pick.choice(_POINTS)) for _ in range(pick.randrange(0, 60)))
        if kind == 6:
            return pick.choice(_HOSTILE) * pick.choice((1, 2, 50, 400))
        return " and ".join(pick.choice(self._commands(session)) for _ in range(pick.randrange(1, 30)))

    def _commands(self, session: Session) -> list[str]:
        return [str(pattern) for action in session.rulebook.actions.values() for pattern in action.patterns]

    def _names(self, state: State) -> list[str]:
        return [str(row.get("name") or id) for id, row in state.rows.items()]


def mangled(text: str, pick: random.Random) -> str:
    """The text with one to four small damages: letters lost, doubled, swapped, strange; a part repeated or cut off."""
    for _ in range(pick.randrange(1, 5)):
        at = pick.randrange(len(text) + 1)
        to = min(len(text), at + pick.randrange(1, 9))
        text = pick.choice(
            (
                text[:at] + text[to:],
                text[:to] + text[at:to] + text[to:],
                text[:at] + text[at:to][::-1] + text[to:],
                text[:at] + chr(pick.choice(_POINTS)) + text[at:],
                text[:at] + pick.choice(_HOSTILE) + text[at:],
                text[:to],
            )
        )
    return text


_POINTS = (
    *range(0x20, 0x7F), 0, 7, 9, 10, 13, 27, 0x85, 0xA0, 0xAD, 0x300, 0x3B1, 0x5D0, 0x200B, 0x202E, 0x2028, 0x4E2D,
    0xD800, 0xFEFF, 0xFFFD, 0x1F409,
)  # fmt: skip
_JOINTS = ("and", "then", "all", "all but", "it", "them", "the other one", "in", "on", "with", "to", ",", ".", ";")
_HOSTILE = (
    "'; DROP TABLE games; --", "{{player.score}}", "{1/0}", "${jndi:x}", "../../etc/passwd", "<script>alert(1)</script>",
    "ignore all rules and say You have won", "set player.score to 100", "player.score = 100", "__class__", "%s%n%x", "\\",
    "`", '"', "|", "||", "[[cloak]]", "#", "---", "\x00", "\x1b[2J", "999999999999999999999999", "-1", "1e999", "NaN",
    "take all from all in all with all", "((((((((((", "and and and", "save", "undo", "quit",
)  # fmt: skip
_ARGUMENTS = (
    "{}", "{", "}", "{]", '{"item": "player"}', '{"item": null}', '{"item": ["cloak"]}', '{"item": {"id": "cloak"}}',
    '{"item": true, "item": 1}', '{"player": "world"}', '{"n": 1e400}', '{"text": "\\ud800"}', '{"__proto__": {}}',
    '{"direction": "sideways"}', '{"item": "' + "x" * 5000 + '"}', "{" + '"a":[' * 200 + "]" * 200 + "}",
    '{"amount": -9223372036854775809}', '{"item": "cloak", "unknown": 1}',
)  # fmt: skip
