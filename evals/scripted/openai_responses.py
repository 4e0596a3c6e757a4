"""Owns OpenAI's responses. `DIALECT`; it must not know scripts.

Tools in a namespace have its name before theirs here; a call gives both back as the request named them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from evals.scripted.conversation import Call, Conversation, Message, Result
from evals.scripted.dialect import CREATED, Body, Dialect, Reply, parsed, pieces, texts
from evals.scripted.openai_chat import error

SPACE = "\N{SYMBOL FOR UNIT SEPARATOR}"
"""Stands between a namespace and a tool's name: no tool's name has it."""


def _read(body: Body) -> Conversation:
    given: Any = body.get("input") or ()
    items = [{"role": "user", "content": given}] if isinstance(given, str) else given
    system = [body.get("instructions") or ""]
    parts: list[Message] = []
    for item in items:
        kind, role = item.get("type", "message"), item.get("role")
        if kind == "function_call":
            call = Call(_named(item.get("namespace"), item["name"]), parsed(item["arguments"]), item["call_id"])
            parts.append(Message("assistant", calls=(call,)))
        elif kind == "function_call_output":
            parts.append(Message("user", results=(Result(item["call_id"], "", texts(item["output"])),)))
        elif kind == "message" and role in ("system", "developer"):
            system.append(texts(item["content"]))
        elif kind == "message":
            parts.append(Message("assistant" if role == "assistant" else "user", texts(item["content"])))
    return Conversation.of("\n".join(system), _tools(body.get("tools") or ()), parts)


def _tools(tools: Any, namespace: str | None = None) -> Iterator[str]:
    for tool in tools:
        if tool["type"] == "namespace":
            yield from _tools(tool["tools"], tool["name"])
        elif tool["type"] == "function":
            yield _named(namespace, tool["name"])


def _named(namespace: str | None, name: str) -> str:
    return f"{namespace}{SPACE}{name}" if namespace else name


def _items(reply: Reply) -> Iterator[Body]:
    if reply.text or not reply.calls:
        text: Body = {"type": "output_text", "text": reply.text, "annotations": []}
        message: Body = {"type": "message", "role": "assistant", "status": "completed"}
        yield {"id": f"msg_{reply.id}", **message, "content": [text]}
    for call, arguments in reply.calls:
        namespace, _, name = call.tool.rpartition(SPACE)
        item: Body = {"type": "function_call", "id": f"fc_{call.id}", "status": "completed", "call_id": call.id}
        yield {**item, "name": name, "arguments": arguments, **({"namespace": namespace} if namespace else {})}


def _whole(reply: Reply) -> Body:
    usage: Body = {"input_tokens": reply.taken, "input_tokens_details": {"cached_tokens": 0}}
    usage |= {"output_tokens": reply.given, "output_tokens_details": {"reasoning_tokens": 0}}
    usage["total_tokens"] = reply.taken + reply.given
    asked: Body = {"parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "metadata": {}}
    return {**_head(reply, "completed"), **asked, "output": list(_items(reply)), "usage": usage}


def _head(reply: Reply, status: str) -> Body:
    head: Body = {"id": f"resp_{reply.id}", "object": "response", "created_at": CREATED, "status": status}
    return {**head, "model": reply.model, "error": None, "incomplete_details": None, "output": []}


def _events(reply: Reply) -> Iterator[tuple[str, Body]]:
    events = enumerate(_unnumbered(reply))
    return ((body["type"], {**body, "sequence_number": number}) for number, body in events)


def _unnumbered(reply: Reply) -> Iterator[Body]:
    yield {"type": "response.created", "response": _head(reply, "in_progress")}
    for index, item in enumerate(_items(reply)):
        at: Body = {"output_index": index, "item_id": item["id"]}
        empty: Body = {"content": []} if item["type"] == "message" else {"arguments": ""}
        added: Body = {**item, "status": "in_progress", **empty}
        yield {"type": "response.output_item.added", "output_index": index, "item": added}
        if item["type"] == "message":
            [part] = item["content"]
            at["content_index"] = 0
            yield {"type": "response.content_part.added", **at, "part": {**part, "text": ""}}
            for piece in pieces(part["text"], reply.answer.pieces):
                yield {"type": "response.output_text.delta", **at, "delta": piece, "logprobs": []}
            yield {"type": "response.output_text.done", **at, "text": part["text"], "logprobs": []}
            yield {"type": "response.content_part.done", **at, "part": part}
        else:
            for piece in pieces(item["arguments"]):
                yield {"type": "response.function_call_arguments.delta", **at, "delta": piece}
            done: Body = {"name": item["name"], "arguments": item["arguments"]}
            yield {"type": "response.function_call_arguments.done", **at, **done}
        yield {"type": "response.output_item.done", "output_index": index, "item": item}
    yield {"type": "response.completed", "response": _whole(reply)}


DIALECT = Dialect(_read, _whole, _events, error)
