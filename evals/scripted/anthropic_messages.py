"""Owns Anthropic's messages. `DIALECT`; it must not know scripts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from evals.scripted.conversation import Call, Conversation, Message, Result
from evals.scripted.dialect import Body, Dialect, Reply, parsed, pieces, texts


def _read(body: Body) -> Conversation:
    parts: list[Message] = []
    for message in body.get("messages", ()):
        content: Any = message["content"]
        blocks: list[Body] = [{"type": "text", "text": content}] if isinstance(content, str) else content
        role = "assistant" if message["role"] == "assistant" else "user"
        for block in blocks:
            if block["type"] == "text":
                parts.append(Message(role, block["text"]))
            elif block["type"] == "tool_use":
                parts.append(Message(role, calls=(Call(block["name"], block["input"], block["id"]),)))
            elif block["type"] == "tool_result":
                result = Result(block["tool_use_id"], "", texts(block.get("content")))
                parts.append(Message(role, results=(result,)))
    tools: list[Body] = body.get("tools") or []
    wanted: Body = body.get("output_format") or {}
    return Conversation.of(texts(body.get("system")), [tool["name"] for tool in tools], parts, wanted.get("schema"))


def _head(reply: Reply, given: int) -> Body:
    head: Body = {"id": f"msg_{reply.id}", "type": "message", "role": "assistant", "model": reply.model}
    usage = {"input_tokens": reply.taken, "output_tokens": given}
    cached = {"cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}
    return {**head, "content": [], "stop_reason": None, "stop_sequence": None, "usage": usage | cached}


def _reason(reply: Reply) -> str:
    return "tool_use" if reply.calls else "end_turn"


def _whole(reply: Reply) -> Body:
    blocks: list[Body] = [{"type": "text", "text": reply.text}] if reply.text else []
    for call, arguments in reply.calls:
        # A whole answer holds an object and no text, so arguments that are no JSON can only come in a stream.
        blocks.append({"type": "tool_use", "id": call.id, "name": call.tool, "input": parsed(arguments)})
    return {**_head(reply, reply.given), "content": blocks, "stop_reason": _reason(reply)}


def _events(reply: Reply) -> Iterator[tuple[str, Body]]:
    return ((body["type"], body) for body in _bodies(reply))


def _bodies(reply: Reply) -> Iterator[Body]:
    yield {"type": "message_start", "message": _head(reply, 1)}
    blocks: list[tuple[Body, list[Body]]] = []
    if reply.text:
        deltas: list[Body] = [
            {"type": "text_delta", "text": piece} for piece in pieces(reply.text, reply.answer.pieces)
        ]
        blocks.append(({"type": "text", "text": ""}, deltas))
    for call, arguments in reply.calls:
        deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces(arguments)]
        blocks.append(({"type": "tool_use", "id": call.id, "name": call.tool, "input": {}}, deltas))
    for index, (block, deltas) in enumerate(blocks):
        yield {"type": "content_block_start", "index": index, "content_block": block}
        for delta in deltas:
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    ending = {"stop_reason": _reason(reply), "stop_sequence": None}
    yield {"type": "message_delta", "delta": ending, "usage": {"output_tokens": reply.given}}
    yield {"type": "message_stop"}


def _error(status: int, message: str) -> Body:
    kind = "rate_limit_error" if status == 429 else "api_error" if status >= 500 else "invalid_request_error"
    return {"type": "error", "error": {"type": kind, "message": message}}


DIALECT = Dialect(_read, _whole, _events, _error)
