"""Owns what a dialect is: how one provider's requests are read and its answers written.

Each dialect is a module with one `Dialect`. It must not know scripts.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from evals.scripted.conversation import Answer, Call, Conversation

Body = dict[str, Any]
CREATED = 1_767_225_600
"""When every answer was made, in seconds: a script has no clock."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer on its way: the model's name as asked for, what each call's id is, tokens taken and given."""

    model: str
    id: str
    text: str
    calls: tuple[tuple[Call, str], ...]
    """Each with its arguments as JSON, which a fault may have broken."""
    taken: int
    given: int
    answer: Answer

    @staticmethod
    def of(answer: Answer, model: str, number: int, taken: int, *, broken: bool = False) -> Reply:
        """The answer to the server's request of this number; `broken` arguments are cut short."""
        calls = [Call(call.tool, call.arguments, f"call_{number}_{index}") for index, call in enumerate(answer.calls)]
        written = [(call, json.dumps(call.arguments)) for call in calls]
        if broken:
            written = [(call, f"{text[:-1]}, ") for call, text in written]
        given = tokens(answer.text + "".join(text for _, text in written))
        return Reply(model, f"scripted_{number}", answer.text, tuple(written), taken, given, answer)


@dataclass(frozen=True, slots=True)
class Dialect:
    """One provider's format. `events` are those of a stream: each a name (or none) and its data."""

    read: Callable[[Body], Conversation]
    whole: Callable[[Reply], Body]
    events: Callable[[Reply], Iterator[tuple[str, Body]]]
    error: Callable[[int, str], Body]
    last: str = ""
    """What stands at the end of a stream."""


def tokens(text: str) -> int:
    """About as many as a model would count."""
    return max(1, len(text) // 4)


def pieces(text: str, count: int = 3) -> list[str]:
    """A text as a stream brings it: in a few parts."""
    size = max(1, -(-len(text) // count))
    return [text[start : start + size] for start in range(0, len(text), size)]


def texts(content: Any) -> str:
    """The text of a message: a string, or parts of which some have `text`."""
    if isinstance(content, str):
        return content
    return "\n".join(part if isinstance(part, str) else part.get("text") or "" for part in content or ())


def parsed(arguments: str | None) -> dict[str, Any]:
    """A call's arguments; none where the client sends back what was not JSON."""
    try:
        return json.loads(arguments or "{}")
    except ValueError:
        return {}
