"""Understanding without a model: the golden phrases, several commands in a line, and lines meant to harm."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kb.check import check
from kb.pages.source import open_source
from kb.referee import Inputs, State
from kb.session import Session
from kb.understand import Command, Dialogue, Question, Understanding

HERE = Path(__file__).parent
PHRASES = [
    tuple(cell.strip() for cell in line.strip("| \n").split(" | "))
    for line in (HERE / "phrases.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and not line.startswith("| Said")
]


@cache
def shed() -> tuple[Session, State]:
    checked = check(open_source(HERE / "world"))
    assert checked.problems == ()
    session = Session(checked.rulebooks["shed"])
    return session, session.referee.join(session.referee.new(), "player")


def shown(understanding: Understanding) -> str:
    if isinstance(understanding, Command):
        actions = [
            " ".join(
                [
                    action.type.split()[0],
                    *(
                        v if re.fullmatch(r"[a-z0-9-]+", v) and k != "text" else '"' + v.replace('"', '\\"') + '"'
                        for k, v in action.roles.items()
                    ),
                ]
            )
            for action in understanding.actions
        ]
        return "; ".join(sorted(actions))
    return f"{'?' if isinstance(understanding, Question) else '!'} {understanding.text}"


@pytest.mark.requirement("0.07", "0.31", "3.19")
@pytest.mark.parametrize(("said", "meaning"), PHRASES, ids=[said for said, _ in PHRASES])
def test_a_phrase_means_what_the_golden_file_says(said: str, meaning: str) -> None:
    session, state = shed()
    dialogue = Dialogue()
    *before, last = said.split(" / ")
    for line in before:
        understanding = session.understander.understand(state, "player", line, dialogue)
        dialogue = Dialogue.load(understanding.dialogue.dump())
    understanding = session.understander.understand(state, "player", last, dialogue)
    found = shown(understanding)
    assert found.startswith("! ") if meaning == "!" else found == meaning


def say(line: str, state: State | None = None, dialogue: Dialogue | None = None):
    session, start = shed()
    return session.say(state or start, "player", line, dialogue or Dialogue(), Inputs(session.rulebook.settings.begins))


def test_several_commands_in_a_line_are_done_in_order_each_after_the_former() -> None:
    said = say("take rope and go north, then drop it. look")
    assert [outcome.rule for outcome in said.outcomes] == ["take", "go", "drop", "look"]
    assert said.state.rows["rope"]["location"] == "yard"


@pytest.mark.parametrize(
    ("line", "rules"),
    [
        ("go up and down", ["go", "go"]),
        ("take rope, north", ["take", "go"]),
        ("north, south, then up", ["go", "go", "go"]),
        ("please take rope and go north", ["take", "go"]),
        ("TAKE ROPE Then LOOK", ["take", "look"]),
        ("take rope\nlook", ["take", "look"]),
        ("say north, south and up", ["say"]),
    ],
)
def test_directions_verbs_and_line_ends_part_commands(line: str, rules: list[str]) -> None:
    assert [outcome.rule for outcome in say(line).outcomes] == rules


def test_an_argument_in_json_keeps_its_own_quotes_and_names_only_what_is_seen() -> None:
    assert "“hi” there" in say('say {"text": "“hi” there"}').text
    unseen = [say(f'take {{"item": "{name}"}}') for name in ("spoon", "unicorn", "silver spoon")]
    assert [each.outcomes for each in unseen] == [(), (), ()]
    assert "could be any of these" in say('take {"item": "lamp"}').text


def test_a_line_stops_at_the_first_refusal_and_says_what_was_left() -> None:
    said = say("take anvil. go north")
    assert said.state.rows["player"]["location"] == "shed"
    assert "(Not done: go north.)" in said.text


def test_a_correction_is_told() -> None:
    assert "(taking “tkae” as “take”)" in say("tkae rope").text


def test_a_question_is_answered_and_the_command_completed() -> None:
    asked = say("take lamp")
    assert asked.question
    answered = say("the old one", asked.state, asked.dialogue)
    assert answered.state.rows["old-lamp"]["location"] == "player"


@pytest.mark.requirement("0.07")
def test_what_is_elsewhere_and_what_does_not_exist_are_answered_alike() -> None:
    spoon, unicorn = say("take silver spoon").text, say("take silver unicorn").text
    assert spoon.replace("spoon", "unicorn") == unicorn


@settings(max_examples=400, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "take",
                "drop",
                "all",
                "but",
                "the",
                "lamp",
                "lamps",
                "rope",
                "and",
                ",",
                ".",
                ";",
                "then",
                "it",
                "them",
                "other",
                "one",
                "brass",
                "put",
                "in",
                "on",
                "box",
                "otto",
                "ask",
                "about",
                "go",
                "n",
                "again",
                '"',
                "{",
                "}",
                "<item>",
                "[[x]]",
                "nail-1",
                "\x00",
                "\u202e",
                "😀",
                "é",
                "everything",
                "except",
                "99999999999999999999",
                "-1",
            ]
        ),
        max_size=14,
    ).map(" ".join)
)
def test_no_line_of_words_in_any_order_breaks_anything(line: str) -> None:
    said = say(line)
    assert said.text


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=200))
def test_no_text_breaks_anything(line: str) -> None:
    assert say(line).text


@pytest.mark.parametrize(
    "line", ["take " * 5_000, "a" * 100_000, "take lamp and " * 400, "." * 10_000, "then " * 3_000, '"' * 5_000]
)
def test_a_line_without_end_is_answered(line: str) -> None:
    assert say(line).text
