"""`rulebound play`, as a script and at the terminal, and `rulebound why`."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]
WIN = "west\nhang cloak on hook\neast\nsouth\nread message\n"


def test_a_script_prints_each_command_with_its_answer(rulebound: Run, tmp_path: Path) -> None:
    script = tmp_path / "win.txt"
    script.write_text(f"# a comment\n\n{WIN}")
    ran = rulebound("play", "cloak", "--script", str(script))
    assert ran.status == 0
    assert ran.out.startswith("Cloak of Darkness\n\nHurrying")
    assert "\n\n> read message\nThe message in the sawdust reads: You have won.\n" in ran.out
    assert [line[2:] for line in ran.out.splitlines() if line.startswith("> ")] == WIN.splitlines()


def test_what_is_piped_in_is_a_script(rulebound: Run) -> None:
    assert "You have won" in rulebound("play", stdin=WIN).out


def test_json_is_one_object_a_turn(rulebound: Run) -> None:
    turns = [json.loads(line) for line in rulebound("play", "--script", "-", "--json", stdin=WIN).out.splitlines()]
    assert [turn["input"] for turn in turns] == WIN.splitlines()
    assert [turn["turn"] for turn in turns] == [1, 2, 3, 4, 5]
    assert [turn["score"] for turn in turns] == [0, 1, 1, 1, 2]
    assert [bool(turn["ended"]) for turn in turns] == [False] * 4 + [True]
    assert {"turn", "input", "text", "changes", "score", "ended", "state_hash"} <= set(turns[0])
    assert "state" not in turns[0]
    assert {
        "what": "velvet cloak",
        "field": "location",
        "before": "you",
        "after": "small brass hook",
        "seen": True,
    } in (turns[1]["changes"])


@pytest.mark.requirement("0.09")
def test_state_adds_what_is_perceivable_and_what_is_true(rulebound: Run) -> None:
    dark, bright = [
        json.loads(line) for line in rulebound("play", "--json", "--state", stdin="s\nn\n").out.splitlines()
    ]
    assert dark["perceivable"]["room"] == "Darkness"
    assert dark["perceivable"]["things"] == []
    assert dark["state"]["instances"]["message"]["fields"]["location"] == "bar"
    assert bright["perceivable"]["room"] == "Foyer of the Opera House"


def test_the_same_script_and_seed_print_the_same_in_another_process_with_another_hash_seed(process: Run) -> None:
    lines = "look\ndance\nsouth\ndance\nfly\nx cloak\nnorth\n"
    one, two = (
        process("play", "--json", "--state", "--seed", "4", stdin=lines, PYTHONHASHSEED=seed) for seed in ("1", "2")
    )
    assert one.out == two.out
    assert len(one.out.splitlines()) == 7


def test_scripts_leave_nothing_behind(rulebound: Run, home: Path) -> None:
    rulebound("play", stdin="look")
    assert not (home / "games").exists()


def test_commands_about_the_game_work_in_scripts(rulebound: Run) -> None:
    lines = "s\ndance\nwhy\nundo\nsave x\nn\nmap\nrestore x\ntranscript\nundo 3\nrestart\n"
    turns = {turn["input"]: turn for turn in map(json.loads, rulebound("play", "--json", stdin=lines).out.splitlines())}
    assert "cloak.md:18@" in turns["why"]["text"]
    assert turns["undo"]["text"] == "Undone: dance."
    assert turns["undo"]["state_hash"] == turns["s"]["state_hash"] == turns["restore x"]["state_hash"]
    assert "[Foyer of the Opera …]" in turns["map"]["text"]
    assert "Foyer Bar" in turns["map"]["text"]
    assert "> dance" in turns["transcript"]["text"]
    assert turns["undo 3"]["status"] == "not-understood"
    assert turns["restart"]["text"].startswith("Begun anew. As it was before, it is kept as backup-")


def test_help_tells_the_commands_about_the_game(rulebound: Run) -> None:
    out = rulebound("play", stdin="help").out
    for word in ("why", "undo", "save", "restore", "map", "transcript", "restart", "quit"):
        assert f"\n  {word}" in out


def test_help_tells_the_actions_of_a_world_that_has_no_help_of_its_own(rulebound: Run, world: Path) -> None:
    (world / "world.md").write_text("---\nexperience: tiny\nstart: hall\n---\n# Tiny\nSmall.\n")
    (world / "s.md").unlink()
    (world / "pat.md").write_text('---\nrule: pat\non: pat <item>\n---\n# Patting\n## Then\n- say "Nice."\n')
    assert "You can say:\n  pat <item>\n" in rulebound("play", str(world), stdin="help").out


def test_quit_ends_a_script(rulebound: Run) -> None:
    assert "> look" not in rulebound("play", stdin="quit\nlook\n").out


def test_a_transcript_is_written_but_never_over_a_file(rulebound: Run, tmp_path: Path) -> None:
    there, new = tmp_path / "there.txt", tmp_path / "new.txt"
    there.write_text("mine")
    out = rulebound("play", stdin=f"look\ntranscript {there}\ntranscript {new}\n").out
    assert "there.txt is not written: File exists." in out
    assert there.read_text() == "mine"
    assert new.read_text().startswith("> look\nFoyer of the Opera House")


@pytest.mark.parametrize("line", [b"\xff\xfe\x00look", b"\x00", b"\xed\xa0\x80", "näh 🐉".encode(), b"a" * 100_000])
def test_no_line_breaks_a_script(rulebound: Run, line: bytes) -> None:
    ran = rulebound("play", stdin=line + b"\nlook\n")
    assert ran.status == 0
    assert "Foyer of the Opera House" in ran.out.rsplit("> look", 1)[1]


def test_a_question_that_pages_answer_names_them(rulebound: Run) -> None:
    assert "hook.md#" in rulebound("play", stdin="where is the brass hook?").out


def test_an_output_that_cannot_show_a_letter_shows_its_code(process: Run) -> None:
    ran = process("play", stdin="say é\n", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert ran.status == 0
    assert "Traceback" not in ran.err


def test_why_tells_of_the_last_game_of_the_terminal(rulebound: Run, home: Path) -> None:
    ran = rulebound("why")
    assert (ran.status, ran.out) == (1, "")
    assert "no game yet" in ran.err


def test_a_page_mended_while_a_script_runs_is_taken_up_between_two_turns(world: Path, process: Run) -> None:
    # A program that answers each turn writes the next line only when it has read the answer, as this does.
    import os
    import subprocess
    import sys

    child = subprocess.Popen(
        [sys.executable, "-m", "rulebound", "play", str(world), "--json"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=dict(os.environ),
    )
    assert child.stdin is not None
    assert child.stdout is not None
    with child, child.stdin, child.stdout:

        def say(line: str) -> dict[str, Any]:
            assert child.stdin is not None
            assert child.stdout is not None
            child.stdin.write(f"{line}\n".encode())
            child.stdin.flush()
            return json.loads(child.stdout.readline())

        assert "A hall." in say("look")["text"]
        page = (world / "hall.md").read_text()
        (world / "hall.md").write_text(page.replace("exits:", "exists:"))
        broken = say("look")
        assert "A hall." in broken["text"]
        assert broken["notes"][1].startswith("hall.md:3:1 RB203")
        (world / "hall.md").write_text(page.replace("A hall.", "A mended hall."))
        assert "A mended hall." in say("look")["text"]
