"""Owns what every model API has in common: a conversation so far, and an answer to it.

Dialects read requests into a `Conversation` and write an `Answer`; scripts see only these. It must not know any wire format.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["slow", "stall", "400", "401", "429", "500", "cut", "bad-json", "bad-arguments", "long", "inject"]


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call; `tool` is what the client calls the tool, or in a script the end of it."""

    tool: str
    arguments: dict[str, Any] = field(default_factory=dict[str, Any])
    id: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """What a tool gave to the call with this id."""

    id: str
    tool: str
    text: str


@dataclass(frozen=True, slots=True)
class Message:
    """What one side said at once. Results of tools are the user's."""

    role: Literal["user", "assistant"]
    text: str = ""
    calls: tuple[Call, ...] = ()
    results: tuple[Result, ...] = ()


@dataclass(frozen=True, slots=True)
class Conversation:
    """A request's system text, the names of the tools it offers, and its messages, never two of one side in a row."""

    system: str
    tools: tuple[str, ...]
    messages: tuple[Message, ...]
    schema: Mapping[str, Any] | None = None
    """Of the JSON that the answer has to be, where one is asked for."""
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    """The JSON schema of each tool's arguments, where the dialect tells."""

    @staticmethod
    def of(
        system: str, tools: Iterable[str], parts: Iterable[Message], schema: Mapping[str, Any] | None = None
    ) -> Conversation:
        """Joins the parts of one side that follow each other and names the tool of each result by its call."""
        messages: list[Message] = []
        names: dict[str, str] = {}
        for part in parts:
            names.update({call.id: call.tool for call in part.calls})
            results = tuple(Result(each.id, each.tool or names.get(each.id, ""), each.text) for each in part.results)
            if messages and messages[-1].role == part.role:
                last = messages.pop()
                text = "\n".join(each for each in (last.text, part.text) if each)
                messages.append(Message(part.role, text, last.calls + part.calls, last.results + results))
            else:
                messages.append(Message(part.role, part.text, part.calls, results))
        return Conversation(system, tuple(tools), tuple(messages), schema)

    def since(self, words: str) -> tuple[Message, ...] | None:
        """The messages from the last of the user's that holds the words; None where none does."""
        for index in range(len(self.messages) - 1, -1, -1):
            if self.messages[index].role == "user" and words in self.messages[index].text:
                return self.messages[index:]
        return None

    def tool(self, name: str) -> str | None:
        """The offered tool whose name ends so: clients put a prefix before it (`mcp__rulebound__act`)."""
        return max((each for each in self.tools if ends(each, name)), key=len, default=None)

    def value(self, tool: str, key: str) -> str | None:
        """What the last result of a tool gives for a key, in JSON or as `key: value`."""
        wanted = re.compile(rf"""\b{re.escape(key)}\\?["']?\s*[:=]\s*\\?["']?([^\s"',\\}}]+)""")
        for message in reversed(self.messages):
            for result in reversed(message.results):
                if ends(result.tool, tool) and (found := wanted.search(result.text)):
                    return found[1]
        return None


def ends(name: str, wanted: str) -> bool:
    """Whether a tool's name is the wanted one, or that after a prefix."""
    return name == wanted or (name.endswith(wanted) and not name[-len(wanted) - 1].isalnum())


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with the first `times` requests for an answer.

    `slow` waits `seconds` (at most 30) and then answers, `stall` waits in the middle of the answer; `400`, `401`, `429` (with
    `Retry-After: after`) and `500` are errors; `cut` breaks the connection in the middle; `bad-json` is a body that cannot be parsed; `bad-arguments` are a call's arguments that cannot; `long` is a text
    of `size` characters; `inject` adds a text that gives orders.
    """

    kind: Kind
    times: int = 1
    seconds: float = 2.0
    size: int = 200_000
    after: float = 0.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model says."""

    text: str = ""
    calls: tuple[Call, ...] = ()
    fault: Fault | None = None
    likely: Mapping[str, float] | None = None
    """How probable each first token is, for who asks for `logprobs`; None: this model does not tell."""
    cached: int = 0
    """Tokens of the request that the provider had kept."""
    pieces: int = 3
    """In how many parts a stream brings the text."""

    @staticmethod
    def json(data: Any, **options: Any) -> Answer:
        """An answer that is this JSON."""
        return Answer(json.dumps(data), **options)
