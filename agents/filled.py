"""Owns what a model filled in a turn: how it read the line, what it judged, what it proposed. Recorded with the turn, and all that a
replay asks.

`Filled(...)` goes into `GameService.act`; `Filled.load(inputs)` comes back out of a stored turn, and `said` is what both do.
It must not call any model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

from kb.referee import Inputs, State
from kb.session import Said, Session
from kb.types import TypeMismatch, storable, storable_data
from kb.understand import Dialogue
from storage.records import Json

MOST = 50
"""Of judgements, proposals, citations and calls: of each so many are kept."""
LONGEST = 4_000
"""Characters of a text that are kept, and one more, so that what is too long stays too long."""


@dataclass(frozen=True, slots=True)
class Filled:
    """The typed holes of one turn. Empty: no model took part."""

    said_as: str = ""
    """The command that free speech was understood as; the referee decides on it as if the player had typed it."""
    judged: Mapping[str, str] = field(default_factory=dict[str, str])
    """The answer to each judgement by its key (`kb.referee.model.Asked`); the referee takes the fallback for any other, and for
    no option of it."""
    by: tuple[Json, ...] = ()
    """The calls that filled them: `purpose`, `tier`, `model`, `calls` (requests that left the process), `input_tokens`,
    `output_tokens`, `cost` (US dollars), `answers` (keys of judgements), and `failed` (the kind of error) where nothing came
    of it."""
    proposed: tuple[str, ...] = ()
    """Effects in the closed vocabulary, a line each; the referee decides on them under the experience's `freeform`."""
    words: str = ""
    """What the player is told where these are done."""
    cited: tuple[str, ...] = ()
    """What a model read for it: `path#heading:line@commit`."""

    @property
    def proposes(self) -> bool:
        """Whether it holds more than a reading and judgements."""
        return bool(self.proposed or self.words)

    def judging(self, judged: Mapping[str, str], *by: Json) -> Filled:
        """With further answers, and the calls that gave them."""
        return replace(self, judged={**self.judged, **judged}, by=(*self.by, *by))

    def said(self, session: Session, state: State, player: str, line: str, dialogue: Dialogue, inputs: Inputs) -> Said:
        """What a line leads to with all this, in play and in a replay alike."""
        inputs, line = replace(inputs, judged=self.judged), self.said_as or line
        if self.proposes:
            return session.propose(state, player, line, dialogue, inputs, self.proposed, self.words)
        return session.say(state, player, line, dialogue, inputs)

    def dump(self) -> Json:
        """For a turn's recorded inputs; nothing where nothing was filled."""
        parts: Json = {name: getattr(self, part) for name, part in _PARTS.items()}
        return {name: value for name, value in parts.items() if value}

    @staticmethod
    def load(inputs: Mapping[str, Any]) -> Filled:
        """From a turn's recorded inputs, or from anywhere: what has not the form of it, and what no database keeps, is left out."""
        judged: Any = inputs.get("judged")
        pairs = cast("Mapping[Any, Any]", judged).items() if isinstance(judged, Mapping) else ()
        answers = [(_text(key), _text(answer)) for key, answer in list(pairs)[:MOST] if isinstance(answer, str)]
        return Filled(
            _text(inputs.get("as")),
            {key: answer for key, answer in answers if key},
            tuple(_json(each) for each in _many(inputs.get("models")) if isinstance(each, dict)),
            tuple(text for each in _many(inputs.get("proposed")) if (text := _text(each))),
            _text(inputs.get("words")),
            tuple(text for each in _many(inputs.get("cited")) if (text := _text(each))),
        )

    def checked(self) -> Filled:
        """As it will be read from the store: who fills a turn may be a model, and may lie."""
        return self if self is NOTHING else Filled.load(self.dump())


_PARTS = {
    "as": "said_as",
    "judged": "judged",
    "models": "by",
    "proposed": "proposed",
    "words": "words",
    "cited": "cited",
}
"""Their names in a turn's recorded inputs."""
NOTHING = Filled()


def _text(value: Any) -> str:
    return storable(value[: LONGEST + 1]) if isinstance(value, str) else ""


def _many(value: Any) -> Sequence[Any]:
    return cast("Sequence[Any]", value)[:MOST] if isinstance(value, list | tuple) else ()


def _json(value: Any) -> Json:
    try:
        return storable_data(value)
    except (TypeMismatch, RecursionError):
        return {}
