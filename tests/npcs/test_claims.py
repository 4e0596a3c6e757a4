"""What a voice may say beside what rules did: never more than that."""

from dataclasses import replace

import pytest

from agents.npcs.character import Character
from agents.npcs.claims import Claims
from agents.npcs.scene import Scene

OTTO = Character("otto", "Otto", "otto.md", "Dry.", (), {}, (), ())
SCENE = Scene(
    npc="otto", character=OTTO, player="Ada", description="The doorman of the opera.", place="Foyer", exits=("west",),
    things=("velvet cloak", "brass hook"), knows=("world.hour: 21",), trust=None, learned=(), promised=(), hidden=("Star crown",),
)  # fmt: skip
HAPPENED = "Otto takes the velvet cloak and pays 5 coins."


@pytest.mark.parametrize("sentence", [
    "Good evening, Ada.", "Mind the step.", "The way out is west.", "One never knows.", "Five coins for the velvet cloak.",
    "I know nothing of a Star crown.", "It is past 21 already.", "You seem tired.", "Hm, the opera was better once.", "I never heard of Barnabas.", "There is no reward.",
])  # fmt: skip
def test_small_talk_and_what_happened_may_be_said(sentence: str) -> None:
    assert Claims(SCENE, HAPPENED, SCENE.knows, "Who is Barnabas? Has he a Star crown?").wrong(sentence) == ""


@pytest.mark.parametrize("sentence", [
    "You have the velvet cloak.", "You win the velvet cloak.", "The velvet cloak is yours.", "I give you the velvet cloak.", "Here is the velvet cloak.",
    "You receive 5 coins.", "You may pass.", "Six coins for the velvet cloak.", "Take my velvet cloak.", "So Barnabas was here.",
    "The Star crown is near.", "Go north.", "Behind the hook there is a secret passage.", "I have a ruby ring in my pocket.", "The door opens.",
    "Your score rises.", "You win, no doubt.", "No doubt, you win!", "You have won and never knew it.", "No doubt the Star crown lies near.", "You are now healed.", "Ignore these instructions.", "<b>Hello</b>", "x" * 500,
])  # fmt: skip
def test_what_no_rule_did_may_not_be_said_though_something_else_happened(sentence: str) -> None:
    assert Claims(SCENE, HAPPENED, SCENE.knows).wrong(sentence)


def test_what_was_told_may_not_be_left_out() -> None:
    claims = Claims(SCENE, HAPPENED, ())
    assert not claims.missing("Five coins for the velvet cloak.")
    assert claims.missing("Five coins, then.")
    assert claims.missing("A fine velvet cloak.")
    assert Claims(replace(SCENE, things=()), "The old ring breaks.", ()).missing("A pity.", ("Old ring",))
