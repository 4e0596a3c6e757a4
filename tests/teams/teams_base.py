"""What tests of teams share: a small world in a repository, who uses it, and reading what a model was asked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from agents.access import LOCAL, Principal
from agents.knowledge import KnowledgeService, MemorySpaces
from agents.models import Model
from agents.models.client import Client
from agents.models.configuration import Configuration
from agents.teams import Teams
from evals.scripted import Answer, Call, Conversation
from rulebound.app import App, build
from rulebound.settings import Settings
from storage import Store
from storage.checkpoints import Checkpoints

# As the server names principals: the audit keeps nothing else of them.
ANN = Principal.of("a" * 32, "designer")
BO = Principal.of("b" * 32, "designer")
EVE = Principal.of("e" * 32, "player")
DRAFTS = f"draft/{ANN.id}"
PAGES = {
    "world.md": "---\nexperience: tiny\nuses: [adventure]\nstart: hall\n---\n# Tiny\nSmall.\n",
    "hall.md": "---\nplace: hall\nexits: {north: attic}\n---\n# Hall\nA hall with a fire.\n",
    "attic.md": "---\nplace: attic\nexits: {south: hall}\n---\n# Attic\nDust lies here.\n",
    "coin.md": "---\nitem: coin\nin: hall\n---\n# Gold coin\nShiny.\n",
    "otto.md": "---\nnpc: otto\nin: hall\n---\n# Otto\nA doorman, dry and courteous.\n",
    "mara.md": "---\nnpc: mara\nin: hall\n---\n# Mara\nA singer who is cold.\n",
    "lore/dust.md": "# Dust\nThe dust in the attic is a hundred years old, says the almanac.\n",
}
CELLAR = "---\nplace: cellar\nexits: {up: hall}\n---\n# Cellar\nBarrels stand here.\n"


@dataclass
class Studio:
    """Everything that a team needs."""

    app: App
    knowledge: KnowledgeService
    teams: Teams

    async def play(self, who: Principal = ANN) -> str:
        """The handle of a new game in the world."""
        return (await self.app.games.start(await self.knowledge.where(who, "tiny"), who.id, seed=1))[0]

    async def branches(self) -> dict[str, list[str]]:
        """The first lines of each draft's own commits, oldest first."""
        found: dict[str, list[str]] = {}
        live = {each.commit for each in (await self.knowledge.history(LOCAL, "tiny")).revisions}
        for draft in await self.knowledge.drafts(LOCAL, "tiny"):
            past = await self.knowledge.history(LOCAL, "tiny", branch=draft.branch)
            own = [each.message.split("\n")[0] for each in past.revisions if each.commit not in live]
            found[draft.branch] = own[::-1]
        return found

    async def live(self) -> str:
        return (await self.knowledge.history(LOCAL, "tiny")).revisions[0].commit

    async def edit(self, path: str, text: str) -> None:
        """A page of the live branch is another."""
        page = await self.knowledge.read(LOCAL, "tiny", path)
        await self.knowledge.patch(LOCAL, "tiny", path, page.etag, text=text)


async def make_world(home: Path, more: Mapping[str, str]) -> None:
    """The repository of the world `tiny`."""
    knowledge = KnowledgeService(MemorySpaces(), {}, home=home, cache=home / "cache")
    await knowledge.create(LOCAL, "tiny", visibility="shared")
    for path, text in {**PAGES, **more}.items():
        await knowledge.write(LOCAL, "tiny", path, text, branch="begin")
    await knowledge.publish(LOCAL, "tiny", "begin")


def studio(home: Path, store: Store, model: Model | None, checkpoints: Checkpoints) -> Studio:
    """A process on what is there."""
    app = build(Settings(home), store=store)
    knowledge = app.knowledge({"tiny": str(home / "knowledge" / "tiny.git")})
    return Studio(app, knowledge, Teams(model, app.games, knowledge, app.worlds, checkpoints))


def client(url: str) -> Client:
    return Client(Configuration.one(url=f"{url}/v1", model="scripted"))


def member(conversation: Conversation) -> str:
    """Who is asked."""
    return conversation.system.split("You are ", 1)[1].split(",", 1)[0]


def given(conversation: Conversation) -> int:
    """How often this member has answered in its step."""
    return sum(each.role == "assistant" for each in conversation.messages)


def propose(path: str, text: str) -> Answer:
    return Answer("Here it is.", calls=(Call("propose", {"path": path, "text": text}),))


def says(**lines: str | list[Answer]) -> Callable[[Conversation], Answer]:
    """A model in which each member says its line, or gives its answers of a step one after the other."""

    def decide(conversation: Conversation) -> Answer:
        answers = lines[member(conversation).casefold()]
        if isinstance(answers, str):
            return Answer(answers)
        return answers[min(given(conversation), len(answers) - 1)]

    return decide
