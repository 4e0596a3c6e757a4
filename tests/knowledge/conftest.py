"""Knowledge bases over real repositories, and the principals that share them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from agents.access import LOCAL, Principal
from agents.knowledge import KnowledgeService, MemorySpaces
from kb import library

ANN = Principal.of("ann", "designer", teams=frozenset({"north"}))
BO = Principal.of("bo@example.org", "designer")
EVE = Principal.of("eve", "player")
GIL = Principal.of("gil", "gm")
ADA = Principal.of("ada", "admin")
PAGES = {
    "world.md": "---\nexperience: tiny\nuses: [adventure]\nstart: hall\n---\n# Tiny\nSmall.\n",
    "hall.md": "---\nplace: hall\nexits: {north: attic}\n---\n# Hall\nA hall, with a [[coin]].\n",
    "attic.md": "---\nplace: attic\nexits: {south: hall}\n---\n# Attic\nDust.\n",
    "coin.md": "---\nitem: coin\nin: hall\n---\n# Gold coin\nShiny.\n",
    "lore/dust.md": "# Dust\nDust falls in the [[attic]].\n",
}


@dataclass
class Bench:
    """A service, what it told of its changes, and who uses it."""

    ann, bo, eve, gil, ada = ANN, BO, EVE, GIL, ADA
    service: KnowledgeService
    spaces: MemorySpaces
    home: Path
    audited: list[tuple[str, str, str]] = field(default_factory=list[tuple[str, str, str]])
    changed: list[str] = field(default_factory=list[str])

    async def make(self, name: str = "tiny", pages: Mapping[str, str] = PAGES, **options: str) -> str:
        """A knowledge base with pages, the experience last, that each is good when it comes."""
        await self.service.create(LOCAL, name, **({"visibility": "shared"} | options))  # pyright: ignore[reportArgumentType]
        for path, text in pages.items():
            await self.service.write(LOCAL, name, path, text, branch="begin")
        if pages:
            await self.service.publish(LOCAL, name, "begin")
        self.audited.clear()
        self.changed.clear()
        return name


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    spaces = MemorySpaces()

    async def audit(who: Principal, action: str, target: str, data: Mapping[str, str | int]) -> None:
        made.audited.append((who.id, action, target))

    async def changed(name: str) -> None:
        made.changed.append(name)

    fixed = {name: name for name in library.worlds()}
    service = KnowledgeService(
        spaces, fixed, home=tmp_path / "home", cache=tmp_path / "cache", audit=audit, changed=changed
    )
    made = Bench(service, spaces, tmp_path / "home")
    return made
