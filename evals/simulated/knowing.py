"""Owns a model that is right: the upper bound that a router is measured with, when the model is no question.

`model = Knowing()`, `serving(model)`; `model.meant` is set before each message: the command that it means, or "". It must not know the
router; it reads what tools a request offers.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from itertools import combinations, product
from typing import Any, cast

from agents.models.model import Answer as ModelAnswer
from agents.models.model import Piece, Request, ToolCall, Usage
from evals.scripted import Answer, Call, Conversation, Message
from evals.scripted.server import vector
from kb.referee import Inputs, State
from kb.session import Session
from kb.understand import Dialogue
from kb.view import legal

ENUMERATED = 2_000
OURS = frozenset({"do", "ask_back", "search", "read"})
"""Tools of the router that are no actions."""


class Knowing:
    """A `Decide` that calls the tool which does what is meant; else it looks up a question, and answers all else in its own words."""

    def __init__(self) -> None:
        self.meant = ""
        self.route = ""
        """Of the message: `action`, `knowledge`, `direct`, `team`, `help`, `question`."""

    def __call__(self, asked: Conversation) -> Answer:
        if asked.schema is not None:
            return Answer.json(self._filled(asked.schema))
        if asked.messages and asked.messages[-1].results:
            return Answer("It is as the page says.")
        offered = {name: _properties(schema) for name, schema in asked.parameters.items()}
        if self.meant and (call := calling(self.meant, asked.parameters)) is not None:
            return Answer("", (call,))
        if self.route == "question" and "ask_back" in offered:
            return Answer("", (Call("ask_back", {"question": "What exactly do you mean?"}),))
        flow = next((name for name, roles in offered.items() if set(roles) == {"task"}), "")
        if self.route == "team" and flow:
            return Answer("", (Call(flow, {"task": _said(asked)[:200]}),))
        if self.route == "knowledge" and "search" in offered:
            return Answer("", (Call("search", {"words": _said(asked)[:200]}),))
        return Answer("Well met. That is a fine thing to say, and it changes nothing here.")

    def _filled(self, schema: Mapping[str, Any]) -> Any:
        """The least that fits; of labels the one that is right, and to what a rule judges, no."""
        if schema.get("enum"):
            fitting = (each for each in (self.route, "no") if each in schema["enum"])
            return next(fitting, schema["enum"][0])
        match schema.get("type"):
            case "object":
                return {name: self._filled(each) for name, each in _properties(schema).items()}
            case "array":
                return []
            case "integer" | "number":
                return 0
            case "boolean":
                return False
            case _:
                return ""


def canonical(session: Session, state: State, player: str, dialogue: Dialogue, line: str) -> str:
    """The command among those that are listed as legal that does what the line does; the line itself where there is none."""
    commands = legal(session, state, player, ENUMERATED)
    if line in commands:
        return line
    inputs = Inputs(session.rulebook.settings.begins)
    wanted = session.say(state, player, line, dialogue, inputs)
    if not wanted.understood or len(wanted.actions) != 1:
        return line
    action = wanted.actions[0]
    for each in commands:
        said = session.say(state, player, each, dialogue, inputs)
        if said.actions and (said.actions[0].type, said.actions[0].roles) == (action.type, action.roles):
            return each
    return line


def calling(line: str, offered: Mapping[str, Mapping[str, Any]]) -> Call | None:
    """The call of an offered tool (its name, the schema of its arguments) that says the line: the name's words and the values of
    roles together are the line's."""
    if line in _properties(offered.get("do", {})).get("command", {}).get("enum", ()):
        return Call("do", {"command": line})
    found: list[tuple[int, Call]] = []
    for name, schema in offered.items():
        if name in OURS:
            continue
        # A world's own verb of such a name has an end to its tool's.
        verb = name.removesuffix("_it") if name.removesuffix("_it") in OURS else name
        words, rest = verb.split("_"), f" {line.casefold()} "
        if not all(f" {word} " in rest for word in words):
            continue
        for word in words:
            rest = rest.replace(f" {word} ", " \0 ", 1)
        for roles in _wordings(schema):
            closed = [role for role, each in roles.items() if each.get("enum")]
            for values in product(*([*roles[role]["enum"]] for role in closed)):
                if (given := _given(rest, dict(zip(closed, values, strict=True)), roles)) is not None:
                    found.append((len(words), Call(name, given)))
    return max(found, key=lambda each: each[0])[1] if found else None


def _wordings(schema: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The roles that may be given together: those that are required, with any of the others."""
    roles, required = _properties(schema), set(schema.get("required", ()))
    others = [role for role in roles if role not in required]
    chosen = [set(some) for size in range(len(others) + 1) for some in combinations(others, size)]
    return [{role: each for role, each in roles.items() if role in required | some} for some in chosen]


def _given(rest: str, closed: dict[str, str], roles: Mapping[str, Any]) -> dict[str, Any] | None:
    """The arguments, where the values stand in the line in this order and one open role takes what is left."""
    given: dict[str, Any] = dict(closed)
    at = 0
    for value in closed.values():
        at = rest.find(f" {value.casefold()} ", at)
        if at < 0:
            return None
        rest = f"{rest[:at]} \0 {rest[at + len(value) + 2 :]}"
    left = " ".join(rest.replace("\0", " ").split())
    opened = [role for role in roles if role not in closed]
    if len(opened) > 1 or bool(left) != bool(opened):
        return None
    if opened:
        whole = roles[opened[0]].get("type") == "integer" and re.fullmatch(r"-?\d+", left)
        given[opened[0]] = int(left) if whole else left
    return given


def _properties(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    return cast(Mapping[str, Any], schema.get("properties", {}))


def _said(asked: Conversation) -> str:
    return asked.messages[-1].text if asked.messages else ""


class Instant:
    """A `Model` in this process that answers at once as `knowing` says: for measuring what else takes time."""

    def __init__(self, knowing: Knowing):
        self.knowing = knowing
        self.calls = 0

    async def chat(self, request: Request) -> ModelAnswer:
        """What it says, as a provider's answer."""
        self.calls += 1
        parts = [
            Message("assistant" if each.role == "assistant" else "user", each.text) for each in request.messages[1:]
        ]
        tools = {each.name: each.parameters for each in request.tools}
        said = self.knowing(Conversation(request.messages[0].text, tuple(tools), tuple(parts), request.schema, tools))
        calls = tuple(ToolCall(str(number), each.tool, each.arguments) for number, each in enumerate(said.calls))
        data = json.loads(said.text) if request.schema is not None else None
        label = next(iter(request.labels), "")
        return ModelAnswer(
            said.text, Usage("instant", "instant"), calls, data, label, finish="calls" if calls else "stop"
        )

    async def stream(self, request: Request) -> AsyncIterator[Piece]:
        """The same in one piece."""
        answer = await self.chat(request)
        yield Piece(answer.text)
        yield Piece(answer=answer)

    async def embed(
        self, texts: Sequence[str], *, principal: str = "local", deadline: float = 10.0
    ) -> list[list[float]]:
        """The scripted server's vectors."""
        return [vector(each) for each in texts]
