"""Every command, setting and MCP tool is documented, and the generated pages are up to date."""

import dataclasses
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mcp_server.catalog import Catalog
from mcp_server.server import server
from rulebound.app import build
from rulebound.settings import Settings
from storage import MemoryStore

DOCS = Path(__file__).parents[2] / "docs"


def test_the_generated_pages_are_up_to_date() -> None:
    ran = subprocess.run([sys.executable, "docs/tools/reference.py", "--check"], cwd=DOCS.parent, check=False)
    assert ran.returncode == 0


@pytest.mark.parametrize(
    "command", ["play", "check", "test", "init", "why", "worlds", "doctor", "mcp", "kb", "kb read", "services start"]
)
def test_every_command_has_its_help_in_the_reference(command: str) -> None:
    assert f"\n## rulebound {command}\n" in (DOCS / "reference/commands.md").read_text(encoding="utf-8")


def test_every_setting_is_documented_and_no_other() -> None:
    page = (DOCS / "reference/settings.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^\| `RULEBOUND_(\w+)`", page, re.MULTILINE))
    ours = {field.name.upper() for field in dataclasses.fields(Settings)} - {"VARIABLES"}  # the environment itself
    assert named == ours


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_every_tool_and_argument_is_documented_and_the_snippets_are_json(
    tmp_path: Path, anyio_backend: str
) -> None:
    page = (DOCS / "clients/mcp.md").read_text(encoding="utf-8")
    listed = page[page.index("| Tool |") :].partition("\n\n")[0]
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", listed, re.MULTILINE))
    app = build(Settings(tmp_path), store=MemoryStore())
    tools = await server(app, Catalog(app)).list_tools()
    assert set(rows) == {tool.name for tool in tools}
    for tool in tools:
        assert set(re.findall(r"`(\w+)`", rows[tool.name])) == set(tool.input_schema["properties"])
    for snippet in re.findall(r"```json\n(.*?)```", page, re.DOTALL):
        assert json.loads(snippet)["mcpServers"]["rulebound"]["command"] == "rulebound"
