"""Owns asking an OpenAI-compatible endpoint over plain HTTP: the thin path, without litellm.

`OverHTTP(provider)` is an `Adapter`. It must not know retries, budgets or what is asked.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import orjson

from agents.models.adapter import Failure, by_status, seconds
from agents.models.configuration import Provider
from storage.records import Json

LARGEST = 4 * 2**20
"""Bytes of an answer; a longer one is cut off with its connection."""
SHOWN = 200
"""Characters of an error's body that are told."""


class OverHTTP:
    """One endpoint and its connections."""

    def __init__(self, provider: Provider):
        headers = {"authorization": f"Bearer {provider.key}"} if provider.key else {}
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=provider.concurrency)
        self._provider = provider
        # Deadlines are the caller's, over everything; a proxy in the environment is not for us to read.
        self._http = httpx2.AsyncClient(headers=headers, timeout=None, limits=limits, trust_env=False)

    async def chat(self, body: Json) -> Json:
        """A whole answer. Raises `Failure`."""
        async with self._sent("/chat/completions", body) as response:
            return _json(await _read(response))

    async def stream(self, body: Json) -> AsyncGenerator[Json]:
        """The chunks of an answer; only a stream that says so has ended. Raises `Failure`."""
        body = body | {"stream": True, "stream_options": {"include_usage": True}}
        async with self._sent("/chat/completions", body) as response:
            async for line in _lines(response):
                if line.startswith(b"data:"):
                    data = line[5:].strip()
                    if data == b"[DONE]":
                        return
                    yield _json(data)
        raise Failure("unavailable", "the stream was cut", again=True)

    async def embed(self, texts: list[str]) -> Json:
        """Raises `Failure`."""
        body = {"model": self._provider.model, "input": texts}
        async with self._sent("/embeddings", body) as response:
            return _json(await _read(response, LARGEST * 8))

    async def close(self) -> None:
        await self._http.aclose()

    @asynccontextmanager
    async def _sent(self, path: str, body: Json) -> AsyncGenerator[httpx2.Response]:
        content, kind = orjson.dumps(body), {"content-type": "application/json"}
        try:
            async with self._http.stream("POST", self._provider.url + path, content=content, headers=kind) as response:
                if response.status_code != 200:
                    told = (await _read(response)).decode("utf-8", "replace")
                    raise by_status(response.status_code, _error(told), seconds(response.headers.get("retry-after")))
                yield response
        except (httpx2.HTTPError, httpx2.StreamError) as error:
            # Never the request itself: its headers hold the key.
            what = f"{type(error).__name__} at {self._provider.url}"
            raise Failure("unavailable", what, again=True) from None
        except httpx2.InvalidURL:
            raise Failure("refused", f"{self._provider.url!r} is no address") from None


async def _read(response: httpx2.Response, largest: int = LARGEST) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in response.aiter_bytes():
        parts.append(part)
        size += len(part)
        if size > largest:
            raise Failure("invalid", f"an answer of more than {largest} bytes")
    return b"".join(parts)


async def _lines(response: httpx2.Response) -> AsyncIterator[bytes]:
    kept = b""
    size = 0
    async for part in response.aiter_bytes():
        size += len(part)
        if size > LARGEST:
            raise Failure("invalid", f"a stream of more than {LARGEST} bytes")
        *lines, kept = (kept + part).split(b"\n")
        for line in lines:
            yield line
    if kept:
        yield kept


def _json(data: bytes) -> Json:
    try:
        found: Any = orjson.loads(data)
    except ValueError:
        # Half a character written as an escape is JSON to Python and not to orjson.
        try:
            import json

            found = json.loads(data)
        except ValueError:
            raise Failure("invalid", "what came is not JSON", again=True) from None
    if not isinstance(found, dict):
        raise Failure("invalid", "what came is no JSON object", again=True)
    if "error" in found and "choices" not in found:
        raise Failure("unavailable", _error(data.decode("utf-8", "replace")), again=True)
    return found  # pyright: ignore[reportUnknownVariableType]


def _error(told: str) -> str:
    """What the provider said of an error, short."""
    try:
        error: Any = orjson.loads(told)["error"]
        told = str(error["message"] if isinstance(error, dict) else error)  # pyright: ignore[reportUnknownArgumentType]
    except (ValueError, KeyError, TypeError):
        pass
    return " ".join(told.split())[:SHOWN]
