"""What a player can ask about themselves, over turns that were really played and stored in PostgreSQL."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agents.game import GameError
from agents.players import PlayerService
from agents.replay import Archive, StoredGames, Wanted, replay
from agents.worlds import Where
from rulebound.app import App, build
from rulebound.settings import Settings
from storage import NoSuchGame, new_id
from storage.embedded import Servers
from storage.fenced import FencedStore
from storage.postgres import audit
from storage.postgres.progress import BadStats, NoSuchPlayer

pytestmark = pytest.mark.anyio
SHARED = "---\nexperience: tiny\nuses: [adventure]\nstart: hall\nscore: 5\nworld: shared\n---\n# Tiny\nSmall.\n"
OAK = "---\nwaypoint: oak\npoint: 51.0, 0.0\n---\n# Old oak\nAn oak.\n"
WELL = "---\nwaypoint: well\npoint: 51.001, 0.0\nradius: 20\n---\n# Well\nA well.\n"
NEST = "---\nitem: nest\nin: oak\n---\n# Nest\nOf twigs.\n"
FELL = "---\nrule: fell\non: fell\n---\n# Fell\n## Then\n- remove [[oak]]\n"


class Clock:
    """A minute passes with every look; `skip` lets more pass."""

    def __init__(self) -> None:
        self.time = datetime(2026, 3, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.time += timedelta(seconds=1)
        return self.time

    def skip(self, **passed: float) -> None:
        self.time += timedelta(**passed)


class Table:
    """An app with its player service; `play` begins a game of somebody and says lines."""

    def __init__(self, app: App, store: FencedStore, clock: Clock, where: Where):
        self.app, self.store, self.clock, self.where = app, store, clock, where
        self.principal = new_id()
        self.service = PlayerService(store, app.games, now=clock)
        self.experience = where.location

    async def play(self, *lines: str, name: str = "Ada") -> tuple[str, str]:
        handle, _ = await self.app.games.start(self.where, self.principal, name=name)
        for line in lines:
            await self.app.games.act(handle, self.principal, line)
        return (await self.store.progress.player(self.principal, name)).id, handle

    async def say(self, handle: str, *lines: str) -> None:
        for line in lines:
            await self.app.games.act(handle, self.principal, line)


@pytest.fixture
async def table(tmp_path: Path, pages: Path, database: str, servers: Servers) -> AsyncIterator[Table]:
    for name, page in (("oak", OAK), ("well", WELL), ("nest", NEST)):
        (pages / f"{name}.md").write_text(page)
    clock = Clock()
    async with FencedStore.opened(database, servers.redis_url) as store:
        app = build(Settings(tmp_path / "home"), store=store, now=clock)
        yield Table(app, store, clock, Where.of(str(pages)))
        await app.games.close()


@pytest.mark.requirement("1.01")
async def test_a_profile_sums_up_all_that_somebody_played(table: Table) -> None:
    player, _ = await table.play("take coin", "north")
    (table_two := Path(table.where.location).parent / "two").mkdir()
    for page in Path(table.where.location).iterdir():
        (table_two / page.name).write_text(page.read_text())
    table.where = Where.of(str(table_two))
    await table.play("look")
    profile = await table.service.progress.profile(player)
    assert (profile.experiences, profile.turns, profile.score, profile.completed) == (2, 3, 2, 0)
    assert profile.playtime == sum(each.playtime for each in await table.service.resumable(player)) > 0
    assert (profile.player.name, profile.player.level, profile.player.stats) == ("Ada", 1, {})
    with pytest.raises(NoSuchPlayer):
        await table.service.progress.profile(new_id())


@pytest.mark.requirement("1.01")
async def test_a_profile_keeps_preferences_and_nothing_that_it_should_not(table: Table) -> None:
    player, _ = await table.play()
    progress = table.service.progress
    await progress.set_stats(player, "preferences", {"colour": "blue"})
    await progress.set_stats(player, "global_inventory", ["key"])
    await progress.set_level(player, 7)
    found = (await progress.profile(player)).player
    assert (found.level, found.stats) == (7, {"preferences": {"colour": "blue"}, "global_inventory": ["key"]})
    for name, value in (("admin", True), ("preferences", "x" * 9000), ("preferences", {1, 2})):
        with pytest.raises(BadStats):
            await progress.set_stats(player, name, value)
    with pytest.raises(NoSuchPlayer):
        await progress.set_level(new_id(), 1)
    assert (await progress.profile(player)).player == found


@pytest.mark.requirement("1.02", "1.09", "1.17")
async def test_a_session_tells_where_somebody_is_and_resuming_goes_on_there(table: Table) -> None:
    player, handle = await table.play("take coin", "north")
    whereabouts = await table.service.session(player)
    assert whereabouts is not None
    standing = whereabouts.standing
    assert (standing.experience, standing.handle, standing.location) == (table.experience, handle, "attic")
    assert (standing.inventory, standing.visited, standing.score) == (("coin",), ("hall", "attic"), 2)
    assert (standing.completion, standing.turns, whereabouts.active) == (0.4, 2, True)
    assert "An attic" in (await table.app.games.act(standing.handle, table.principal, "look")).text
    table.clock.skip(hours=1)
    later = await table.service.session(player)
    assert later is not None
    assert not later.active
    assert await table.service.session(new_id()) is None


@pytest.mark.requirement("1.11", "1.12")
async def test_inventory_and_visited_places_are_told_of_each_experience(table: Table) -> None:
    player, handle = await table.play("take coin")
    progress = table.service.progress
    assert await progress.inventory(player, table.experience) == ("coin",)
    assert await progress.has_visited(player, table.experience, "hall")
    assert not await progress.has_visited(player, table.experience, "attic")
    await table.say(handle, "drop coin", "north")
    assert await progress.inventory(player, table.experience) == ()
    assert await progress.has_visited(player, table.experience, "attic")
    assert await progress.visitors(table.experience, "attic") == [player]
    assert await progress.carriers(table.experience, "coin") == []
    assert await progress.inventory(player, "elsewhere") == ()
    assert not await progress.has_visited(player, "elsewhere", "hall")


@pytest.mark.requirement("1.01", "1.03")
async def test_achievements_are_what_was_awarded_and_not_undone(table: Table) -> None:
    player, handle = await table.play("take coin")
    (earned,) = await table.service.progress.achievements(player)
    assert (earned.experience, earned.reason) == (table.experience, "the coin")
    assert earned.at is not None
    await table.app.games.undo(handle, table.principal)
    assert await table.service.progress.achievements(player) == []


@pytest.mark.requirement("1.03", "1.10", "1.14")
async def test_history_is_read_page_by_page_the_newest_first(table: Table) -> None:
    player, _ = await table.play("take coin", "north", "drop coin")
    history = table.service.progress.history
    whole = await history(player)
    assert [(event.type, event.content) for event in whole.events] == [
        ("item_dropped", "coin"), ("location_visited", "attic"), ("location_entered", "attic"), ("score_changed", ""),
        ("achievement_earned", "the coin"), ("item_collected", "coin"), ("experience_started", "hall"),
    ]  # fmt: skip
    assert whole.after is None
    pages, after = [], None
    while True:
        page = await history(player, limit=3, after=after)
        pages += page.events
        after = page.after
        if after is None:
            break
    assert tuple(pages) == whole.events
    moved = await history(player, types=["location_entered", "location_visited"], experience=table.experience)
    assert [event.type for event in moved.events] == ["location_visited", "location_entered"]
    assert (await history(player, experience="elsewhere")).events == ()


@pytest.mark.requirement("1.18")
@pytest.mark.parametrize("line", [
    "look", "take coin", "take all", "inventory", "examine coin", "north", "fly", "", "take coin. north. drop coin",
    "go to the moon", "south", "wait", "x" * 500,
])  # fmt: skip
async def test_every_command_is_logged_and_brings_the_progress_up_to_date(table: Table, line: str) -> None:
    player, handle = await table.play()
    (before,) = await table.service.resumable(player)
    await table.say(handle, line)
    (after,) = await table.service.resumable(player)
    assert (after.turns, after.last_turn > before.last_turn) == (before.turns + 1, True)
    game = await table.app.games.game(handle, table.principal)
    (turn,) = await table.store.turns(game.record.id)
    assert (turn.text, turn.player, turn.at) == (line, player, after.last_turn)
    row = game.state.rows[game.player]
    assert (after.location, after.visited, after.score) == (row["location"], row["visited"], row["score"])


@pytest.mark.requirement("1.06")
async def test_the_best_players_of_an_experience_come_first(table: Table) -> None:
    best, _ = await table.play("take coin", name="Ada")
    last, _ = await table.play("look", name="Bob")
    for by in ("score", "completion"):
        board = await table.service.progress.leaderboard(table.experience, by)
        assert [(each.player, each.name) for each in board] == [(best, "Ada"), (last, "Bob")]
    assert len(await table.service.progress.leaderboard(table.experience, "distance", 1)) == 1
    assert await table.service.active(table.experience) == [last, best]
    table.clock.skip(hours=2)
    assert await table.service.active(table.experience) == []


@pytest.mark.requirement("1.13")
async def test_analytics_count_visits_players_and_the_time_of_a_visit(table: Table) -> None:
    _, ada = await table.play(name="Ada")
    await table.play("north", name="Bob")
    table.clock.skip(minutes=4)
    await table.say(ada, "north")
    table.clock.skip(hours=3)
    await table.say(ada, "look")
    table.clock.skip(minutes=2)
    await table.say(ada, "south")
    whole, places = await table.service.analytics(table.experience)
    # Ada came twice, for some four minutes and then for two; Bob once, for a moment.
    assert (whole.visits, whole.players) == (3, 2)
    assert 120 < whole.average < 130
    found = {each.content: (each.visits, each.players) for each in places}
    assert found == {"hall": (3, 2), "attic": (3, 2)}
    table.clock.skip(days=8)
    whole, places = await table.service.analytics(table.experience)
    assert (whole.visits, whole.players, whole.average, places) == (0, 0, 0.0, [])


@pytest.mark.requirement("0.04", "0.40")
async def test_what_is_near_on_earth_is_found_touched_or_not_and_not_once_it_is_gone(table: Table) -> None:
    Path(table.where.location, "fell.md").write_text(FELL)
    _, handle = await table.play()
    here = (51.0002, 0.0)
    near = await table.service.nearest(handle, table.principal, here, 5)
    assert [(each.id, each.name, round(each.metres)) for each in near] == [("oak", "Old oak", 22), ("well", "Well", 89)]
    within = await table.service.within(handle, table.principal, here, 50)
    assert [each.id for each in within] == ["oak"]
    assert [each.id for each in await table.service.nearest(handle, table.principal, here, 1)] == ["oak"]
    around = await table.service.around(handle, table.principal, here)
    assert around.waypoint is not None
    assert around.waypoint.id == "oak"
    # The well's radius does not reach here, and there is nothing at all on the other side of the world.
    assert (await table.service.around(handle, table.principal, (51.0013, 0.0))).waypoint is None
    assert await table.service.nearest(handle, table.principal, (-33.0, 151.0), 5) == []
    await table.say(handle, "fell")
    assert [each.id for each in await table.service.nearest(handle, table.principal, here, 1)] == ["well"]


@pytest.mark.requirement("1.21", "1.22")
async def test_somebody_erased_is_gone_and_begins_anew(table: Table) -> None:
    player, handle = await table.play("take coin")
    await table.app.games.save(handle, table.principal, "mine")
    exported = await table.service.export(player, actor=player)
    assert [turn["said"] for turn in exported["turns"]] == ["take coin"]
    told: list[str] = []

    async def heard(erased: object) -> None:
        told.append(erased.player)  # pyright: ignore[reportAttributeAccessIssue]

    service = PlayerService(table.store, table.app.games, now=table.clock, erased=heard)
    await service.erase(player, actor="operator")
    assert told == [player]
    with pytest.raises(NoSuchGame):
        await table.app.games.act(handle, table.principal, "look")
    with pytest.raises(NoSuchPlayer):
        await service.erase(player, actor="operator")
    assert [entry.action for entry in await audit.entries(table.store.connections, player)] == ["erase", "export"]
    again, _ = await table.play()
    assert again != player
    assert (await table.service.progress.profile(again)).turns == 0


@pytest.mark.requirement("1.21")
async def test_a_shared_world_goes_on_without_somebody_erased(table: Table) -> None:
    Path(table.where.location, "world.md").write_text(SHARED)
    bob, his = await table.play("take coin", "drop coin", name="Bob")
    ada, hers = await table.play("take coin", "north", name="Ada")
    await table.service.erase(ada, actor="operator")
    game = await table.app.games.game(his, table.principal)
    assert set(game.state.players) == {game.player}
    assert "coin" in game.state.rows
    turns = await table.store.turns(game.record.id)
    assert [turn.kind for turn in turns if turn.player is None] == ["erased"] * 4
    assert all(turn.player == bob for turn in turns if turn.kind != "erased")
    assert "Ada" not in repr(turns)
    (name,) = await table.store.saves(game.record.id)
    saved = await table.store.saved(game.record.id, name)
    assert saved is not None
    assert (saved.game.version, saved.game.hash) == (game.record.version, game.state.hash)
    await table.say(his, "take coin", "north")
    with pytest.raises((NoSuchGame, GameError)):
        await table.app.games.act(hers, table.principal, "look")


@pytest.mark.requirement("1.21")
async def test_a_shared_worlds_replay_goes_on_after_the_last_turn_of_somebody_erased(table: Table) -> None:
    Path(table.where.location, "world.md").write_text(SHARED)
    _, his = await table.play("take coin", "drop coin", name="Bob")
    ada, _ = await table.play("take coin", "north", name="Ada")
    await table.say(his, "look")
    await table.service.erase(ada, actor="operator")
    await table.say(his, "north", "take coin")

    @asynccontextmanager
    async def archive() -> AsyncGenerator[Archive]:
        yield StoredGames(table.store)

    report = await replay(archive, Wanted(None, table.where, None), jobs=1, cache=None)
    assert (report.unreproduced.count, report.replayed) == (0, 5)
    assert sum(report.skipped.values()) == 5


@pytest.mark.requirement("1.22")
async def test_beginning_anew_is_audited(table: Table) -> None:
    player, handle = await table.play("take coin")
    await table.app.games.reset(handle, table.principal)
    (entry,) = await audit.entries(table.store.connections, player)
    assert (entry.actor, entry.action, entry.data) == (player, "reset", {"turn": 2})
