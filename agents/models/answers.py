"""Owns what an answer is worth: whether what a provider said answers the request, and as what.

`answered(request, heard, usage)` gives an `Answer` or raises `NoAnswer`. It must not know providers.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from typing import Any, Literal, cast

from agents.models.model import Answer, Request, ToolCall, Usage
from agents.models.wire import Heard, RawCall, Token, answer_schema
from storage.records import Json

_FENCE = re.compile(r"```[a-zA-Z]*[ \t]*\n?(.*?)(?:```|\Z)", re.DOTALL)
_TAGGED = re.compile(r"<tool_call>(.*?)(?:</tool_call>|\Z)", re.DOTALL)
_WHOLE = frozenset({"```", "<tool_call>", "{"})
_PART = r"`{1,3}|<tool_call>|<[a-z_]*\Z|\Z"
_BEGINNING = re.compile(rf"\s*(?:{_PART})")
"""Where a call begins or may begin, with the space before it."""
_FIRST = re.compile(rf"\A\s*\{{|\s*(?:{_PART})")
DEEPEST = 64
"""Nested values of an answer's JSON."""


class NoAnswer(Exception):
    """What was said does not answer: `args[0]` tells the model why, without its own words."""


def answered(request: Request, heard: Heard, usage: Usage) -> Answer:
    """The answer to a request. Raises `NoAnswer`."""
    if request.labels:
        return _labelled(request, heard, usage)
    if request.schema is not None:
        data = _data(heard.text, {"type": "object"} if request.loose else request.schema)
        return Answer(heard.text, usage, data=data, finish=_finish(heard))
    offered = {tool.name for tool in request.tools}
    text, raw = heard.text, heard.calls
    if offered and not raw:
        text, raw = written(text, offered)
    calls = [_call(each, number) for number, each in enumerate(raw)]
    kept = tuple(call for call in calls if call.name in offered)
    dropped = tuple(call for call in calls if call.name not in offered)
    if not kept and not text.strip():
        raise NoAnswer("no tool of that name is offered" if dropped else "nothing was said")
    if request.tools and request.choice == "required" and not kept:
        raise NoAnswer("one of the offered tools has to be called")
    return Answer(text, usage, kept, dropped=dropped, finish="calls" if kept else _finish(heard))


def _finish(heard: Heard) -> Literal["stop", "length"]:
    return "length" if heard.cut or heard.finish == "length" else "stop"


def _call(raw: RawCall, number: int) -> ToolCall:
    try:
        arguments = loaded(raw.arguments or "{}")
    except ValueError:
        arguments = None
    if not isinstance(arguments, dict):
        raise NoAnswer("the arguments of a call are not a JSON object")
    return ToolCall(raw.id or f"call_{number}", raw.name, cast(Json, arguments))


def written(text: str, offered: set[str]) -> tuple[str, list[RawCall]]:
    """Calls that a small model writes into its text, in a fence or as the whole of it, and the text without them.

    Only JSON that names an offered tool is one; everything else stays text.
    """
    found: list[tuple[int, int, RawCall]] = []
    places = [(match.start(), match.end(), match[1]) for form in (_FENCE, _TAGGED) for match in form.finditer(text)]
    if not places and text.lstrip().startswith("{"):
        places = [(0, len(text), text)]
    for start, end, inside in sorted(places):
        if (call := _named(inside, offered)) and (not found or start >= found[-1][1]):
            found.append((start, end, call))
    if not found:
        return text, []
    before = text[: found[0][0]].rstrip()
    for start, end, _ in reversed(found):
        text = text[:start] + text[end:]
    return text.rstrip() if before else text.strip(), [call for _, _, call in found]


class Held:
    """A text as it comes, without what may turn out to be a call; all of it where no tools are offered."""

    def __init__(self, tools: bool):
        self._tools, self._kept, self._begun = tools, "", False
        self.told = ""

    def take(self, text: str) -> str:
        """What may be told of the text now."""
        self._kept += text
        if not self._tools:
            return self._tell(len(self._kept))
        if self._begun:
            return ""
        start = _BEGINNING.search(self._kept) if self.told else _FIRST.search(self._kept)
        self._begun = start is not None and start[0].strip() in _WHOLE
        return self._tell(start.start() if start else len(self._kept))

    def rest(self, answer: str) -> str:
        """What was not told of the whole text."""
        return answer[len(self.told) :] if answer.startswith(self.told) else ""

    def _tell(self, end: int) -> str:
        text, self._kept = self._kept[:end], self._kept[end:]
        self.told += text
        return text


def _named(text: str, offered: set[str]) -> RawCall | None:
    text = text.strip()
    if text.startswith("{{") and text.endswith("}}"):  # so Qwen2.5-Coder writes one
        text = text[1:-1]
    try:
        said = loaded(text)
    except ValueError:
        return None
    if not isinstance(said, dict):
        return None
    call = cast(Json, said)
    inner: Any = call.get("function")
    if isinstance(inner, dict):
        call, inner = cast(Json, inner), None
    name: Any = call.get("name") or call.get("tool") or inner
    if not isinstance(name, str) or name not in offered:
        return None
    arguments = call.get("arguments", call.get("parameters", {}))
    return RawCall("", name, arguments if isinstance(arguments, str) else json.dumps(arguments))


def _data(text: str, schema: Json) -> Any:
    """The JSON in a text, of this schema."""
    problem = "it is not JSON"
    for candidate in _candidates(text):
        try:
            data = loaded(candidate)
        except ValueError:
            continue
        if (problem := mismatch(data, schema)) is None:
            return data
    raise NoAnswer(problem)


def _candidates(text: str) -> Iterator[str]:
    """Where JSON may stand: everything, in a fence, from the first bracket to the last."""
    yield text
    for match in _FENCE.finditer(text):
        yield match[1]
    for opening, closing in ("{}", "[]"):
        start, end = text.find(opening), text.rfind(closing)
        if 0 <= start < end:
            yield text[start : end + 1]


def loaded(text: str) -> Any:
    """JSON without NaN, integers of more than 64 bits, halves of characters, NUL, or nesting that others would not survive. Raises
    ValueError."""

    def refuse(constant: str) -> Any:
        raise ValueError(f"{constant} is no JSON")

    try:
        found = json.loads(text, parse_constant=refuse)
        # An escape may have written what `cleaned` takes out of a text.
        if not _holds(found, DEEPEST):
            raise ValueError("it holds what no text of ours may")
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    return found


def _holds(value: Any, depth: int) -> bool:
    if isinstance(value, str):
        return "\0" not in value and not any("\ud800" <= each <= "\udfff" for each in value)
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, int):
        return -(2**63) <= value < 2**64  # what else is stored as JSON or MessagePack breaks its store
    if not isinstance(value, (dict, list)):
        return True
    if depth == 0:
        return False
    if isinstance(value, dict):
        return all(_holds(key, depth) and _holds(each, depth - 1) for key, each in cast(Json, value).items())
    return all(_holds(each, depth - 1) for each in cast(list[Any], value))


def mismatch(data: Any, schema: Json) -> str | None:
    """What is wrong with a value, by the schema; None: nothing."""
    from jsonschema.validators import validator_for  # a tenth of a second, for those who ask models

    error = next(validator_for(schema)(schema).iter_errors(data), None)
    if error is None:
        return None
    where = "".join(f"[{each!r}]" for each in error.absolute_path)
    return f"{where or 'it'} does not fit `{error.validator}: {json.dumps(error.validator_value)[:200]}`"


def _labelled(request: Request, heard: Heard, usage: Usage) -> Answer:
    label = _label(heard.text, request.labels)
    if label is not None:
        chance = _chance(label, heard.tokens)
    elif (likely := _likely(heard.tokens, request.labels)) is not None:
        label, chance = likely
    else:
        raise NoAnswer(f"it is none of the labels {', '.join(request.labels)}")
    return Answer(heard.text, usage, label=label, probability=chance, data={"label": label})


def _label(text: str, labels: Sequence[str]) -> str | None:
    schema = answer_schema(Request((), "label", labels=tuple(labels)))
    assert schema is not None, "labels have a schema"
    try:
        said = _data(text, schema)["label"]
    except NoAnswer:
        said = text
    plain = said.strip().strip("\"'`*.: \n").casefold()
    return next((label for label in labels if label.casefold() == plain), None)


def _chance(label: str, tokens: Sequence[Token]) -> float | None:
    """The probability of the tokens in which the label stands; None where none are told."""
    text = "".join(token.text for token in tokens)
    start = text.casefold().rfind(label.casefold())
    if start < 0:
        return None
    at, total = 0, 0.0
    for token in tokens:
        if at < start + len(label) and at + len(token.text) > start:
            total += token.logprob
        at += len(token.text)
    return min(1.0, math.exp(total))


def _likely(tokens: Sequence[Token], labels: Sequence[str]) -> tuple[str, float] | None:
    """The label that the first token's alternatives begin most, and their probability."""
    if not tokens:
        return None
    shares = dict.fromkeys(labels, 0.0)
    for text, logprob in tokens[0].others:
        begun = [label for label in labels if text.strip() and label.casefold().startswith(text.strip().casefold())]
        if len(begun) == 1:
            shares[begun[0]] += math.exp(logprob)
    best = max(shares, key=lambda label: shares[label])
    return (best, min(1.0, shares[best])) if shares[best] > 0 else None
