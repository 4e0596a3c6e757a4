"""`rulebound mcp install`: each client's own file gets our entry, and nothing else of it changes."""

import json
import os
import stat
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from mcp_server.edits import EditError, Form, parse, put, take
from mcp_server.install import CLIENTS, InstallError, Machine, install, lines, uninstall

COMMAND = ("/opt/rule bound/bin/rulebound", "mcp")
STANDARD = {"command": COMMAND[0], "args": ["mcp"]}
TYPED = {"type": "stdio", **STANDARD}

FILES = {
    "claude-code": (".claude.json", "mcpServers", TYPED),
    "claude-desktop": (".config/Claude/claude_desktop_config.json", "mcpServers", STANDARD),
    "codex": (".codex/config.toml", "mcp_servers", STANDARD),
    "opencode": (".config/opencode/opencode.json", "mcp", {"type": "local", "command": [*COMMAND], "enabled": True}),
    "gemini": (".gemini/settings.json", "mcpServers", STANDARD),
    "qwen": (".qwen/settings.json", "mcpServers", STANDARD),
    "vscode": (".config/Code/User/mcp.json", "servers", TYPED),
    "cursor": (".cursor/mcp.json", "mcpServers", TYPED),
}

COMMENTED = """\
// Mine.
{
    "theme": "dark", /* not light */
    "SECTION": {
        // A server of mine: "rulebound" is not it.
        "other": {"command": "other", "args": ["{", "}"]}, // and a comma at the end
    },
    "last": [1, 2.5, null, "a \\"word\\" // no comment"],
}
"""

TOML = """\
# Mine.
model = "o"

[SECTION.other]   # a server of mine
command = "other"
args = ["[SECTION.rulebound]"]

# About the last.
[last]
numbers = [
  1,
]
"""


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path, "linux")


def content(client: str, file: Path) -> dict[str, Any]:
    return tomllib.loads(file.read_text()) if client == "codex" else json.loads(file.read_text())


def test_every_client_has_its_file_here() -> None:
    assert set(FILES) == set(CLIENTS)


@pytest.mark.parametrize("client", FILES)
def test_a_client_without_a_file_gets_one_that_only_its_user_can_read(client: str, machine: Machine) -> None:
    name, section, entry = FILES[client]
    done = install(client, machine, COMMAND)
    assert (done.file, done.changed, done.backup) == (machine.home / name, True, None)
    assert content(client, done.file) == {section: {"rulebound": entry}}
    assert stat.S_IMODE(done.file.stat().st_mode) == 0o600
    assert done.file.read_text() == lines(client, COMMAND)


@pytest.mark.parametrize("client", FILES)
def test_what_else_a_file_holds_keeps_every_byte_and_uninstalling_gives_the_file_back(
    client: str, machine: Machine
) -> None:
    name, section, entry = FILES[client]
    before = (TOML if client == "codex" else COMMENTED).replace("SECTION", section)
    file = machine.home / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(before)
    file.chmod(0o640)
    done = install(client, machine, COMMAND)
    after = file.read_text()
    assert parse(CLIENTS[client].form, after)[section] == {
        "other": parse(CLIENTS[client].form, before)[section]["other"],
        "rulebound": entry,
    }
    kept = iter(after.splitlines())
    assert all(line in kept for line in before.splitlines()), "a line is lost, or their order"
    assert done.backup is not None
    assert done.backup.read_text() == before
    assert stat.S_IMODE(file.stat().st_mode) == stat.S_IMODE(done.backup.stat().st_mode) == 0o640
    assert uninstall(client, machine).changed
    assert file.read_text() == before


@pytest.mark.parametrize("client", FILES)
def test_installing_twice_changes_nothing_and_a_new_command_takes_the_place_of_the_old(
    client: str, machine: Machine
) -> None:
    first = install(client, machine, ("/old/rulebound", "mcp", "--standalone"))
    again = install(client, machine, ("/old/rulebound", "mcp", "--standalone"))
    assert (again.changed, again.backup) == (False, None)
    install(client, machine, COMMAND)
    assert content(client, first.file) == {FILES[client][1]: {"rulebound": FILES[client][2]}}
    assert uninstall(client, machine).changed
    assert not uninstall(client, machine).changed
    assert "rulebound" not in str(content(client, first.file))


@pytest.mark.parametrize("client", ["claude-code", "codex"])
def test_what_the_user_added_to_our_entry_stays(client: str, machine: Machine) -> None:
    done = install(client, machine, ("/old/rulebound", "mcp"))
    text = done.file.read_text()
    if client == "codex":
        text += 'startup_timeout_sec = 30\n\n[mcp_servers.rulebound.env]\nRULEBOUND_HOME = "/data"\n'
    else:
        text = text.replace('"args"', '"env": {"RULEBOUND_HOME": "/data"}, "args"')
    done.file.write_text(text)
    install(client, machine, COMMAND)
    [servers] = content(client, done.file).values()
    assert servers["rulebound"]["env"] == {"RULEBOUND_HOME": "/data"}
    assert servers["rulebound"]["command"] == COMMAND[0]
    uninstall(client, machine)
    assert "rulebound" not in str(content(client, done.file))


@pytest.mark.parametrize(
    ("client", "text"),
    [
        ("claude-code", '{"mcpServers": {'),
        ("claude-code", '{"mcpServers": []}'),
        ("claude-code", '{"mcpServers": {"rulebound": 3}}'),
        ("claude-code", "[]"),
        ("claude-code", '{"a": 1 "b": 2}'),
        ("claude-code", '{"a": tru}'),
        ("claude-code", "\xff"),
        ("codex", "model = "),
        ("codex", 'mcp_servers = {other = {command = "other"}}'),
        ("codex", 'mcp_servers = "none"'),
        ("codex", '[mcp_servers.rulebound]\nargs = [\n  "mcp",\n]\n'),
    ],
)
def test_a_file_that_cannot_be_edited_is_left_alone(client: str, text: str, machine: Machine) -> None:
    file = machine.home / FILES[client][0]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(InstallError, match="cannot be edited") as error:
        install(client, machine, COMMAND)
    assert str(file) in str(error.value)
    assert "--print" in error.value.hint
    assert [each.name for each in file.parent.iterdir()] == [file.name]
    assert file.read_bytes() == text.encode("latin-1")


def test_a_mistake_in_a_file_is_named_with_its_line() -> None:
    with pytest.raises(EditError, match="line 3: a colon is expected"):
        parse("json", '{\n  "a": 1,\n  "b" 2\n}')


def test_an_unknown_client_is_answered_with_a_name_that_is_near(machine: Machine) -> None:
    with pytest.raises(InstallError) as error:
        install("claud-code", machine, COMMAND)
    assert "`claude-code`" in error.value.hint


def test_opencodes_file_with_comments_is_the_one_where_it_is_there(machine: Machine) -> None:
    commented = machine.home / ".config/opencode/opencode.jsonc"
    commented.parent.mkdir(parents=True)
    commented.write_text("{}")
    assert install("opencode", machine, COMMAND).file == commented


def test_a_file_that_is_a_link_stays_one(machine: Machine) -> None:
    dotfiles = machine.home / "dotfiles.json"
    dotfiles.write_text("{}\n")
    link = machine.home / ".claude.json"
    link.symlink_to(dotfiles)
    install("claude-code", machine, COMMAND)
    assert os.readlink(link) == str(dotfiles)
    assert "rulebound" in dotfiles.read_text()


@pytest.mark.parametrize(
    ("platform", "client", "file"),
    [
        ("darwin", "claude-desktop", "Library/Application Support/Claude/claude_desktop_config.json"),
        ("win32", "claude-desktop", "AppData/Roaming/Claude/claude_desktop_config.json"),
        ("darwin", "vscode", "Library/Application Support/Code/User/mcp.json"),
        ("win32", "vscode", "AppData/Roaming/Code/User/mcp.json"),
        ("darwin", "cursor", ".cursor/mcp.json"),
    ],
)
def test_desktop_applications_have_their_files_where_the_platform_keeps_them(
    platform: str, client: str, file: str, tmp_path: Path
) -> None:
    assert install(client, Machine(tmp_path, platform), COMMAND).file == tmp_path / file


VALUES = some.recursive(
    some.none() | some.booleans() | some.integers() | some.text(),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(), inner, max_size=3),
    max_leaves=8,
)
SERVERS = some.dictionaries(some.text(), some.dictionaries(some.text(), VALUES, max_size=2), max_size=3)
WHOLE = some.dictionaries(some.text(), VALUES, max_size=3)


@given(WHOLE, SERVERS, some.sampled_from([None, 0, 1, 4, "\t"]))
def test_any_json_keeps_what_it_said(whole: dict[str, Any], servers: dict[str, Any], indent: int | str | None) -> None:
    servers.pop("rulebound", None)
    said = {**whole, "mcpServers": servers}
    text = json.dumps(said, indent=indent, ensure_ascii=False)
    edited = put("json", text, "mcpServers", "rulebound", STANDARD)
    assert json.loads(edited) == {**said, "mcpServers": {"rulebound": STANDARD, **servers}}
    assert put("json", edited, "mcpServers", "rulebound", STANDARD) == edited
    assert json.loads(take("json", edited, "mcpServers", "rulebound")) == said


@pytest.mark.parametrize(
    "text", ["{}", " { } ", "{\n}\n", '{"a": 1}', '{"mcpServers": {}}', '{\n  "mcpServers": {\n  }\n}']
)
def test_small_files_are_edited_like_large_ones(text: str) -> None:
    edited = put("json", text, "mcpServers", "rulebound", STANDARD)
    assert json.loads(edited) == {**json.loads(text), "mcpServers": {"rulebound": STANDARD}}
    assert json.loads(take("json", edited, "mcpServers", "rulebound")) == {**json.loads(text), "mcpServers": {}}


@pytest.mark.parametrize(("form", "text"), [("json", '{"mcpServers": {"a": {}, "rulebound": {}}}'), ("toml", "[a]\n")])
def test_the_last_of_several_goes_with_the_comma_before_it(form: Form, text: str) -> None:
    assert "rulebound" not in parse(form, take(form, text, "mcpServers", "rulebound")).get("mcpServers", {})
