"""Owns OpenAI's chat completions. `DIALECT`; it must not know scripts."""

from __future__ import annotations

from collections.abc import Iterator
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
    tools = [tool["function"]["name"] for tool in body.get("tools") or () if "function" in tool]
    return Conversation.of("\n".join(system), tools, parts)


def _usage(reply: Reply) -> Body:
    total = reply.taken + reply.given
    return {"prompt_tokens": reply.taken, "completion_tokens": reply.given, "total_tokens": total}


def _whole(reply: Reply) -> Body:
    message: Body = {"role": "assistant", "content": reply.text or None}
    if reply.calls:
        message["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.tool, "arguments": arguments}}
            for call, arguments in reply.calls
        ]
    choice = {"index": 0, "message": message, "finish_reason": _reason(reply), "logprobs": None}
    head = {"id": reply.id, "object": "chat.completion", "created": CREATED, "model": reply.model}
    return {**head, "choices": [choice], "usage": _usage(reply)}


def _reason(reply: Reply) -> str:
    return "tool_calls" if reply.calls else "stop"


def _events(reply: Reply) -> Iterator[tuple[str, Body]]:
    head: Body = {"id": reply.id, "object": "chat.completion.chunk", "created": CREATED, "model": reply.model}

    def chunk(delta: Body, reason: str | None = None) -> tuple[str, Body]:
        return "", {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}

    yield chunk({"role": "assistant", "content": ""})
    for piece in pieces(reply.text):
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
