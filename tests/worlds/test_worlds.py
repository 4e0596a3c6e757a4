"""The worlds that ship are clean, pass their own scenarios, and are what the issue asked for."""

from __future__ import annotations

from functools import cache

import pytest

from kb import library, report
from kb.check import Checked, check
from kb.pages.source import open_source
from kb.session import Session
from kb.testing import run_examples, run_scenarios

WORLDS = sorted(library.worlds())


@cache
def checked(name: str) -> Checked:
    return check(open_source(library.worlds()[name]), scenarios=True)


def test_ten_worlds_ship() -> None:
    wanted = {
        "cloak",
        "west-of-house",
        "wylding-woods",
        "rock-paper-scissors",
        "lending-desk",
        "refund-desk",
        "tournament",
        "tavern",
        "commons",
        "ferry",
    }
    assert set(WORLDS) == wanted


@pytest.mark.parametrize("name", WORLDS)
@pytest.mark.requirement("0.31", "0.39")
def test_a_world_that_ships_has_no_problem(name: str) -> None:
    assert report.text(checked(name).problems) == ""


@pytest.mark.parametrize("name", WORLDS)
@pytest.mark.requirement("0.31")
def test_a_world_that_ships_passes_its_examples_and_scenarios(name: str) -> None:
    for rulebook in checked(name).rulebooks.values():
        session = Session(rulebook)
        results = [*run_examples(rulebook, session), *run_scenarios(rulebook, session)]
        assert results
        assert [f"{each.name}: {each.failure}" for each in results if each.failure] == []
        assert rulebook.scenarios


def test_cloak_of_darkness_takes_at_most_sixty_lines_beyond_the_library() -> None:
    pages = [path for path in library.worlds()["cloak"].glob("*.md") if path.name != "README.md"]
    lines = [line for path in pages for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    assert len(lines) <= 60


def test_cloak_has_a_scenario_for_each_of_its_sixteen_steps() -> None:
    (rulebook,) = checked("cloak").rulebooks.values()
    assert sorted(each.id for each in rulebook.scenarios) == [f"step-{number:02}" for number in range(1, 17)]


def test_the_cave_adventure_has_twelve_places_or_more() -> None:
    (rulebook,) = checked("west-of-house").rulebooks.values()
    assert sum(template.kind == "place" for template in rulebook.templates.values()) >= 12


def test_the_lending_policy_has_twenty_five_rules_and_tables() -> None:
    (rulebook,) = checked("lending-desk").rulebooks.values()
    assert len([rule for rule in rulebook.rules.values() if not rule.own]) + len(rulebook.tables) >= 25


@pytest.mark.parametrize("name", ["refund-desk", "tournament"])
def test_a_policy_has_an_example_on_every_rule_and_table_and_a_dozen_scenarios_with_refusals(name: str) -> None:
    (rulebook,) = checked(name).rulebooks.values()
    assert [each.id for each in (*rulebook.rules.values(), *rulebook.tables.values()) if not each.examples] == []
    assert len(rulebook.rules) + len(rulebook.tables) >= 25
    assert len(rulebook.scenarios) >= 12
    assert sum(any(turn.refused for turn in each.turns) for each in rulebook.scenarios) >= 12


def test_the_tavern_has_six_people_and_eight_rooms() -> None:
    (rulebook,) = checked("tavern").rulebooks.values()
    assert len(rulebook.agents) >= 6
    assert sum(template.kind == "place" for template in rulebook.templates.values()) >= 8


@pytest.mark.requirement("0.40")
def test_the_woods_have_thirty_seven_waypoints() -> None:
    (rulebook,) = checked("wylding-woods").rulebooks.values()
    kinds = rulebook.kinds
    waypoints = [t for t in rulebook.templates.values() if t.kind == "waypoint" or kinds[t.kind].parent == "waypoint"]
    assert len(waypoints) == 37
