"""Owns how much a request may say: its body in bytes, and how deep its JSON goes.

`body, last = await read(receive, most)`, `receive = again(last, receive)`. It must not know what is said.
"""

from __future__ import annotations

from typing import Any, cast

import orjson
from starlette.types import Message, Receive

from mcp_server.web.refusals import Refusal

COMMAND = 10 * 1024
"""Bytes of a request that writes no page."""
PAGE = 1024 * 1024
"""Bytes of a request that may write one."""
DEPTH = 64
"""How deep JSON may be nested: parsers further on recurse."""


def declared(length: str | None, most: int) -> None:
    """Raises `Refusal` for a body that says itself that it is too large."""
    if length is not None and not (length.isdecimal() and int(length[:20]) <= most):
        raise too_large(most)


async def read(receive: Receive, most: int) -> tuple[bytes, Message]:
    """The whole body, and the message that gives it `again`. Raises `Refusal` where it is too large or too deep."""
    body = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return body, message
        body = body + message["body"] if body else message.get("body", b"")
        if len(body) > most:
            raise too_large(most)
        if not message.get("more_body", False):
            break
    shallow(body)
    return body, {"type": "http.request", "body": body, "more_body": False}


def shallow(body: bytes) -> None:
    """Raises `Refusal` for JSON that is nested too deeply; what is no JSON is for others to refuse."""
    if body.count(b"[") + body.count(b"{") <= DEPTH:
        return
    try:
        level: list[Any] = [orjson.loads(body)]
    except orjson.JSONDecodeError as error:
        # Other parsers take some JSON that this one does not, and recurse into it.
        raise Refusal(400, "json", "The body is no JSON, or is nested too deeply") from error
    for _ in range(DEPTH):
        level = [inner for each in level for inner in _within(each)]
        if not level:
            return
    raise Refusal(400, "json", f"The body is nested more than {DEPTH} deep")


def _within(value: Any) -> list[Any]:
    """What a list or an object holds that may hold more."""
    if isinstance(value, dict):
        value = list(cast("dict[str, Any]", value).values())
    return [each for each in cast("list[Any]", value) if isinstance(each, dict | list)]


def too_large(most: int) -> Refusal:
    return Refusal(413, "too_large", f"The request is larger than {most} bytes")


def again(first: Message, receive: Receive) -> Receive:
    """A `receive` that gives a message before all others."""
    waiting = [first]

    async def replay() -> Message:
        return waiting.pop() if waiting else await receive()

    return replay
