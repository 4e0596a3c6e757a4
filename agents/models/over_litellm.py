"""Owns asking a provider through litellm, which knows a hundred of them.

`OverLitellm(provider)` is an `Adapter`; litellm itself (seconds, 170 MB) is imported by the first who asks. It must not know
retries, budgets or what is asked.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import warnings
from collections.abc import AsyncGenerator
from functools import cache
from typing import Any

from agents.models.adapter import Failure, by_status, seconds
from agents.models.configuration import Provider
from storage.records import Json

LOCAL = ("LITELLM_LOCAL_MODEL_COST_MAP", "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS")
"""Without these it asks the Internet for newer tables when it is imported, or in the middle of a call."""
_importing = threading.Lock()


class OverLitellm:
    """One provider, by litellm's name."""

    def __init__(self, provider: Provider):
        self._provider = provider

    async def chat(self, body: Json) -> Json:
        """A whole answer. Raises `Failure`."""
        litellm = await loaded()
        try:
            answer: Any = await litellm.acompletion(**self._arguments(body))
            return answer.model_dump()
        except Exception as error:
            raise _failure(error) from None

    async def stream(self, body: Json) -> AsyncGenerator[Json]:
        """The chunks of an answer. Raises `Failure`."""
        litellm = await loaded()
        arguments = self._arguments(body) | {"stream": True, "stream_options": {"include_usage": True}}
        try:
            chunks: Any = await litellm.acompletion(**arguments)
            try:
                async for chunk in chunks:
                    yield chunk.model_dump()
            finally:
                await chunks.aclose()
        except Exception as error:
            raise _failure(error) from None

    async def embed(self, texts: list[str]) -> Json:
        """Raises `Failure`."""
        litellm = await loaded()
        try:
            answer: Any = await litellm.aembedding(input=texts, **self._arguments({"model": self._provider.model}))
            return answer.model_dump()
        except Exception as error:
            raise _failure(error) from None

    async def close(self) -> None:
        """Closes the connections that litellm keeps for the whole process."""
        litellm = await loaded()
        await litellm.close_litellm_async_clients()
        litellm.in_memory_llm_clients_cache.flush_cache()

    def _arguments(self, body: Json) -> Json:
        """What litellm takes: it does not try again, keep anything, or tell anybody; what a provider does not know is left out."""
        quiet: Json = {"num_retries": 0, "max_retries": 0, "caching": False, "drop_params": True, "no-log": True}
        if self._provider.url:
            quiet["api_base"] = self._provider.url
        if self._provider.key:
            quiet["api_key"] = self._provider.key
        if "tools" in body:
            quiet["_skip_mcp_handler"] = True
        return body | quiet


async def loaded() -> Any:
    """litellm, imported in a thread, so that nobody else waits."""
    return await asyncio.to_thread(_import)


@cache
def _settled() -> Any:
    for name in LOCAL:
        os.environ[name] = "True"
    logging.getLogger("LiteLLM").setLevel(logging.CRITICAL)  # it would log requests
    warnings.filterwarnings("ignore", ".*TypedDict", UserWarning)  # pydantic's, about its types
    import litellm as imported

    litellm: Any = imported
    litellm.telemetry = False
    litellm.suppress_debug_info = True
    litellm.cache = None
    litellm.disable_aiohttp_transport = True  # its sessions are left open where a call is cancelled
    return litellm


def _import() -> Any:
    with _importing:
        return _settled()


def _failure(error: Exception) -> Failure:
    if isinstance(error, Failure):
        return error
    name, status = type(error).__name__, getattr(error, "status_code", None)
    told = " ".join(str(error).split())[:200]
    if name == "Timeout":
        return Failure("timeout", told)
    if name in ("APIConnectionError", "MidStreamFallbackError"):
        return Failure("unavailable", f"{name}: {told}", again=True)
    if isinstance(status, int):
        headers: Any = getattr(error, "litellm_response_headers", None) or {}
        return by_status(status, told, seconds(headers.get("retry-after")))
    return Failure("invalid", f"{name}: {told}", again=True)
