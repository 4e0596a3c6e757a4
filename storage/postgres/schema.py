"""Owns the tables: SQLAlchemy metadata, which the migrations lead to (a test compares the two).

Keys begin with a player's or a game's id, so that the tables can be distributed by it; ids are made by the application.
What is queried has a column of its own; designers' fields are JSON. It must not know rules.
"""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData()
_NOW = text("now()")
_EMPTY = text("'{}'")
_TIME = DateTime(timezone=True)

players = Table(
    "players",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("principal", Text, nullable=False, comment="who may use it: an opaque subject, never an e-mail address"),
    Column("name", Text, nullable=False),
    Column("level", Integer, nullable=False, server_default="1"),
    Column(
        "stats", JSONB, nullable=False, server_default=_EMPTY, comment="achievements, preferences, global inventory"
    ),
    Column("created", _TIME, nullable=False, server_default=_NOW),
    Index("players_principal", "principal", "name", unique=True),
    Index("players_level", "level"),
    comment="One profile a player; totals are summed from progress",
)

games = Table(
    "games",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("scope", Text, comment="of a shared world: which; one game each"),
    Column("world", Text, nullable=False),
    Column("revision", Text),
    Column("experience", Text),
    Column("seed", BigInteger, nullable=False),
    Column("commit", Text, nullable=False),
    Column("version", BigInteger, nullable=False, comment="counts everything that changed it"),
    Column("hash", Text, nullable=False),
    Column("head", JSON, nullable=False),
    Column("last", BigInteger, nullable=False, server_default="0", comment="the turn that undo takes back"),
    Column("created", _TIME, nullable=False, server_default=_NOW),
    Column("updated", _TIME, nullable=False),
    Index("games_scope", "scope", unique=True, postgresql_where=text("scope IS NOT NULL")),
    comment="One world that is played, by one player or by many",
    postgresql_with={"fillfactor": "70"},
)

seats = Table(
    "seats",
    metadata,
    Column("handle", Uuid, primary_key=True, comment="128 random bits, given to the client"),
    Column("game_id", Uuid, ForeignKey("games.id", ondelete="CASCADE"), nullable=False),
    Column("player_id", Uuid, ForeignKey("players.id", ondelete="CASCADE"), nullable=False),
    Column("instance", Text, nullable=False, comment="the instance of the player in the world"),
    Column("role", Text, nullable=False, server_default="player"),
    Column("created", _TIME, nullable=False, server_default=_NOW),
    Index("seats_game", "game_id", "instance", unique=True),
    Index("seats_player", "player_id", "created"),
    comment="A player in a game",
)

instances = Table(
    "instances",
    metadata,
    Column("game_id", Uuid, ForeignKey("games.id", ondelete="CASCADE"), primary_key=True),
    Column("id", Text, primary_key=True),
    Column("template", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("location", Text),
    Column("lat", Double),
    Column("lng", Double),
    Column("cell", BigInteger, comment="where it is on Earth, see storage.cells"),
    Column(
        "tags", ARRAY(Text), nullable=False, server_default=_EMPTY, comment="field=value of fields that rules search by"
    ),
    Column(
        "data",
        JSONB(none_as_null=True),
        nullable=False,
        comment="the fields that differ from the template, and its order",
    ),
    Index("instances_template", "template", "game_id"),
    Index("instances_tags", "tags", postgresql_using="gin"),
    Index("instances_cell", "game_id", "cell", postgresql_where=text("cell IS NOT NULL")),
    comment="What differs from the start of the world, a row an instance",
    postgresql_with={"fillfactor": "70", "toast_tuple_target": "8160"},
)

turns = Table(
    "turns",
    metadata,
    Column("game_id", Uuid, primary_key=True),
    Column("number", BigInteger, primary_key=True, comment="the version of the game after it"),
    Column("player_id", Uuid, comment="who acted; nobody: the clock, or a player who was erased"),
    Column("instance", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("said", Text, nullable=False),
    Column("key", Text, nullable=False, server_default="", comment="the idempotency key of the request"),
    Column("commit", Text, nullable=False),
    Column("inputs", JSON, nullable=False),
    Column("outcome", JSON, nullable=False, comment="messages, changes, trace"),
    Column("undo", JSON, nullable=False),
    Column("hash_before", Text, nullable=False),
    Column("hash_after", Text, nullable=False),
    Column("at", _TIME, nullable=False),
    Index("turns_key", "game_id", "key", unique=True, postgresql_where=text("key <> ''")),
    Index("turns_player", "player_id", "at"),
    comment="Append-only: every change of a game with all that a replay needs (no foreign key: erasing deletes)",
    postgresql_with={"toast_tuple_target": "8160"},
)

saves = Table(
    "saves",
    metadata,
    Column("game_id", Uuid, ForeignKey("games.id", ondelete="CASCADE"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("backup", Boolean, nullable=False, server_default="false", comment="made by a reset"),
    Column("commit", Text, nullable=False),
    Column("data", JSON, nullable=False),
    Column("at", _TIME, nullable=False, server_default=_NOW),
    comment="Whole games under a name",
)

progress = Table(
    "progress",
    metadata,
    Column("player_id", Uuid, ForeignKey("players.id", ondelete="CASCADE"), primary_key=True),
    Column("experience", Text, primary_key=True),
    Column("handle", Uuid, nullable=False, comment="the seat that was played last"),
    Column("started", _TIME, nullable=False),
    Column("played", _TIME, nullable=False, comment="when last, to the minute, so that most updates change no index"),
    Column("last_turn", _TIME, nullable=False),
    Column("completed", _TIME),
    Column(
        "playtime", Double, nullable=False, server_default="0", comment="seconds, pauses over five minutes left out"
    ),
    Column("turns", BigInteger, nullable=False, server_default="0"),
    Column("completion", Double, nullable=False, server_default="0", comment="0 to 1"),
    Column("score", BigInteger, nullable=False, server_default="0"),
    Column("location", Text, nullable=False, server_default=""),
    Column("lat", Double),
    Column("lng", Double),
    Column("distance", Double, nullable=False, server_default="0", comment="metres walked"),
    Column("inventory", ARRAY(Text), nullable=False, server_default=_EMPTY, comment="templates of what is carried"),
    Column("visited", ARRAY(Text), nullable=False, server_default=_EMPTY),
    Column("state", JSONB, nullable=False, server_default=_EMPTY, comment="quests, flags, collectibles"),
    Index("progress_experience", "experience", "played"),
    Index("progress_inventory", "inventory", postgresql_using="gin"),
    Index("progress_visited", "visited", postgresql_using="gin"),
    comment="How far a player is, one row a player and experience",
    postgresql_with={"fillfactor": "60"},
)

progress_events = Table(
    "progress_events",
    metadata,
    Column("player_id", Uuid, primary_key=True),
    Column("id", Uuid, primary_key=True, comment="UUIDv7: in order of time"),
    Column("experience", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("content", Text, nullable=False, server_default="", comment="what it is about: a place, an item, a quest"),
    Column("data", JSONB),
    Column("lat", Double),
    Column("lng", Double),
    Column("at", _TIME, nullable=False),
    Index("events_progress", "player_id", "experience", "type", "at"),
    Index("events_content", "experience", "type", "content", "at", postgresql_include=["player_id"]),
    comment="Append-only: what happened to a player (no foreign key: erasing deletes)",
)

waypoints = Table(
    "waypoints",
    metadata,
    Column("experience", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("lat", Double, nullable=False),
    Column("lng", Double, nullable=False),
    Column("cell", BigInteger, nullable=False),
    Index("waypoints_cell", "experience", "cell", postgresql_include=["id", "name", "lat", "lng"]),
    comment="What has a point on Earth from the start, as the live rules say; a copy",
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("game_id", Uuid, nullable=False),
    Column("number", BigInteger, nullable=False, comment="of the turn that led to it"),
    Column("channel", Text, nullable=False),
    Column("payload", JSON, nullable=False),
    Column("attempts", SmallInteger, nullable=False, server_default="0"),
    Column("error", Text),
    Column("due", _TIME, nullable=False, server_default=text("'-infinity'"), comment="not before; a lease"),
    Column("dead", Boolean, nullable=False, server_default="false", comment="given up; `retry` revives it"),
    Index("outbox_game", "game_id", "number", "id", postgresql_where=text("NOT dead")),
    comment="What is to be told to others, until it was",
)

jobs = Table(
    "jobs",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("due", _TIME, nullable=False),
    Column("payload", JSON, nullable=False, server_default=_EMPTY),
    Column("attempts", SmallInteger, nullable=False, server_default="0"),
    Column("error", Text, comment="why the last attempt failed"),
    Column("dead", Boolean, nullable=False, server_default="false", comment="given up; `retry` revives it"),
    Index("jobs_due", "due", postgresql_where=text("NOT dead")),
    comment="What is to be done at a time",
)

audit = Table(
    "audit",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("at", _TIME, nullable=False, server_default=_NOW),
    Column("actor", Text, nullable=False, comment="the id of a player or a service, never a name"),
    Column("action", Text, nullable=False),
    Column("target", Text, nullable=False, server_default=""),
    Column("data", JSON, nullable=False, server_default=_EMPTY),
    Column("address", Text, nullable=False, server_default="", comment="from where; of acts over the network alone"),
    Index("audit_actor", "actor", "at"),
    Index("audit_target", "target", "at"),
    Index("audit_at", "at"),
    comment="Append-only, without personal data",
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("prefix", Text, nullable=False, comment="the part of a key that may be shown, by which it is found"),
    Column("hash", LargeBinary, nullable=False, comment="SHA-256 of its secret, which is 256 random bits"),
    Column("principal", Text, nullable=False),
    Column("name", Text, nullable=False, server_default="", comment="what whoever made it calls it"),
    Column("scopes", ARRAY(Text), nullable=False, comment="the most that it may do; roles may give less"),
    Column("expires", _TIME),
    Column("revoked", _TIME),
    Column("created", _TIME, nullable=False, server_default=_NOW),
    Column("created_by", Text, nullable=False),
    Column("used", _TIME, comment="when last, to the hour"),
    Index("api_keys_prefix", "prefix", unique=True),
    Index("api_keys_principal", "principal"),
    comment="Keys with which programs say who they are; none can be read here",
)

roles = Table(
    "roles",
    metadata,
    Column("principal", Text, primary_key=True),
    Column("role", Text, primary_key=True),
    Column("granted_by", Text, nullable=False),
    Column("at", _TIME, nullable=False, server_default=_NOW),
    comment="Roles beside those that a token tells",
)

teams = Table(
    "teams",
    metadata,
    Column("principal", Text, primary_key=True),
    Column("team", Text, primary_key=True),
    Column("added_by", Text, nullable=False),
    Column("at", _TIME, nullable=False, server_default=_NOW),
    comment="Members of teams beside those that a token tells",
)

namespaces = Table(
    "namespaces",
    metadata,
    Column("name", Text, primary_key=True),
    Column("location", Text, nullable=False, comment="a folder, a URL or a bundled world"),
    Column("visibility", Text, nullable=False, comment="shared, team or private"),
    Column("owner", Text, nullable=False, comment="a principal"),
    Column("team", Text, nullable=False, server_default=""),
    Column("created", _TIME, nullable=False, server_default=_NOW),
    comment="Knowledge bases that clients may name",
)

shares = Table(
    "shares",
    metadata,
    Column("namespace", Text, ForeignKey("namespaces.name", ondelete="CASCADE"), primary_key=True),
    Column("kind", Text, primary_key=True, comment="whether `holder` is a principal or a team"),
    Column("holder", Text, primary_key=True),
    Column("may", Text, nullable=False, comment="read, write or publish"),
    Column("until", _TIME, comment="when it ends; nothing: when it is taken back"),
    Column("granted_by", Text, nullable=False),
    Column("at", _TIME, nullable=False, server_default=_NOW),
    Index("shares_holder", "kind", "holder"),
    comment="Rights in a namespace beside those of its owner and its team",
)

model_spending = Table(
    "model_spending",
    metadata,
    Column("day", Date, primary_key=True, comment="of UTC"),
    Column("principal", Text, primary_key=True, comment="whose budget paid; empty: everybody's sum"),
    Column("calls", BigInteger, nullable=False, server_default="0"),
    Column("cost", Double, nullable=False, server_default="0", comment="US dollars"),
    comment="What models' calls took, with what is reserved for those under way",
)

model_calls = Table(
    "model_calls",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("at", _TIME, nullable=False),
    Column("principal", Text, nullable=False, comment="empty: erased"),
    Column("purpose", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("outcome", Text, nullable=False, comment="ok, or the kind of its error"),
    Column("input_tokens", Integer, nullable=False),
    Column("output_tokens", Integer, nullable=False),
    Column("cached_tokens", Integer, nullable=False),
    Column("cost", Double, nullable=False),
    Column("seconds", Double, nullable=False),
    Index("model_calls_at", "at"),
    Index("model_calls_principal", "principal", "at"),
    comment="Every request to a model, without its texts",
)

decisions = Table(
    "decisions",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("at", _TIME, nullable=False),
    Column("route", Text, nullable=False),
    Column("tier", Text, nullable=False),
    Column("stage", Text, nullable=False, comment="what settled it"),
    Column("reason", Text, nullable=False),
    Column("world", Text, nullable=False),
    Column("persona", Text, nullable=False, server_default=""),
    Column("seconds", Double, nullable=False),
    Column("routing", Double, nullable=False, comment="seconds until the route was known"),
    Column("calls", Integer, nullable=False),
    Column("cost", Double, nullable=False),
    Column("full", Double, nullable=False, comment="what it would have cost as a full call, by estimate, US dollars"),
    Index("decisions_at", "at"),
    comment="How messages were answered; no player is named; kept for 30 days",
)

memories = Table(
    "memories",
    metadata,
    Column("game_id", Uuid, primary_key=True),
    Column(
        "player_id",
        Uuid,
        primary_key=True,
        comment="with whom; the game's own id: apart from any player's talk with it",
    ),
    Column("npc", Text, primary_key=True),
    Column("version", BigInteger, nullable=False, comment="counts how often it was written"),
    Column("data", JSON, nullable=False, comment="lines, facts, promises, summaries; all capped"),
    Index("memories_player", "player_id"),
    comment="What an NPC remembers of talk with a player (no foreign key: erasing deletes)",
    postgresql_with={"fillfactor": "70"},
)

fence = Table(
    "fence",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("epoch", BigInteger, nullable=False),
    Column("run", Text, nullable=False, server_default="", comment="the server that holds the hot copies"),
    Column(
        "until", _TIME, nullable=False, server_default=text("to_timestamp(0)"), comment="until when nobody reads them"
    ),
    comment="One row: when hot copies may be read",
)
