"""What an NPC remembers: capped, overwritten by key, once for each exchange, and as it was where turns are undone."""

from dataclasses import replace

import pytest

from agents.npcs.facts import found
from agents.npcs.memory import (
    MAX_BEFORE,
    MAX_EPISODES,
    MAX_FACTS,
    MAX_LINES,
    MAX_PROMISES,
    RECENT,
    Line,
    Memory,
    Told,
    close,
    forget,
    remember,
)  # fmt: skip

pytestmark = pytest.mark.requirement("3.06")


def line(turn: int, said: str = "hello", **given: object) -> Line:
    return replace(Line(f"turn {turn}", turn, float(turn), "Ada", said, "Hm."), **given)


def talked(turns: int, said: str = "hello") -> Memory:
    memory = Memory()
    for turn in range(1, turns + 1):
        memory = remember(memory, line(turn, said), found(said))
    return memory


@pytest.mark.parametrize(("words", "told"), [
    ("my name is Ada", [("name", "Ada")]),
    ("Hello, my name is Ada Byron and I come from the old mill.", [("name", "Ada Byron"), ("home", "the old mill")]),
    ("I love honey. I don't like bees!", [("taste:honey", "likes honey"), ("taste:bees", "does not like bees")]),
    ("I work as a smith", [("work", "smith")]),
    ("I promise to bring you the lamp.", [("bring you the lamp", "bring you the lamp")]),
    ("I take back my promise to bring you the lamp", [("bring you the lamp", "")]),
    ("Is it true that my name is Bob?", []),
    ("call me later", []),
    ("He said: my name is Bob", []),
    ("what is my name", []),
])  # fmt: skip
def test_facts_are_what_stands_at_the_beginning_of_a_sentence(words: str, told: list[tuple[str, str]]) -> None:
    assert [(each.key, each.value) for each in found(words)] == told
    assert all(each.value.split(" ")[-1] in words for each in found(words))


def test_a_changed_fact_overwrites_the_old_one_and_keeps_a_small_history() -> None:
    memory = Memory()
    for turn, name in enumerate(("Ann", "Bea", "Cat", "Dot", "Eve"), 1):
        memory = remember(memory, line(turn), (Told("fact", "name", name),))
    assert (memory.fact("name"), memory.facts["name"].turn) == ("Eve", 5)
    assert memory.facts["name"].before == (("Dot", 4), ("Cat", 3), ("Bea", 2))
    assert len(memory.facts["name"].before) == MAX_BEFORE


def test_the_same_exchange_is_remembered_once() -> None:
    once = remember(Memory(), line(1, "my name is Ada"), found("my name is Ada"))
    assert remember(once, line(1, "my name is Bob"), found("my name is Bob")) == once
    assert once.talks == 1


def test_every_block_is_capped_and_the_important_old_lines_outlive_the_others() -> None:
    memory = talked(3, "I promise to bring the lamp")
    for turn in range(4, 1001):
        words = f"I like thing {turn}. I promise to bring thing {turn}" if turn % 2 else "hm"
        memory = remember(memory, line(turn, words), found(words))
    assert len(memory.lines) == MAX_LINES
    assert len(memory.facts) == MAX_FACTS
    assert len(memory.promises) == MAX_PROMISES
    assert [each.turn for each in memory.recent] == list(range(981, 1001))
    assert all(each.weight > 1 for each in memory.older)
    assert memory.talks == 1000


def test_a_name_outlives_many_likings() -> None:
    memory = remember(Memory(), line(1), (Told("fact", "name", "Ada"),))
    for turn in range(2, 100):
        memory = remember(memory, line(turn), found(f"I like thing {turn}"))
    assert memory.fact("name") == "Ada"


def test_closed_talks_become_episodes_of_which_the_least_important_go() -> None:
    memory = Memory()
    for turn in range(1, 40):
        memory = remember(memory, line(turn, weight=9 if turn == 1 else 1))
        memory = close(memory, f"talk {turn}", turn)
    assert len(memory.episodes) == MAX_EPISODES
    assert memory.episodes[0].text == "talk 1"
    assert memory.open == ()
    assert close(memory, "again", 100) == memory


@pytest.mark.parametrize("turns", [0, 5, 250])
def test_a_memory_is_read_as_it_was_written(turns: int) -> None:
    memory = close(talked(turns, "my name is Ada. I promise to come"), "They met.", turns // 2)
    assert Memory.load(memory.dump()) == memory


def test_what_was_undone_is_forgotten_and_an_earlier_fact_holds_again() -> None:
    memory = remember(talked(5), line(6, "my name is Ann"), found("my name is Ann"))
    before = memory
    memory = remember(memory, line(7, "my name is Bob. I promise to go"), found("my name is Bob. I promise to go"))
    assert forget(memory, 6) == before
    assert forget(memory, 0) == Memory()
    assert forget(talked(RECENT + 5), 3).talks == 3
