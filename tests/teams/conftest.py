"""Teams over real pages, games, repositories and a model behind real HTTP; runs are kept in memory or in PostgreSQL."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from agents.access import LOCAL, Principal
from agents.knowledge import KnowledgeService
from agents.models.client import Client
from agents.models.configuration import Configuration
from agents.teams import Teams
from evals.scripted import Answer, Conversation, Scripted, serving
from rulebound.app import App, build
from rulebound.settings import Settings
from storage import MemoryStore
from storage.checkpoints import Checkpoints, MemoryCheckpoints

ANN = Principal.of("ann", "designer")
BO = Principal.of("bo", "designer")
EVE = Principal.of("eve", "player")
PAGES = {
    "world.md": "---\nexperience: tiny\nuses: [adventure]\nstart: hall\n---\n# Tiny\nSmall.\n",
    "hall.md": "---\nplace: hall\nexits: {north: attic}\n---\n# Hall\nA hall with a fire.\n",
    "attic.md": "---\nplace: attic\nexits: {south: hall}\n---\n# Attic\nDust lies here.\n",
    "coin.md": "---\nitem: coin\nin: hall\n---\n# Gold coin\nShiny.\n",
    "otto.md": "---\nnpc: otto\nin: hall\n---\n# Otto\nA doorman, dry and courteous.\n",
    "mara.md": "---\nnpc: mara\nin: hall\n---\n# Mara\nA singer who is cold.\n",
    "lore/dust.md": "# Dust\nThe dust in the attic is a hundred years old, says the almanac.\n",
}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@dataclass
class Studio:
    """Everything that a team needs, and who uses it."""

    app: App
    knowledge: KnowledgeService
    teams: Teams
    ann, bo, eve = ANN, BO, EVE

    async def play(self, who: Principal) -> str:
        """The handle of a new game in the world."""
        where = await self.knowledge.where(who, "tiny")
        return (await self.app.games.start(where, who.id, seed=1))[0]


async def pages(knowledge: KnowledgeService, more: Mapping[str, str] = {}) -> None:
    """A knowledge base `tiny` with the pages of a small world."""
    await knowledge.create(LOCAL, "tiny", visibility="shared")
    for path, text in {**PAGES, **more}.items():
        await knowledge.write(LOCAL, "tiny", path, text, branch="begin")
    await knowledge.publish(LOCAL, "tiny", "begin")


def client(model: Scripted) -> Client:
    return Client(Configuration.one(url=f"{model.url}/v1", model="scripted"))


@pytest.fixture
async def open_studio(tmp_path: Path) -> AsyncIterator[Callable[..., Awaitable[Studio]]]:
    """Builds studios on the same folder; `model` None: without one."""
    async with AsyncExitStack() as stack:
        store, kept = MemoryStore(), MemoryCheckpoints()

        async def new(
            model: Scripted | None, more: Mapping[str, str] = {}, checkpoints: Checkpoints | None = None
        ) -> Studio:
            app = build(Settings(tmp_path / "home"), store=store)
            knowledge = app.knowledge({})
            if not (tmp_path / "home" / "knowledge").exists():
                await pages(knowledge, more)
                new.spaces = knowledge.spaces  # type: ignore[attr-defined]
            knowledge = KnowledgeService(
                new.spaces,  # type: ignore[attr-defined]
                {},
                home=tmp_path / "home",
                cache=tmp_path / "cache",
            )
            asked = await stack.enter_async_context(client(model)) if model else None
            return Studio(app, knowledge, Teams(asked, app.games, knowledge, app.worlds, checkpoints or kept))

        yield new


def member(conversation: Conversation) -> str:
    """Who is asked."""
    return conversation.system.split("You are ", 1)[1].split(",", 1)[0]


def given(conversation: Conversation) -> int:
    """How often this member has answered in its step."""
    return sum(each.role == "assistant" for each in conversation.messages)


@pytest.fixture
def scripted() -> Iterator[Callable[[Callable[[Conversation], Answer]], Scripted]]:
    """Serves models until the test ends."""
    with _stack() as serve:
        yield serve


@contextmanager
def _stack() -> Iterator[Callable[[Callable[[Conversation], Answer]], Scripted]]:
    from contextlib import ExitStack

    with ExitStack() as stack:
        yield lambda decide: stack.enter_context(serving(decide))
