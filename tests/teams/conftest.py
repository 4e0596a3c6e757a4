"""Teams over real pages, games, repositories and a model behind real HTTP; runs are kept in memory or in PostgreSQL."""

import importlib.util
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import Any

import pytest

_spec = importlib.util.spec_from_file_location("teams_base", Path(__file__).parent / "teams_base.py")
assert _spec is not None
assert _spec.loader is not None
sys.modules["teams_base"] = _module = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_module)

from teams_base import Studio, client, make_world, studio  # noqa: E402

from evals.scripted import Answer, Conversation, Scripted, serving  # noqa: E402
from storage import MemoryStore  # noqa: E402
from storage.checkpoints import MemoryCheckpoints  # noqa: E402


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def scripted() -> Iterator[Callable[[Callable[[Conversation], Answer]], Scripted]]:
    """Serves models until the test ends."""
    with ExitStack() as stack:
        yield lambda decide: stack.enter_context(serving(decide))


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Callable[..., Awaitable[Studio]]]:
    """Opens studios on one world and one store: with a model's server, and more pages for the first one."""
    store, kept = MemoryStore(), MemoryCheckpoints()
    async with AsyncExitStack() as stack:

        async def new(model: Scripted | None, more: dict[str, str] | None = None, checkpoints: Any = None) -> Studio:
            if not (tmp_path / "home").exists():
                await make_world(tmp_path / "home", more or {})
            asked = await stack.enter_async_context(client(model.url)) if model else None
            return studio(tmp_path / "home", store, asked, checkpoints or kept)

        yield new
