"""Owns Gemini's generateContent. `DIALECT`; it must not know scripts.

Names in requests come as `functionCall` or as `function_call`: both are this API's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from evals.scripted.conversation import Call, Conversation, Message, Result
from evals.scripted.dialect import Body, Dialect, Reply, parsed, pieces, texts


def _read(body: Body) -> Conversation:
    parts: list[Message] = []
    for content in body.get("contents", ()):
        role = "assistant" if content.get("role") == "model" else "user"
        for part in content.get("parts", ()):
            if call := _either(part, "functionCall"):
                made = Call(call["name"], call.get("args") or {}, call.get("id") or "")
                parts.append(Message(role, calls=(made,)))
            elif result := _either(part, "functionResponse"):
                told: Body = result.get("response") or {}
                text = told.get("output")
                text = text if isinstance(text, str) else json.dumps(told)
                parts.append(Message(role, results=(Result(result.get("id") or "", result["name"], text),)))
            elif part.get("text"):
                parts.append(Message(role, part["text"]))
    system = texts((_either(body, "systemInstruction") or {}).get("parts"))
    declared = [each for tool in body.get("tools") or () for each in _either(tool, "functionDeclarations") or ()]
    return Conversation.of(system, [each["name"] for each in declared], parts)


def _either(found: Body, name: str) -> Any:
    return found.get(name) or found.get(re.sub("[A-Z]", lambda capital: f"_{capital[0].lower()}", name))


def _answer(reply: Reply, parts: list[Body], *, last: bool) -> Body:
    candidate: Body = {"content": {"role": "model", "parts": parts}, "index": 0}
    if last:
        candidate["finishReason"] = "STOP"
    total = reply.taken + reply.given
    usage = {"promptTokenCount": reply.taken, "candidatesTokenCount": reply.given, "totalTokenCount": total}
    head: Body = {"modelVersion": reply.model, "responseId": reply.id}
    return {"candidates": [candidate], "usageMetadata": usage, **head}


def _calls(reply: Reply) -> list[Body]:
    # Arguments are an object here, so none that are no JSON can be sent.
    return [
        {"functionCall": {"name": call.tool, "args": parsed(arguments), "id": call.id}}
        for call, arguments in reply.calls
    ]


def _whole(reply: Reply) -> Body:
    said: list[Body] = [{"text": reply.text}] if reply.text else []
    return _answer(reply, said + _calls(reply), last=True)


def _events(reply: Reply) -> Iterator[tuple[str, Body]]:
    for piece in pieces(reply.text, reply.answer.pieces):
        yield "", _answer(reply, [{"text": piece}], last=False)
    yield "", _answer(reply, _calls(reply) or [{"text": ""}], last=True)


def _error(status: int, message: str) -> Body:
    kind = "RESOURCE_EXHAUSTED" if status == 429 else "INTERNAL" if status >= 500 else "INVALID_ARGUMENT"
    return {"error": {"code": status, "message": message, "status": kind}}


DIALECT = Dialect(_read, _whole, _events, _error)
