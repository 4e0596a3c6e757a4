"""The skills: what they teach is true of the system that serves them."""

import re
from pathlib import Path

import pytest

from agents.worlds import Where, World
from kb.referee import Inputs
from kb.understand import Dialogue
from mcp_server.catalog import Catalog
from mcp_server.server import server
from mcp_server.skills import FOLDER
from rulebound.app import build
from rulebound.settings import Settings

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_every_tool_that_a_skill_names_is_there(tmp_path: Path) -> None:
    app = build(Settings(tmp_path))
    tools = {tool.name for tool in await server(app, Catalog(app)).list_tools()}
    for page in FOLDER.rglob("*.md"):
        named = set(re.findall(r"`(kb_\w+|start|act|observe|why|ask|experiences)`", page.read_text()))
        assert named <= tools, page


def test_the_page_that_the_language_is_shown_by_is_one(tmp_path: Path) -> None:
    text = (FOLDER / "design-a-rule/references/language.md").read_text()
    (page,) = re.findall(r"```markdown\n(.*?)```", text, re.DOTALL)
    (tmp_path / "w.md").write_text("---\nexperience: w\nuses: [adventure]\nstart: cellar\n---\n# W\nA world.\n")
    (tmp_path / "cellar.md").write_text("---\nplace: cellar\n---\n# Cellar\nA cellar.\n")
    (tmp_path / "lamp.md").write_text(page)
    session = World.open(Where.of(str(tmp_path))).session
    state, told = session.referee.join(session.referee.new(), "p", "Ann"), list[str]()
    for _ in range(4):
        said = session.say(state, "p", "light lamp", Dialogue(), Inputs(session.rulebook.settings.begins))
        state = said.state
        told.append(said.text)
    assert told == ["It glows.", "It glows.", "It glows.", "It is empty."]
