"""What NPCs do when nobody waits: talk with each other where players hear it, prepare answers, close talks, forget what was undone."""

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from agents.models.model import Model
from agents.npcs.idle import Idle
from agents.npcs.memory import Memory
from agents.npcs.overhearing import BETWEEN, Planned
from agents.players import PlayerService
from agents.replay import Archive, StoredGames, Wanted, replay
from evals.scripted import Answer, Conversation
from storage.fenced import FencedStore
from storage.memories import MemoryKey
from tests.npcs.conftest import BOTH, Inn, Said

pytestmark = pytest.mark.anyio
New = Callable[..., Awaitable[Inn]]
Pair = tuple[Model, Said]
CHAT = (
    "---\nrule: chat\non: cough\n---\n# Cough\nIt sets them off.\n## Then\n- say \"You cough.\"\n"
    '- emit conversation with `one` = `otto`, `other` = `marta`, `about` = "the flood"\n'
)  # fmt: skip


@pytest.fixture
def where(where: object, tmp_path: Path) -> object:
    (tmp_path / "inn" / "chat.md").write_text(CHAT, encoding="utf-8")
    return where


async def remembered(inn: Inn, npc: str, *, player: str = "", name: str = "Ada") -> Memory:
    game = await inn.game(name)
    return await inn.voices.minds.of(MemoryKey(game.record.id, player or game.record.id, npc))


def _timeless(memory: Memory) -> Memory:
    return replace(memory, lines=tuple(replace(each, at=0.0) for each in memory.lines))


@BOTH
@pytest.mark.requirement("4.22")
async def test_two_npcs_talk_and_those_who_are_there_hear_it_once(new_inn: New, model: Pair) -> None:
    client, said = model
    said.decide = lambda seen: Answer(
        "The mill, again." if "You begin" in seen.messages[-1].text else "Only the goat knows."
    )
    inn = await new_inn(client)
    idle = Idle(inn.app.games, inn.voices, now=inn.clock)
    await inn.player("Bob")
    await inn.turn("go north", name="Bob")
    before = await inn.game()
    async with await inn.app.games.listen(*await inn.player("Ada"), poll=0.2) as heard:
        await inn.turn("cough")
        assert await idle.run() == 1
        lines = [(await anext(heard)).text for _ in range(2)]
    assert lines == ["Otto to Marta: The mill, again.", "Marta: Only the goat knows."]
    assert said.calls == 2
    seen = await inn.app.games.observe(*await inn.player("Ada"), since=before.record.version)
    assert seen["since"][-1]["text"] == "\n".join(lines)
    missed = await inn.app.games.observe(*await inn.player("Bob"), since=before.record.version)
    assert all("mill" not in each["text"] for each in missed["since"])
    assert (await remembered(inn, "otto")).lines[-1].said == "Only the goat knows."
    assert (await remembered(inn, "marta")).lines[-1].answer == "Only the goat knows."
    after = await inn.game()
    assert after.record.hash == (await inn.app.games.game(*await inn.player("Bob"))).record.hash
    await inn.say("What is new?", npc="marta")
    assert "The mill, again." in said.prompt


@pytest.mark.parametrize("new_store", ["servers"], indirect=True)
async def test_a_replay_passes_over_what_npcs_said_and_asks_no_model(new_inn: New, model: Pair) -> None:
    client, said = model
    inn = await new_inn(client)
    idle = Idle(inn.app.games, inn.voices, now=inn.clock)
    await inn.turn("cough")
    await idle.run()
    await inn.turn("take coin")
    record, calls = (await inn.game()).record, said.calls

    @asynccontextmanager
    async def opened() -> AsyncGenerator[Archive]:
        yield StoredGames(inn.app.store)

    report = await replay(opened, Wanted(None, inn.where, None), jobs=1, cache=None)
    assert (report.replayed, len(report.unreproduced), report.skipped) == (record.version, 0, {})
    assert said.calls == calls


@pytest.mark.requirement("3.05", "4.22")
async def test_without_a_model_they_talk_of_what_they_know(inn: Inn) -> None:
    idle = Idle(inn.app.games, inn.voices, now=inn.clock)
    start = (await inn.game()).record.version
    await inn.turn("cough")
    await idle.overhearing.run()
    seen = await inn.app.games.observe(*await inn.player("Ada"), since=start)
    first, second = seen["since"][-1]["text"].splitlines()
    assert first.startswith("Otto to Marta: “The river rose over the mill")
    assert second.startswith("Marta: ")


async def test_talk_is_bounded_and_only_where_somebody_hears_it(inn: Inn) -> None:
    idle = Idle(inn.app.games, inn.voices, now=inn.clock)
    for _ in range(5):
        await inn.turn("cough")
    assert await idle.overhearing.run() == 1
    inn.clock.at += BETWEEN
    await inn.turn("cough")
    await inn.turn("go north")
    version = (await inn.game()).record.version
    assert await idle.overhearing.run() == 1
    assert (await inn.game()).record.version == version


@pytest.mark.requirement("3.11")
async def test_conversations_at_once_come_to_what_they_come_to_one_by_one(new_inn: New, model: Pair) -> None:
    client, said = model

    def decide(seen: Conversation) -> Answer:
        begun = re.search(r"short talk about (\w+)", seen.messages[-1].text)
        return Answer(f"Hm, the {begun[1]}." if begun else "Quite so.")

    said.decide = decide
    found: list[dict[str, Memory]] = []
    for at_once in (True, False):
        inn = await new_inn(client)
        idle = Idle(inn.app.games, inn.voices, now=inn.clock)
        ids = [(await inn.game()).record.id]
        wanted = [Planned(ids[0], n, f"c{n}", *pair, about) for n, (pair, about) in enumerate([
            (("otto", "marta"), "flood"), (("marta", "otto"), "mill"), (("otto", "marta"), "mill"),
        ])]  # fmt: skip
        if at_once:
            await asyncio.gather(*(idle.overhearing.hold(each) for each in wanted))
        else:
            for each in wanted:
                await idle.overhearing.hold(each)
        found.append({npc: _timeless(await remembered(inn, npc)) for npc in ("otto", "marta")})
        await inn.voices.forget(ids[0], ids[0], -1)
        await inn.voices.close()
    assert len(found[0]["otto"].lines) == 3
    assert found[0] == found[1]


@pytest.mark.requirement("3.04", "3.12")
async def test_an_answer_is_prepared_while_nobody_waits_and_used_only_where_all_that_it_read_is_the_same(
    new_inn: New, model: Pair
) -> None:
    client, said = model
    said.text = "Good evening to you."
    inn = await new_inn(client)
    idle = Idle(inn.app.games, inn.voices, now=inn.clock)
    await inn.turn("look")
    while await idle.run():
        pass
    prepared = said.calls
    assert prepared == 2
    spoken, _ = await inn.turn("talk to otto")
    assert spoken is not None
    assert (spoken.text, spoken.tier, spoken.model_calls) == ("Good evening to you.", "cache", 0)
    assert said.calls == prepared
    while await idle.run():
        pass
    prepared = said.calls
    await inn.say("My name is Ada Byron")
    said.text = "Ada Byron, good evening."
    spoken, _ = await inn.turn("talk to otto")
    assert spoken is not None
    assert (spoken.text, spoken.tier) == ("Ada Byron, good evening.", "call")


@pytest.mark.requirement("3.04")
async def test_preparing_stops_at_its_budget_and_while_players_wait(new_inn: New, model: Pair) -> None:
    client, said = model
    inn = await new_inn(client)
    idle = Idle(inn.app.games, inn.voices, now=inn.clock, most_calls=1)
    await inn.turn("look")
    inn.voices.speaking = 1
    assert await idle.preparing.run() == 0
    inn.voices.speaking = 0
    while await idle.preparing.run():
        pass
    assert said.calls == 1
    inn.clock.pass_(hours=1)
    await inn.turn("look")
    while await idle.preparing.run():
        pass
    assert said.calls == 2


@pytest.mark.requirement("3.06", "3.12")
async def test_a_talk_that_is_over_is_summed_up_and_only_what_the_player_said_becomes_a_fact(
    new_inn: New, model: Pair
) -> None:
    client, said = model
    facts = [
        {"line": 1, "key": "family", "value": "two Brothers"}, {"line": 0, "key": "family", "value": "two brothers"},
        {"line": 0, "key": "home", "value": "a castle full of gold"}, {"line": 9, "key": "wish", "value": "gold"},
    ]  # fmt: skip
    said.decide = lambda seen: (
        Answer.json({"summary": "Ada spoke of kin.", "facts": facts}) if seen.schema else Answer("Hm.")
    )
    inn = await new_inn(client)
    idle = Idle(inn.app.games, inn.voices, now=inn.clock)
    player = (await inn.game()).seat.player
    for words in ("Good day to you", "There are two brothers of mine in the north", "Well"):
        await inn.say(words)
    assert await idle.summaries.run() == 0
    inn.clock.pass_(minutes=11)
    while await idle.summaries.run():
        pass
    memory = await remembered(inn, "otto", player=player)
    assert [each.text for each in memory.episodes] == ["Ada spoke of kin."]
    assert {key: fact.value for key, fact in memory.facts.items()} == {"family": "two brothers"}
    await inn.say("So?")
    assert "Ada spoke of kin." in said.prompt


@pytest.mark.requirement("3.06")
async def test_without_a_model_the_most_important_lines_of_a_talk_stay_and_going_away_ends_it(inn: Inn) -> None:
    idle = Idle(inn.app.games, inn.voices, now=inn.clock)
    for words in ("hm", "My name is Ada Byron", "so", "I promise to come back", "well", "oh"):
        await inn.say(words)
    await inn.turn("go north")
    while await idle.summaries.run():
        pass
    memory = await remembered(inn, "otto", player=(await inn.game()).seat.player)
    assert memory.episodes[0].text == "Ada: My name is Ada Byron / Ada: I promise to come back / Ada: oh"
    assert memory.open == ()


@BOTH
async def test_what_was_said_in_a_turn_that_is_undone_was_not_said(new_inn: New, tmp_path: Path) -> None:
    page = tmp_path / "inn" / "world.md"
    page.write_text(page.read_text().replace("world: shared", "world: isolated"), encoding="utf-8")
    inn = await new_inn()
    Idle(inn.app.games, inn.voices, now=inn.clock)
    player = (await inn.game()).seat.player
    await inn.turn("say my name is Ada Byron to otto")
    await inn.turn("say my name is Bob to otto")
    await inn.app.games.undo(*await inn.player("Ada"))
    await inn.voices.close()
    assert (await remembered(inn, "otto", player=player)).fact("name") == "Ada Byron"
    await inn.app.games.reset(*await inn.player("Ada"))
    await inn.voices.close()
    assert (await remembered(inn, "otto", player=player)).facts == {}


@pytest.mark.parametrize("new_store", ["servers"], indirect=True)
@pytest.mark.requirement("1.21")
async def test_an_export_has_what_npcs_remember_and_an_erasure_takes_it_and_the_name_with_it(new_inn: New) -> None:
    inn = await new_inn()
    store = inn.app.store
    assert isinstance(store, FencedStore)
    await inn.player("Bob")
    await inn.turn("say I come from Norwich to otto", name="Ada")
    await inn.turn("say I met Ada yesterday to otto", name="Bob")
    await inn.voices.close()
    game = await inn.game("Ada")
    found = await store.export(game.seat.player)
    assert "Norwich" in str(found["memories"])
    assert "Norwich" in str(found["overheard"])
    assert "Norwich" not in str(await store.export((await inn.game("Bob")).seat.player))

    async def erased(gone: object) -> None:
        inn.voices.minds.drop({game.record.id}, game.seat.player)

    await PlayerService(store, inn.app.games, now=inn.clock, erased=erased).erase(game.seat.player, actor="operator")
    left = str(await store.connections.fetch("SELECT data::text FROM memories WHERE game_id = $1", game.record.id))
    assert "Norwich" not in left
    assert "Ada" not in left
    assert "I met someone yesterday" in left
