"""Clients over real HTTP to a scripted model: each path to a provider that there is."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, contextmanager
from typing import Any, Protocol

import pytest

from agents.models.client import Client
from agents.models.configuration import Configuration
from evals.scripted import Scripted, serving
from evals.scripted.script import Decide

LITELLM = ("ignore:.*TypedDict:UserWarning", "ignore:Accessing the 'model_computed_fields':DeprecationWarning")
"""What pydantic says of litellm's own types; whoever has no test runner is not told."""
KEY = "sk-a-secret-that-nobody-may-see"


class Asking(Protocol):
    """Starts a scripted model and gives it with a client of it."""

    async def __call__(self, decide: Decide, **options: Any) -> tuple[Client, Scripted]: ...


PATHS: dict[str, Callable[[str], dict[str, Any]]] = {
    "http": lambda url: {"url": f"{url}/v1", "model": "scripted"},
    "litellm": lambda url: {"url": f"{url}/v1", "model": "openai/scripted", "through": "litellm"},
    "anthropic": lambda url: {"url": url, "model": "anthropic/claude-3-5-haiku-20241022", "through": "litellm"},
}
"""Through litellm an endpoint may be OpenAI's or Anthropic's."""


def configured(path: str, url: str, **options: Any) -> Configuration:
    return Configuration.one(key=KEY, **PATHS[path](url) | options)


@pytest.fixture(params=PATHS)
def path(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
async def asking(path: str) -> AsyncIterator[Asking]:
    async with AsyncExitStack() as stack:

        async def ask(decide: Decide, **options: Any) -> tuple[Client, Scripted]:
            server = stack.enter_context(serving(decide))
            client = Client(configured(path, server.url, **options), chance=lambda: 0.0)
            await client.warm()
            return await stack.enter_async_context(client), server

        yield ask


@contextmanager
def nothing_there() -> Any:
    """The address of a port at which nobody listens."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    yield f"http://127.0.0.1:{port}"
