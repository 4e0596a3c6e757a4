"""What counts as a difference of two outcomes, and which rule and line it is put down to."""

from __future__ import annotations

from typing import Any

import pytest

from agents.replay.compare import Side, difference

Json = dict[str, Any]


def action(**parts: Any) -> Json:
    """An action that took the lamp, with what is given instead."""
    taken = {
        "action": "take <item>",
        "status": "done",
        "rule": "take",
        "messages": [{"to": "ann", "text": "Taken.", "at": "take.md:9@c1"}],
        "events": [],
        "effects": [{"id": "lamp", "field": "location", "before": "hall", "after": "ann"}],
        "lines": [
            {"kind": "condition", "at": "take.md:5@c1", "text": "lamp.light < 9", "value": True},
            {"kind": "rule", "at": "take.md:2@c1", "text": "take", "value": True},
            {"kind": "effect", "at": "take.md:8@c1", "text": "move [[lamp]] to player", "value": None},
        ],
    }
    return {**taken, **parts}


def outcome(*actions: Json, text: str = "Taken.", status: str = "done") -> Json:
    return {"status": status, "text": text, "actions": list(actions)}


def lines(*changed: tuple[int, str, Any]) -> list[Json]:
    found: list[Json] = [dict(line) for line in action()["lines"]]
    for number, key, value in changed:
        found[number][key] = value
    return found


SAME = outcome(action())


@pytest.mark.parametrize(
    "other",
    [
        SAME,
        outcome(action(lines=lines((0, "text", "lamp.light < 8"), (1, "at", "take.md:7@c2")))),
        outcome(action(messages=[{"to": "ann", "text": "Taken.", "at": "elsewhere.md:1@c2"}])),
    ],
)
def test_how_rules_are_written_and_where_they_stand_does_not_count(other: Json) -> None:
    assert difference(SAME, other, "ann") is None


def test_effects_in_another_order_are_the_same() -> None:
    effects = [*action()["effects"], {"id": "ann", "field": "score", "before": 0, "after": 1}]
    assert difference(outcome(action(effects=effects)), outcome(action(effects=effects[::-1])), "ann") is None


@pytest.mark.parametrize(
    ("other", "gone", "new"),
    [
        (outcome(action(), text="Got it."), ("Taken.",), ("Got it.",)),
        (outcome(action(), status="refused"), (), ("(refused)",)),
        (outcome(action(effects=[])), ('lamp.location: "hall" → "ann"',), ()),
        (
            outcome(action(effects=[{"id": "rat", "field": "", "before": None, "after": "rat-page"}])),
            ('lamp.location: "hall" → "ann"',),
            ("rat: nothing → rat-page",),
        ),
        (outcome(action(events=[{"name": "took", "values": {"n": 1}}])), (), ('event took {"n": 1}',)),
        (
            outcome(action(messages=[*action()["messages"], {"to": "bob", "text": "Ann takes it.", "at": "t.md:1@c"}])),
            (),
            ("to bob: Ann takes it.",),
        ),
        (outcome(action(), text="Taken.\nTaken."), (), ("Taken.",)),
    ],
)
def test_what_is_read_changed_or_emitted_counts(other: Json, gone: tuple[str, ...], new: tuple[str, ...]) -> None:
    found = difference(SAME, other, "ann")
    assert found is not None
    assert (found.gone, found.new) == (gone, new)


def test_the_same_lines_in_another_order_are_told_whole() -> None:
    found = difference(outcome(text="one\ntwo"), outcome(text="two\none"))
    assert found is not None
    assert (found.gone, found.new) == (("one", "two"), ("two", "one"))


def test_a_condition_that_turns_out_otherwise_is_the_line() -> None:
    refused = action(status="refused", rule=None, lines=lines((0, "value", False), (0, "text", "lamp.light < 2"))[:1])
    found = difference(SAME, outcome(refused, text="Too bright.", status="refused"), "ann")
    assert found is not None
    assert found.before == Side("take", "take.md:5", "c1", "lamp.light < 9")
    assert found.after == Side("take <item>", "take.md:5", "c1", "lamp.light < 2")


def test_a_line_that_is_written_otherwise_without_effect_is_not_the_line() -> None:
    changed = lines((0, "text", "lamp.light < 7"), (2, "text", "move [[lamp]] to [[hall]]"), (2, "at", "take.md:9@c2"))
    found = difference(SAME, outcome(action(lines=changed, effects=[])), "ann")
    assert found is not None
    assert (found.before.at, found.after.at) == ("take.md:8@c1", "take.md:9@c2")


def test_a_line_more_stands_against_the_last_one() -> None:
    more = [*lines(), {"kind": "effect", "at": "take.md:9@c2", "text": "award 1", "value": None}]
    found = difference(SAME, outcome(action(lines=more, events=[{"name": "x", "values": {}}])), "ann")
    assert found is not None
    assert (found.before.place, found.after.place) == ("take.md:8", "take.md:9")


def test_words_alone_are_put_down_to_the_line_that_spoke_them() -> None:
    told = [{"to": "ann", "text": "Got.", "at": "hall.md:3@c2"}]
    found = difference(SAME, outcome(action(messages=told), text="Got."), "ann")
    assert found is not None
    assert (found.before.at, found.after.at) == ("take.md:9@c1", "hall.md:3@c2")


def test_the_first_action_that_differs_decides() -> None:
    other = action(
        rule="drop", lines=[{"kind": "rule", "at": "drop.md:2@c2", "text": "drop", "value": True}], effects=[]
    )
    found = difference(outcome(action(), action()), outcome(action(), other), "ann")
    assert found is not None
    assert (found.before.rule, found.after.rule, found.after.place) == ("take", "drop", "drop.md:2")


def test_what_is_not_done_at_all_says_so() -> None:
    found = difference(SAME, outcome(text="I know no zorkmid.", status="not-understood"), "ann")
    assert found is not None
    assert (found.before.rule, found.after) == ("take", Side("(not-understood)", "", "", ""))
    words = difference(outcome(text="a?", status="question"), outcome(text="b", status="not-understood"))
    assert words is not None
    assert (words.before.rule, words.after.rule) == ("(question)", "(not-understood)")
    less = difference(outcome(action(), action()), outcome(action()), "ann")
    assert less is not None
    assert (less.before.rule, less.after.rule) == ("take", "(nothing)")
