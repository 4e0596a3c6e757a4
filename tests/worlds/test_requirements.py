"""Rows of the requirements that a world shows best: ids, the computed view, refusals by role, relations, GPS."""

from __future__ import annotations

from functools import cache

import pytest

from kb import library
from kb.check import check
from kb.pages.source import open_source
from kb.referee import Action, Inputs, Outcome, State
from kb.session import Said, Session
from kb.understand import Dialogue
from kb.view import legal, view


@cache
def world(name: str) -> tuple[Session, State]:
    (rulebook,) = check(open_source(library.worlds()[name]), run=False).rulebooks.values()
    session = Session(rulebook)
    return session, session.referee.join(session.referee.new(), "player")


def play(name: str, *lines: str) -> Said:
    session, state = world(name)
    said = session.say(state, "player", lines[0], Dialogue(), Inputs(session.rulebook.settings.begins))
    for number, line in enumerate(lines[1:], 1):
        said = session.say(said.state, "player", line, said.dialogue, Inputs(session.rulebook.settings.begins, number))
    return said


def act(name: str, type: str, **roles: object) -> Outcome:
    session, state = world(name)
    return session.referee.resolve(state, "player", Action(type, roles), Inputs(session.rulebook.settings.begins))


@pytest.mark.requirement("0.08")
def test_ids_of_made_instances_come_from_the_server_and_are_the_same_for_the_same_seed() -> None:
    made = [act("lending-desk", "lend <copy> to <member>", copy="c-20", member="ida") for _ in range(2)]
    new = [set(outcome.state.rows) - set(world("lending-desk")[1].rows) for outcome in made]
    assert new[0] == new[1]
    (id,) = new[0]
    assert id.startswith("loan-")
    assert made[0].state.rows[id]["member"] == "ida"


@pytest.mark.requirement("0.09")
def test_the_view_hides_what_the_player_cannot_perceive_and_every_id() -> None:
    session, state = world("west-of-house")
    seen = view(session, state, "player")
    assert seen["things"] == ["small mailbox"]
    assert "leaflet" not in str(seen)
    opened = play("west-of-house", "open mailbox").state
    assert "leaflet" in view(session, opened, "player")["things"]
    assert "north-side" not in str(seen)


@pytest.mark.requirement("0.32")
def test_an_action_that_breaks_a_type_changes_nothing_and_says_why() -> None:
    for roles in (
        {"loan": "l-1", "condition": "eaten"},
        {"loan": "nobody"},
        {"loan": 5},
        {"loan": "l-1", "extra": 1},
        {},
    ):
        outcome = act("lending-desk", "return <loan>", **roles)
        assert outcome.status == "refused"
        assert outcome.text
        assert outcome.state.hash == world("lending-desk")[1].hash


@pytest.mark.requirement("0.37")
def test_what_needs_a_role_is_refused_without_it_and_done_with_it() -> None:
    session, state = world("lending-desk")
    action = Action("suspend <member>", {"member": "ada"})
    inputs = Inputs(session.rulebook.settings.begins)
    assert session.referee.resolve(state, "player", action, inputs).status == "refused"
    for role in ("gm", "admin"):
        staffed = session.referee.join(session.referee.new(), "clerk", role=role)
        outcome = session.referee.resolve(staffed, "clerk", action, inputs)
        assert outcome.status == "done"
        assert outcome.state.rows["ada"]["suspended"] is True


@pytest.mark.requirement("0.38")
def test_trust_facts_and_promises_are_kept_for_each_person_and_gate_a_quest() -> None:
    session, _ = world("wylding-woods")
    walked = play("wylding-woods", "walk to 51.2, -1.0", "greet maeve", "insult maeve")
    assert walked.state.rows["player"]["trust"] == {"maeve": 18}
    assert play("wylding-woods", "walk to 51.2, -1.0", "ask maeve for help").outcomes[-1].status == "refused"
    lines = ["walk to 51.2, -1.0", "greet maeve"]
    lines += [f"ask maeve about {topic}" for topic in ("bottles", "signs", "town", "herself")]
    lines += ["offer help to maeve", "promise", "walk to 51.2100, -1.0030", "take flask", "walk to 51.2060, -1.0000"]
    lines += ["take thyme", "walk to 51.2, -1.0", "give flask to maeve"]
    row = (kept := play("wylding-woods", *lines)).state.rows["player"]
    assert row["trust"] == {"maeve": 55}
    assert row["promises"] == {"spring-water": "kept"}
    assert set(row["facts"]) == {f"maeve on {topic}" for topic in ("bottles", "signs", "town", "herself")}
    for line, status in (("ask maeve for help", "refused"), ("give thyme to maeve", "done"), ("promise", "refused")):
        kept = session.say(kept.state, "player", line, kept.dialogue, Inputs(session.rulebook.settings.begins))
        assert kept.outcomes[-1].status == status, line
    for line in ("ask maeve for help", "promise"):
        kept = session.say(kept.state, "player", line, kept.dialogue, Inputs(session.rulebook.settings.begins))
    row = kept.state.rows["player"]
    assert row["quests"]["four-bottles"] == "active"
    assert row["promises"] == {"spring-water": "kept", "four-bottles": "given"}


@pytest.mark.requirement("0.38")
def test_the_last_twenty_things_that_were_talked_about_are_kept() -> None:
    lines = ["walk to 51.2, -1.0", *(f"ask maeve about subject {number}" for number in range(23))]
    talk = play("wylding-woods", *lines).state.rows["player"]["talk"]
    assert [*talk] == [f"maeve: subject {number}" for number in range(3, 23)]


@pytest.mark.requirement("0.40")
@pytest.mark.parametrize(("metres", "reached"), [(0, True), (49, True), (51, False)])
def test_a_waypoint_is_reached_within_fifty_metres(metres: int, reached: bool) -> None:
    said = play("wylding-woods", f"walk to {51.2 + metres / 111_195:.6f}, -1.0")
    assert ("Maeve is here" in said.text) is reached


@pytest.mark.requirement("0.39")
def test_a_quest_reveals_its_things_and_hides_them_again_when_they_are_home() -> None:
    session, state = world("wylding-woods")
    assert not session.referee.frame(state, "player").derived("spiral-bottle", "perceivable")
    assert "spiral bottle" not in play("wylding-woods", "walk to 51.2020, -1.0030").text


@pytest.mark.requirement("0.33")
@pytest.mark.parametrize("name", sorted(library.worlds()))
def test_commands_that_are_listed_as_legal_are_understood_and_not_refused_by_their_conditions(name: str) -> None:
    session, state = world(name)
    for command in legal(session, state, "player", 40):
        said = session.say(state, "player", command, Dialogue(), Inputs(session.rulebook.settings.begins))
        assert said.understood or said.question, command
