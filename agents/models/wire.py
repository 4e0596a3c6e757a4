"""Owns the form in which every provider is asked and answers: OpenAI's chat completions as plain JSON.

`body(request, provider)` is what is sent; `Heard` takes whole answers or chunks and gives text, calls and tokens. Adapters carry
both; it must not know how, nor what an answer is worth.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from agents.models.configuration import Provider
from agents.models.model import Message, Request, Tool
from storage.records import Json

ALTERNATIVES = 10
"""How many likely first tokens are asked for beside a label's."""


@dataclass(slots=True)
class RawCall:
    """A tool call as it came: arguments are text."""

    id: str = ""
    name: str = ""
    arguments: str = ""


@dataclass(frozen=True, slots=True)
class Token:
    """A token of the answer, its log probability, and what else was likely there."""

    text: str
    logprob: float
    others: tuple[tuple[str, float], ...] = ()


def body(request: Request, provider: Provider, repair: Sequence[Message] = ()) -> Json:
    """What is sent. `repair`: what was said before in vain, and why it was no answer."""
    schema = answer_schema(request)
    messages = [_message(each) for each in (*request.messages, *repair)]
    if schema is not None:
        _instruct(messages, request, schema)
    made: Json = {
        "model": provider.model,
        "messages": messages,
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
    }
    if request.tools:
        made["tools"] = [_tool(tool) for tool in request.tools]
        made["tool_choice"] = request.choice
    if request.labels and provider.grammar:
        made["grammar"] = f"root ::= {' | '.join(json.dumps(each, ensure_ascii=False) for each in request.labels)}"
    elif schema is not None and provider.schema:
        named = {"name": "answer", "schema": schema, "strict": _strict(schema)}
        made["response_format"] = {"type": "json_schema", "json_schema": named}
    if request.labels:
        made["logprobs"], made["top_logprobs"] = True, ALTERNATIVES
    return made | provider.extra


def answer_schema(request: Request) -> Json | None:
    """The schema of the answer: the request's own, or an object with one of its labels."""
    if not request.labels:
        return request.schema
    label = {"type": "string", "enum": list(request.labels)}
    return {"type": "object", "properties": {"label": label}, "required": ["label"], "additionalProperties": False}


def _instruct(messages: list[Json], request: Request, schema: Json) -> None:
    """Says in the prompt too what is wanted: some providers leave `response_format` out in silence."""
    if request.labels:
        said = f"Answer with one of these labels alone: {', '.join(request.labels)}."
    else:
        said = f"Answer with JSON alone, of this schema: {json.dumps(schema, ensure_ascii=False)}"
    if messages and messages[0]["role"] == "system":
        messages[0] = messages[0] | {"content": f"{messages[0]['content']}\n\n{said}"}
    else:
        messages.insert(0, {"role": "system", "content": said})


def _strict(schema: Any) -> bool:
    """Whether a provider that binds strictly accepts it: every object is closed and all that it has is required."""
    if isinstance(schema, list):
        return all(map(_strict, cast(list[Any], schema)))
    if not isinstance(schema, dict):
        return True
    found = cast(Json, schema)
    if found.get("type") == "object":
        closed = found.get("additionalProperties") is False
        if not closed or set(found.get("required", ())) != set(found.get("properties", ())):
            return False
    return all(map(_strict, found.values()))


def _message(message: Message) -> Json:
    text = cleaned(message.text)  # players send halves of characters too
    made: Json = {"role": message.role, "content": text}
    if message.calls:
        made["content"] = text or None
        made["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": json.dumps(call.arguments)},
            }
            for call in message.calls
        ]
    if message.role == "tool":
        made["tool_call_id"] = message.call_id
    return made


def _tool(tool: Tool) -> Json:
    function = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return {"type": "function", "function": function}


@dataclass(slots=True)
class Heard:
    """What a provider said so far. `limit` characters are taken, of text and of arguments together; more is `cut`."""

    limit: int
    text: str = ""
    calls: list[RawCall] = field(default_factory=list[RawCall])
    tokens: list[Token] = field(default_factory=list[Token])
    finish: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    _parts: list[str] = field(default_factory=list[str])
    _places: dict[int, RawCall] = field(default_factory=dict[int, RawCall])
    _taken: int = 0

    @property
    def cut(self) -> bool:
        return self._taken >= self.limit

    def whole(self, answer: Json) -> Heard:
        """Takes a whole answer. Raises KeyError, TypeError, ValueError, AttributeError or IndexError where it is none."""
        choice: Json = answer["choices"][0]
        self._choice(choice, choice["message"])
        self.count(answer)
        return self.ended()

    def chunk(self, piece: Json) -> str:
        """Takes a chunk of a stream and gives the text in it. Raises as `whole`."""
        self.count(piece)
        choices: list[Json] = piece["choices"]
        return self._choice(choices[0], choices[0].get("delta") or {}) if choices else ""

    def ended(self) -> Heard:
        """Nothing more comes."""
        self.text = "".join(self._parts)
        return self

    def _choice(self, choice: Json, said: Json) -> str:
        text = self._take(said.get("content") or "")
        if text:
            self._parts.append(text)
        for place, call in enumerate(said.get("tool_calls") or ()):
            held = self._held(int(call.get("index", place)), call.get("id") or "")
            function: Json = call.get("function") or {}
            held.name += function.get("name") or ""
            given: Any = function.get("arguments") or ""
            held.arguments += self._take(given if isinstance(given, str) else json.dumps(given))
        told: Json = choice.get("logprobs") or {}
        for token in cast(list[Json], told.get("content") or []):
            likely = cast(list[Json], token.get("top_logprobs") or [])
            others = tuple((str(each["token"]), float(each["logprob"])) for each in likely)
            self.tokens.append(Token(str(token["token"]), float(token["logprob"]), others))
        self.finish = choice.get("finish_reason") or self.finish
        return text

    def _held(self, place: int, id: str) -> RawCall:
        """The call that a part belongs to; places may leave gaps, and some providers give all calls the same."""
        held = self._places.get(place)
        if held is None or (id and held.id and id != held.id):
            held = self._places[place] = RawCall()
            self.calls.append(held)
        held.id = held.id or id
        return held

    def _take(self, text: str) -> str:
        """As much as may be taken, without what no text of ours holds: NUL and halves of characters."""
        text = text[: max(0, self.limit - self._taken)]
        self._taken += len(text)
        return cleaned(text)

    def count(self, answer: Json) -> None:
        """Takes the tokens that an answer says it took."""
        if usage := cast(Json, answer.get("usage") or {}):
            self.input_tokens = int(usage.get("prompt_tokens") or 0)
            self.output_tokens = int(usage.get("completion_tokens") or 0)
            details = cast(Json, usage.get("prompt_tokens_details") or {})
            self.cached_tokens = int(details.get("cached_tokens") or 0)


def cleaned(text: str) -> str:
    """Without NUL and surrogates, which neither PostgreSQL nor UTF-8 takes."""
    return text.replace("\0", "").encode("utf-8", "ignore").decode("utf-8")
