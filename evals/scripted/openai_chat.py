"""Owns OpenAI's chat completions. `DIALECT`; it must not know scripts."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from evals.scripted.conversation import Call, Conversation, Message, Result
from evals.scripted.dialect import CREATED, Body, Dialect, Reply, parsed, pieces, texts


def _read(body: Body) -> Conversation:
    system: list[str] = []
    parts: list[Message] = []
    for message in body.get("messages", ()):
        text = texts(message.get("content"))
        if message["role"] in ("system", "developer"):
            system.append(text)
        elif message["role"] == "tool":
            parts.append(Message("user", results=(Result(message["tool_call_id"], "", text),)))
        elif message["role"] == "assistant":
            calls = [
                Call(call["function"]["name"], parsed(call["function"]["arguments"]), call["id"])
                for call in message.get("tool_calls") or ()
            ]
            parts.append(Message("assistant", text, tuple(calls)))
        else:
            parts.append(Message("user", text))
    tools: dict[str, Body] = {
        tool["function"]["name"]: tool["function"].get("parameters") or {}
        for tool in body.get("tools") or ()
        if "function" in tool
    }
    bound: Body = body.get("response_format") or {}
    wanted: Body = bound.get("json_schema") or {}
    return replace(Conversation.of("\n".join(system), tools, parts, wanted.get("schema")), parameters=tools)


def _usage(reply: Reply) -> Body:
    total = reply.taken + reply.given
    usage: Body = {"prompt_tokens": reply.taken, "completion_tokens": reply.given, "total_tokens": total}
    return usage | {"prompt_tokens_details": {"cached_tokens": reply.answer.cached}}


def _logprobs(reply: Reply) -> Body | None:
    """A token for each word; the first is as likely as the answer says, and the rest certain."""
    if reply.answer.likely is None:
        return None
    likely = [{"token": token, "logprob": math.log(chance)} for token, chance in reply.answer.likely.items()]
    chances = dict(reply.answer.likely)
    tokens: list[Body] = []
    for word in re.findall(r"\w+|\W+", reply.text):
        chance = chances.pop(word, None)
        others = likely if chance is not None or not tokens else []
        tokens.append({"token": word, "logprob": math.log(chance or 1.0), "top_logprobs": others})
    return {"content": tokens}


def _whole(reply: Reply) -> Body:
    message: Body = {"role": "assistant", "content": reply.text or None}
    if reply.calls:
        message["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.tool, "arguments": arguments}}
            for call, arguments in reply.calls
        ]
    choice = {"index": 0, "message": message, "finish_reason": _reason(reply), "logprobs": _logprobs(reply)}
    head = {"id": reply.id, "object": "chat.completion", "created": CREATED, "model": reply.model}
    return {**head, "choices": [choice], "usage": _usage(reply)}


def _reason(reply: Reply) -> str:
    return "tool_calls" if reply.calls else "stop"


def _events(reply: Reply) -> Iterator[tuple[str, Body]]:
    head: Body = {"id": reply.id, "object": "chat.completion.chunk", "created": CREATED, "model": reply.model}

    def chunk(delta: Body, reason: str | None = None) -> tuple[str, Body]:
        return "", {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}

    yield chunk({"role": "assistant", "content": ""})
    for piece in pieces(reply.text, reply.answer.pieces):
        yield chunk({"content": piece})
    for index, (call, arguments) in enumerate(reply.calls):
        first: dict[str, Any] = {"name": call.tool, "arguments": ""}
        yield chunk({"tool_calls": [{"index": index, "id": call.id, "type": "function", "function": first}]})
        for piece in pieces(arguments):
            yield chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
    yield chunk({}, _reason(reply))
    yield "", {**head, "choices": [], "usage": _usage(reply)}


def error(status: int, message: str) -> Body:
    """OpenAI's error body, the same in both of its APIs."""
    kind = "rate_limit_exceeded" if status == 429 else "server_error" if status >= 500 else "invalid_request_error"
    return {"error": {"message": message, "type": kind, "code": kind, "param": None}}


DIALECT = Dialect(_read, _whole, _events, error, last="data: [DONE]\n\n")
