"""A shared inn with two NPCs who have pages, on each kind of store; the scripted model over real HTTP."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agents.game import Game, Reply
from agents.models.client import Client
from agents.models.configuration import Configuration
from agents.models.model import Model
from agents.npcs.minds import Minds
from agents.npcs.voices import Spoken, Voices
from agents.worlds import Where
from evals.scripted import Answer, Conversation, Scripted, serving
from rulebound.app import App, build
from rulebound.settings import Settings
from storage import MemoryStore, Store, new_id
from storage.fenced import FencedStore

PAGES = {
    "world.md": "---\nexperience: inn\nuses: [adventure]\nstart: hall\nworld: {world}\nclock: real\nbegins: 2026-03-01 00:00\n---\n# Inn\nAn inn.\n",
    "hall.md": "---\nplace: hall\nexits: {north: attic}\n---\n# Hall\nA hall.\n",
    "attic.md": "---\nplace: attic\nexits: {south: hall}\n---\n# Attic\nAn attic.\n",
    "coin.md": "---\nitem: coin\nin: hall\n---\n# Gold coin\nShiny.\n",
    "crown.md": "---\nitem: crown\nin: vault\n---\n# Star crown\nOf the old kings.\n",
    "vault.md": "---\nplace: vault\n---\n# Vault\nDeep.\n",
    "otto.md": (
        '---\nagent: otto\nin: hall\nmay: [say]\nproper: yes\ngreeting: "Evening."\n---\n# Otto\nThe old doorman, in a long coat.\n'
        "He knows the [[flood]].\n## Knows\n- `world.hour`\n## Voice\nDry, courteous, two sentences at most.\n"
        "> “Mind the step.”\n\n- again: “Ah, {name} again,” says Otto.\n"
    ),
    "marta.md": '---\nagent: marta\nin: hall\nmay: [say]\nproper: yes\ngreeting: "Ale?"\n---\n# Marta\nThe innkeeper.\n## Voice\nQuick.\n',
    "flood.md": "# The great flood\nThe river rose over the mill in the year of the comet. Nobody drowned but a goat.\n",
    "secret.md": "# The secret\nThe crown lies in the vault under the well.\n",
}  # fmt: skip


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@dataclass
class Clock:
    """A clock that the test sets."""

    at: datetime = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at

    def pass_(self, **passed: float) -> None:
        self.at += timedelta(**passed)


@dataclass
class Inn:
    """An app, its voices, and players who talk."""

    app: App
    voices: Voices
    where: Where
    clock: Clock
    run: str = field(default_factory=new_id)
    handles: dict[str, str] = field(default_factory=dict[str, str])

    async def player(self, name: str) -> tuple[str, str]:
        """The handle and the principal of somebody, who joins where they are not there."""
        principal = f"{name}-{self.run}"
        if name not in self.handles:
            self.handles[name], _ = await self.app.games.start(self.where, principal, name=name)
        return self.handles[name], principal

    async def game(self, name: str = "Ada") -> Game:
        return await self.app.games.game(*await self.player(name))

    async def turn(self, line: str, name: str = "Ada", key: str = "") -> tuple[Spoken | None, Reply]:
        """A line as the router plays it: resolved, committed, then worded."""
        handle, principal = await self.player(name)
        game, said = await self.app.games.consider(handle, principal, line)
        reply = await self.app.games.act(handle, principal, line, key=key)
        return await self.voices.speak(game, said, reply, line, principal=principal), reply

    async def say(self, words: str, name: str = "Ada", npc: str = "otto", key: str = "") -> str:
        """Free talk."""
        spoken = await self.voices.converse(await self.game(name), npc, words, key=key)
        assert spoken is not None, f"{name} does not perceive {npc}"
        return spoken.text


@pytest.fixture
def clock() -> Clock:
    return Clock()


def written(folder: Path, **given: str) -> Where:
    """The pages of the inn in a folder."""
    folder.mkdir()
    for name, text in PAGES.items():
        (folder / name).write_text(text.replace("{world}", given.get("world", "shared")), encoding="utf-8")
    return Where.of(str(folder))


@pytest.fixture
def where(tmp_path: Path) -> Where:
    return written(tmp_path / "inn")


@pytest.fixture(params=["memory", "servers"])
async def new_store(request: pytest.FixtureRequest) -> AsyncIterator[Callable[[], Awaitable[Store]]]:
    """Opens a store: in memory always the same; in PostgreSQL another worker's on the same database."""
    memory = MemoryStore()
    async with AsyncExitStack() as stack:

        async def new() -> Store:
            if request.param == "memory":
                return memory
            urls = request.getfixturevalue("database"), request.getfixturevalue("servers").redis_url
            return await stack.enter_async_context(FencedStore.opened(*urls))

        yield new


@pytest.fixture
async def new_inn(
    where: Where, clock: Clock, tmp_path: Path, new_store: Callable[[], Awaitable[Store]]
) -> AsyncIterator[Callable[..., Awaitable[Inn]]]:
    """Opens a worker with or without a model."""
    opened: list[Inn] = []

    async def new(model: Model | None = None, **options: Any) -> Inn:
        store = await new_store()
        app = build(Settings(tmp_path / "home"), store=store, now=clock)
        voices = Voices(model, Minds(store.memories), now=clock, **options)
        opened.append(Inn(app, voices, where, clock))
        return opened[-1]

    yield new
    for inn in opened:
        await inn.voices.close()
        await inn.app.games.close()


@pytest.fixture
async def inn(new_inn: Callable[..., Awaitable[Inn]]) -> Inn:
    """Without a model."""
    return await new_inn()


@dataclass
class Said:
    """The scripted model: it says `text`, or what `decide` gives."""

    text: str = "Good evening."
    decide: Callable[[Conversation], Answer] | None = None
    server: Scripted | None = None
    prompts: list[Conversation] = field(default_factory=list[Conversation])

    def __call__(self, conversation: Conversation) -> Answer:
        self.prompts.append(conversation)
        return self.decide(conversation) if self.decide else Answer(self.text)

    @property
    def calls(self) -> int:
        """Counted at the server."""
        assert self.server is not None
        return len(self.server.requests)

    @property
    def prompt(self) -> str:
        """The user's text of the last question."""
        return self.prompts[-1].messages[-1].text


@pytest.fixture
async def model() -> AsyncIterator[tuple[Model, Said]]:
    said = Said()
    with serving(said) as server:
        said.server = server
        async with Client(Configuration.one(url=f"{server.url}/v1", model="scripted")) as client:
            yield client, said
