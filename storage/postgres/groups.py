"""Owns the statements that keep many games' commits in one round trip.

`query, parameters = statement(commits)`. It must not know connections.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import inf
from operator import itemgetter
from typing import Any

import orjson

from storage.cells import cell
from storage.records import NEW, Commit, Part, Progress, ProgressEvent, Seat, Told, TurnRecord

_TYPES = {
    "g": "new_game",
    "p": "new_instance",
    "x": "old_instance",
    "t": "new_turn",
    "s": "new_seat",
    "l": "old_seat",
    "r": "new_progress",
    "e": "new_event",
    "o": "new_told",
    "j": "new_job",
}
"""The rows of a commit by groups, each with its type, which a migration makes. A worker knows the columns of a type, so
that none is ever altered: a newer one takes its place."""


FENCE = """epoch, run, greatest(0, extract(epoch FROM until - clock_timestamp()))::float8 AS quiet,
    extract(epoch FROM clock_timestamp())::float8 AS clock"""
"""How the fence stands, of the table `fence`."""

_UPDATED = """
    -- Compare-and-set: a game is kept only where nobody changed it meanwhile and no turn of these is known already.
    UPDATE games SET version = g.version, hash = g.hash, commit = g.commit, head = g.head, last = g.last,
        updated = g.updated
    FROM {g}
    WHERE games.id = g.id AND games.version = g.base AND {in_time}
        AND NOT EXISTS (SELECT FROM turns WHERE game_id = g.id AND key = ANY(g.keys) AND key <> '')
    RETURNING games.id"""

_CREATED = """
    INSERT INTO games (id, version, hash, commit, head, last, updated, world, revision, experience, scope, seed)
    SELECT id, version, hash, commit, head, last, updated, world, revision, experience, scope, seed FROM {g}
    ON CONFLICT DO NOTHING RETURNING id"""

_KEPT = {
    "t": """
    INSERT INTO turns (game_id, number, player_id, instance, kind, said, key, commit, inputs, outcome, undo,
        hash_before, hash_after, at)
    SELECT t.* FROM {t} JOIN won ON won.id = t.game_id""",
    "p": """
    INSERT INTO instances (game_id, id, template, kind, location, lat, lng, cell, tags, data)
    SELECT p.game_id, p.id, p.template, p.kind, p.location, p.lat, p.lng, p.cell, p.tags, p.data
    FROM {p} JOIN won ON won.id = p.game_id
    ON CONFLICT (game_id, id) DO UPDATE SET template = excluded.template, kind = excluded.kind,
        location = excluded.location, lat = excluded.lat, lng = excluded.lng, cell = excluded.cell, tags = excluded.tags,
        data = excluded.data""",
    "x": """
    DELETE FROM instances WHERE (game_id, id) IN (SELECT x.game_id, x.id FROM {x} JOIN won ON won.id = x.game_id)""",
    "s": """
    INSERT INTO seats (game_id, handle, player_id, instance, role) SELECT s.* FROM {s} JOIN won ON won.id = s.game_id""",
    "l": """
    DELETE FROM seats WHERE handle IN (SELECT l.handle FROM {l} JOIN won ON won.id = l.game_id)""",
    "r": """
    INSERT INTO progress AS old (player_id, experience, handle, started, played, last_turn, completed, playtime, turns,
        completion, score, location, lat, lng, distance, inventory, visited, state)
    SELECT r.player_id, r.experience, r.handle, r.at, date_trunc('minute', r.at), r.at,
        CASE WHEN r.completed THEN r.at END, r.playtime, r.turns, r.completion, r.score, r.location, r.lat, r.lng,
        r.distance, r.inventory, r.visited, r.state
    FROM {r} JOIN won ON won.id = r.game_id
    ON CONFLICT (player_id, experience) DO UPDATE SET handle = excluded.handle, played = excluded.played,
        last_turn = excluded.last_turn, completed = coalesce(old.completed, excluded.completed),
        playtime = old.playtime + excluded.playtime, turns = old.turns + excluded.turns,
        completion = excluded.completion, score = excluded.score, location = excluded.location,
        lat = coalesce(excluded.lat, old.lat), lng = coalesce(excluded.lng, old.lng),
        distance = old.distance + excluded.distance, inventory = excluded.inventory, visited = excluded.visited,
        state = excluded.state""",
    "e": """
    INSERT INTO progress_events (player_id, id, experience, type, content, data, lat, lng, at)
    SELECT e.player_id, e.id, e.experience, e.type, e.content, e.data, e.lat, e.lng, e.at
    FROM {e} JOIN won ON won.id = e.game_id""",
    "o": """
    INSERT INTO outbox (game_id, number, id, channel, payload) SELECT o.* FROM {o} JOIN won ON won.id = o.game_id""",
    "j": """
    INSERT INTO jobs (kind, key, due) SELECT 'tick', j.game_id::text, j.due FROM {j} JOIN won ON won.id = j.game_id
    ON CONFLICT (kind, key) DO UPDATE SET due = excluded.due, attempts = 0, error = NULL, dead = false""",
}
"""What is kept of each group, for the games that were won."""


@lru_cache(maxsize=256)
def _statement(groups: tuple[tuple[str, bool], ...], new: bool) -> str:
    """The statement for the groups that have rows; what is not there costs nothing. A group is one row, or (True) many."""
    tables: dict[str, str] = {}
    for at, (name, many) in enumerate(groups, 1):
        table = f"unnest(${at}::{_TYPES[name]}[])" if many else f"(SELECT (${at}::{_TYPES[name]}).*)"
        tables[name] = f"{table} AS {name}"
    tables["in_time"] = f"extract(epoch FROM clock_timestamp()) < ${len(groups) + 1}::float8"
    won = (_CREATED if new else _UPDATED).format_map(tables)
    kept = "".join(f", kept_{name} AS ({_KEPT[name].format_map(tables)}\n)" for name in tables if name in _KEPT)
    return f"""
WITH won AS MATERIALIZED ({won}
){kept}
SELECT won.id, {FENCE} FROM fence LEFT JOIN won ON true"""


def statement(commits: Sequence[Commit], deadline: float = inf) -> tuple[str, list[Any]]:
    """The statement that keeps these commits, all new games or none, and its parameters: the rows of each group, as tuples.

    It gives the ids of the games that were kept, and how the fence stands. After the deadline, by the database's clock in
    seconds, games are not changed.
    """
    rows: dict[str, list[tuple[Any, ...]]] = {name: [] for name in _TYPES}
    for each in commits:
        game = each.game
        id = game.id
        rows["g"].append((
            id, each.base, game.version, game.hash, game.commit, json(game.head), game.last, game.updated, game.world,
            game.revision, game.experience, game.scope, game.seed, [turn.key for turn in each.turns if turn.key],
        ))  # fmt: skip
        for key, part in each.parts.items():
            if part is None:
                rows["x"].append((id, key))
            else:
                rows["p"].append((id, key, *_part_row(part)))
        rows["t"] += [(id, *_turn_row(turn)) for turn in each.turns]
        rows["s"] += [(id, *_seat_row(seat)) for seat in each.seats]
        rows["l"] += [(id, handle) for handle in each.left]
        rows["r"] += [(id, *_progress_row(progress)) for progress in each.progress]
        rows["e"] += [(id, *_event_row(event)) for event in each.events]
        rows["o"] += [(id, *_told_row(told)) for told in each.told]
        if each.due is not None:
            rows["j"].append((id, each.due))
    # Two workers take the locks of players' rows in the same order, as those of games.
    rows["r"].sort(key=itemgetter(1, 2))
    # One commit alone is frequent, and PostgreSQL begins a statement without functions sooner.
    alone = len(commits) == 1
    groups = tuple((name, not alone or len(found) > 1) for name, found in rows.items() if found)
    parameters: list[Any] = [rows[name] if many else rows[name][0] for name, many in groups]
    new = commits[0].base == NEW
    return _statement(groups, new), parameters if new else [*parameters, deadline]


def json(value: Any) -> str:
    """Compact JSON."""
    return orjson.dumps(value).decode()


def _part_row(part: Part) -> tuple[Any, ...]:
    """An instance as columns."""
    lat, lng = part.point or (None, None)
    place = None if part.point is None else cell(*part.point)
    return (part.template, part.kind, part.location, lat, lng, place, part.tags, json(part.data))


def _turn_row(turn: TurnRecord) -> tuple[Any, ...]:
    """A turn as columns."""
    return (
        turn.number, turn.player, turn.instance, turn.kind, turn.text, turn.key, turn.commit, json(turn.inputs),
        json(turn.outcome), json(turn.undo), turn.hash_before, turn.hash_after, turn.at,
    )  # fmt: skip


def _seat_row(seat: Seat) -> tuple[Any, ...]:
    """A seat as columns."""
    return (seat.handle, seat.player, seat.instance, seat.role)


def _progress_row(each: Progress) -> tuple[Any, ...]:
    lat, lng = each.point or (None, None)
    return (
        each.player, each.experience, each.handle, each.at, each.location, each.score, each.completion, each.completed,
        each.playtime, each.turns, each.distance, lat, lng, each.inventory, each.visited, json(each.state),
    )  # fmt: skip


def _event_row(each: ProgressEvent) -> tuple[Any, ...]:
    lat, lng = each.point or (None, None)
    data = None if each.data is None else json(each.data)
    return (each.player, each.id, each.experience, each.type, each.content, data, lat, lng, each.at)


def _told_row(each: Told) -> tuple[Any, ...]:
    return (each.turn, each.id, each.channel, json(each.payload))
