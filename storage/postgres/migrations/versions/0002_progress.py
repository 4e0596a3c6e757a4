"""Progress: how far players are, what is to be told and done, the fence of the hot copies."""

from storage.postgres.migrations.script import run

revision = "0002"
down_revision = "0001"

UP = """
CREATE TABLE progress (
    player_id UUID NOT NULL,
    experience TEXT NOT NULL,
    handle UUID NOT NULL,
    started TIMESTAMP WITH TIME ZONE NOT NULL,
    played TIMESTAMP WITH TIME ZONE NOT NULL,
    last_turn TIMESTAMP WITH TIME ZONE NOT NULL,
    completed TIMESTAMP WITH TIME ZONE,
    playtime DOUBLE PRECISION DEFAULT '0' NOT NULL,
    turns BIGINT DEFAULT '0' NOT NULL,
    completion DOUBLE PRECISION DEFAULT '0' NOT NULL,
    score BIGINT DEFAULT '0' NOT NULL,
    location TEXT DEFAULT '' NOT NULL,
    lat DOUBLE PRECISION,
    lng DOUBLE PRECISION,
    distance DOUBLE PRECISION DEFAULT '0' NOT NULL,
    inventory TEXT[] DEFAULT '{}' NOT NULL,
    visited TEXT[] DEFAULT '{}' NOT NULL,
    state JSONB DEFAULT '{}' NOT NULL,
    PRIMARY KEY (player_id, experience),
    FOREIGN KEY(player_id) REFERENCES players (id) ON DELETE CASCADE
)
 WITH (fillfactor = 60);

CREATE INDEX progress_experience ON progress (experience, played);

CREATE INDEX progress_inventory ON progress USING gin (inventory);

CREATE INDEX progress_visited ON progress USING gin (visited);

COMMENT ON TABLE progress IS 'How far a player is, one row a player and experience';

COMMENT ON COLUMN progress.handle IS 'the seat that was played last';

COMMENT ON COLUMN progress.played IS 'when last, to the minute, so that most updates change no index';

COMMENT ON COLUMN progress.playtime IS 'seconds, pauses over five minutes left out';

COMMENT ON COLUMN progress.completion IS '0 to 1';

COMMENT ON COLUMN progress.distance IS 'metres walked';

COMMENT ON COLUMN progress.inventory IS 'templates of what is carried';

COMMENT ON COLUMN progress.state IS 'quests, flags, collectibles';

CREATE TABLE progress_events (
    player_id UUID NOT NULL,
    id UUID NOT NULL,
    experience TEXT NOT NULL,
    type TEXT NOT NULL,
    content TEXT DEFAULT '' NOT NULL,
    data JSONB,
    lat DOUBLE PRECISION,
    lng DOUBLE PRECISION,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (player_id, id)
);

CREATE INDEX events_content ON progress_events (experience, type, content, at) INCLUDE (player_id);

CREATE INDEX events_progress ON progress_events (player_id, experience, type, at);

COMMENT ON TABLE progress_events IS 'Append-only: what happened to a player (no foreign key: erasing deletes)';

COMMENT ON COLUMN progress_events.id IS 'UUIDv7: in order of time';

COMMENT ON COLUMN progress_events.content IS 'what it is about: a place, an item, a quest';

CREATE TABLE waypoints (
    experience TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    lat DOUBLE PRECISION NOT NULL,
    lng DOUBLE PRECISION NOT NULL,
    cell BIGINT NOT NULL,
    PRIMARY KEY (experience, id)
);

CREATE INDEX waypoints_cell ON waypoints (experience, cell) INCLUDE (id, name, lat, lng);

COMMENT ON TABLE waypoints IS 'What has a point on Earth from the start, as the live rules say; a copy';

CREATE TABLE outbox (
    id UUID NOT NULL,
    game_id UUID NOT NULL,
    number BIGINT NOT NULL,
    channel TEXT NOT NULL,
    payload JSON NOT NULL,
    attempts SMALLINT DEFAULT '0' NOT NULL,
    error TEXT,
    due TIMESTAMP WITH TIME ZONE DEFAULT '-infinity' NOT NULL,
    dead BOOLEAN DEFAULT 'false' NOT NULL,
    PRIMARY KEY (id)
);

CREATE INDEX outbox_game ON outbox (game_id, number, id) WHERE NOT dead;

COMMENT ON TABLE outbox IS 'What is to be told to others, until it was';

COMMENT ON COLUMN outbox.number IS 'of the turn that led to it';

COMMENT ON COLUMN outbox.due IS 'not before; a lease';

COMMENT ON COLUMN outbox.dead IS 'given up; `retry` revives it';

CREATE TABLE jobs (
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    due TIMESTAMP WITH TIME ZONE NOT NULL,
    payload JSON DEFAULT '{}' NOT NULL,
    attempts SMALLINT DEFAULT '0' NOT NULL,
    error TEXT,
    dead BOOLEAN DEFAULT 'false' NOT NULL,
    PRIMARY KEY (kind, key)
);

CREATE INDEX jobs_due ON jobs (due) WHERE NOT dead;

COMMENT ON TABLE jobs IS 'What is to be done at a time';

COMMENT ON COLUMN jobs.error IS 'why the last attempt failed';

COMMENT ON COLUMN jobs.dead IS 'given up; `retry` revives it';

CREATE TABLE fence (
    id SMALLINT NOT NULL,
    epoch BIGINT NOT NULL,
    run TEXT DEFAULT '' NOT NULL,
    until TIMESTAMP WITH TIME ZONE DEFAULT to_timestamp(0) NOT NULL,
    PRIMARY KEY (id)
);

COMMENT ON TABLE fence IS 'One row: when hot copies may be read';

COMMENT ON COLUMN fence.run IS 'the server that holds the hot copies';

COMMENT ON COLUMN fence.until IS 'until when nobody reads them';

CREATE TYPE new_game AS (
    id UUID,
    base BIGINT,
    version BIGINT,
    hash TEXT,
    commit TEXT,
    head JSON,
    last BIGINT,
    updated TIMESTAMP WITH TIME ZONE,
    world TEXT,
    revision TEXT,
    experience TEXT,
    scope TEXT,
    seed BIGINT,
    keys TEXT[]
);

CREATE TYPE new_instance AS (
    game_id UUID,
    id TEXT,
    template TEXT,
    kind TEXT,
    location TEXT,
    lat DOUBLE PRECISION,
    lng DOUBLE PRECISION,
    cell BIGINT,
    tags TEXT[],
    data JSONB
);

CREATE TYPE old_instance AS (
    game_id UUID,
    id TEXT
);

CREATE TYPE new_turn AS (
    game_id UUID,
    number BIGINT,
    player_id UUID,
    instance TEXT,
    kind TEXT,
    said TEXT,
    key TEXT,
    commit TEXT,
    inputs JSON,
    outcome JSON,
    undo JSON,
    hash_before TEXT,
    hash_after TEXT,
    at TIMESTAMP WITH TIME ZONE
);

CREATE TYPE new_seat AS (
    game_id UUID,
    handle UUID,
    player_id UUID,
    instance TEXT,
    role TEXT
);

CREATE TYPE old_seat AS (
    game_id UUID,
    handle UUID
);

CREATE TYPE new_progress AS (
    game_id UUID,
    player_id UUID,
    experience TEXT,
    handle UUID,
    at TIMESTAMP WITH TIME ZONE,
    location TEXT,
    score BIGINT,
    completion DOUBLE PRECISION,
    completed BOOLEAN,
    playtime DOUBLE PRECISION,
    turns BIGINT,
    distance DOUBLE PRECISION,
    lat DOUBLE PRECISION,
    lng DOUBLE PRECISION,
    inventory TEXT[],
    visited TEXT[],
    state JSONB
);

CREATE TYPE new_event AS (
    game_id UUID,
    player_id UUID,
    id UUID,
    experience TEXT,
    type TEXT,
    content TEXT,
    data JSONB,
    lat DOUBLE PRECISION,
    lng DOUBLE PRECISION,
    at TIMESTAMP WITH TIME ZONE
);

CREATE TYPE new_told AS (
    game_id UUID,
    number BIGINT,
    id UUID,
    channel TEXT,
    payload JSON
);

CREATE TYPE new_job AS (
    game_id UUID,
    due TIMESTAMP WITH TIME ZONE
);

INSERT INTO fence (id, epoch) VALUES (1, 1);
"""

DOWN = """
DROP TYPE new_job;
DROP TYPE new_told;
DROP TYPE new_event;
DROP TYPE new_progress;
DROP TYPE old_seat;
DROP TYPE new_seat;
DROP TYPE new_turn;
DROP TYPE old_instance;
DROP TYPE new_instance;
DROP TYPE new_game;
DROP TABLE fence;
DROP TABLE jobs;
DROP TABLE outbox;
DROP TABLE waypoints;
DROP TABLE progress_events;
DROP TABLE progress;
"""


def upgrade() -> None:
    run(UP)


def downgrade() -> None:
    run(DOWN)
