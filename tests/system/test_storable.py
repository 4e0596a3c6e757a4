"""No text that a database cannot hold gets into a state or an outcome, whichever way it comes in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kb.check import check
from kb.pages.source import open_source
from kb.referee import Action, Inputs, State
from kb.session import Said, Session
from kb.types import TEXT, MapOf, TypeMismatch, storable, storable_data
from kb.understand import Dialogue

WORLD = {
    "desk.md": "---\nexperience: desk\nstart: desk\n---\n# Desk\n",
    "room.md": "---\nplace: desk\n---\n# Desk\n",
    "player.md": (
        "---\nkind: player\n---\n# Player\n## State\n| Field | Type |\n|---|---|\n| note | text |\n| notes | text per text |\n"
        "| asked | text |\n| scraps | list of text |\n"
    ),
    "write.md": (
        "---\nrule: write\non: write <text>\n---\n# Write\n## Then\n- set `player.note` to `text`\n"
        '- put `action.text` in `player.scraps`\n- say "Written: {text}"\n'
    ),
    "file.md": (
        "---\nrule: file\non: file\n---\n# File\n## Takes\n| Argument | Type |\n|---|---|\n| notes | text per text |\n"
        "## Then\n- set `player.notes` to `notes`\n"
    ),
    "begin.md": "---\nrule: begin\non: begin\n---\n# Begin\n## Then\n- start [[form]]\n",
    "form.md": '---\nworkflow: form\n---\n# Form\n## 1. Ask\n- Ask the player "What?" → `player.asked`\n- End: "So be it."\n',
}
BAD = ["\0", "\ud800", "\udfff", "a\0b", "\ude00\ud83d", "x" * 50 + "\udc80"]


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    folder = tmp_path_factory.mktemp("desk")
    for name, text in WORLD.items():
        (folder / name).write_text(text, encoding="utf-8")
    checked = check(open_source(folder))
    assert checked.problems == ()
    return Session(checked.rulebooks["desk"])


def holds(state: State, said: Said | None = None) -> None:
    """Everything of the state, and of what was said, is text that a database holds."""
    actions = said.actions if said else ()
    whole: list[Any] = [state.dump(), [[a.type, dict(a.roles), a.text] for a in actions]]
    whole += [said.text, said.dialogue.dump()] if said else []
    for text in texts(whole):
        assert storable(text) == text


def texts(value: Any) -> Iterator[str]:
    """Every text in JSON data, keys among them."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | tuple):
        for each in value:
            yield from texts(each)
    elif isinstance(value, dict):
        for name, each in value.items():
            yield name
            yield from texts(each)


def said(session: Session, *lines: str) -> Said:
    state, dialogue, begins = session.referee.new(), Dialogue(), session.rulebook.settings.begins
    state = session.referee.join(state, "player")
    result = session.say(state, "player", lines[0], dialogue, Inputs(begins))
    for line in lines[1:]:
        result = session.say(result.state, "player", line, result.dialogue, Inputs(begins))
    return result


@pytest.mark.parametrize("bad", BAD)
def test_a_line_an_argument_and_an_answer_come_in_without_it(session: Session, bad: str) -> None:
    for lines in (
        (f"write it {bad} down",),
        (f'write "{bad}"',),
        (f"write {json.dumps({'text': bad})}",),
        (f"file {json.dumps({'notes': {bad: bad}})}",),
        ("begin", f"because {bad}"),
        ("begin", bad),
        (f"{bad}write note{bad}", "again"),
        (f"nothing {bad}; write x",),
    ):
        result = said(session, *lines)
        holds(result.state, result)
    filed = said(session, f"file {json.dumps({'notes': {bad: bad}})}").state.rows["player"]["notes"]
    assert filed == {storable(bad): storable(bad)}
    assert "\ufffd" in said(session, "begin", f"because {bad}").state.rows["player"]["asked"]


@pytest.mark.parametrize("bad", BAD)
def test_the_referee_refuses_it_as_a_value_and_replaces_it_in_what_is_said(session: Session, bad: str) -> None:
    referee, inputs = session.referee, Inputs(session.rulebook.settings.begins)
    state = referee.join(referee.new(), "player", f"Ada{bad}")
    holds(state)
    for action in (
        Action("write <text>", {"text": bad}),
        Action("file", {"notes": {"a": bad}}),
        Action(bad, {bad: bad}),
    ):
        outcome = referee.resolve(state, "player", action, inputs)
        assert outcome.status == "refused"
        f"{outcome.text}{outcome.reason}".encode()
    outcome = referee.resolve(state, "player", Action("write <text>", {"text": "a"}, f"write {bad}"), inputs)
    assert outcome.status == "done"
    holds(outcome.state)


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(codec=None), max_size=60))
def test_no_line_at_all_brings_it_in(session: Session, line: str) -> None:
    for lines in ((f"write {line}",), (line,), ("begin", line), (f'write {{"text": "{line}"}}',)):
        result = said(session, *lines)
        holds(result.state, result)


def test_pages_and_data_files_that_hold_it_are_told_with_their_line(tmp_path: Path) -> None:
    base = "---\nkind: note\nfrom: notes.json\n---\n# Note\n## State\n| Field | Type |\n|---|---|\n| text | text |\n"
    for escape in ("\\u0000", "\\ud800"):
        folder = tmp_path / escape[1:]
        folder.mkdir()
        for name, text in WORLD.items():
            (folder / name).write_text(text, encoding="utf-8")
        (folder / "note.md").write_text(base, encoding="utf-8")
        (folder / "notes.json").write_text(f'[{{"id": "a", "text": "x"}},\n {{"id": "b", "text": "x{escape}"}}]')
        (folder / "lamp.md").write_text(f'---\nitem: lamp\naliases: ["a{escape}b"]\n---\n# Lamp\n')
        found = {str(each.span).split(":")[0]: each for each in check(open_source(folder)).problems}
        assert found["lamp.md"].code == "RB104"
        assert found["notes.json"].code in {"RB801", "RB802"}


@pytest.mark.parametrize("bad", BAD)
def test_types_refuse_it_and_data_is_made_storable_or_refused(bad: str) -> None:
    for call in (lambda: TEXT.coerce(bad), lambda: MapOf(TEXT, TEXT).coerce({bad: "a"})):
        with pytest.raises(TypeMismatch, match="cannot be stored"):
            call()
    assert storable_data({"a": [bad, {"b": bad}]}) == {"a": [storable(bad), {"b": storable(bad)}]}
    for number in (2**63, -(2**63) - 1, float("inf"), float("nan")):
        with pytest.raises(TypeMismatch):
            storable_data([number])
