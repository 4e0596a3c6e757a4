"""Games: worlds that are played, their players, turns and saves."""

from storage.postgres.migrations.script import run

revision = "0001"
down_revision = None

UP = """
CREATE TABLE players (
    id UUID NOT NULL,
    principal TEXT NOT NULL,
    name TEXT NOT NULL,
    level INTEGER DEFAULT '1' NOT NULL,
    stats JSONB DEFAULT '{}' NOT NULL,
    created TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (id)
);

CREATE INDEX players_level ON players (level);

CREATE UNIQUE INDEX players_principal ON players (principal, name);

COMMENT ON TABLE players IS 'One profile a player; totals are summed from progress';

COMMENT ON COLUMN players.principal IS 'who may use it: an opaque subject, never an e-mail address';

COMMENT ON COLUMN players.stats IS 'achievements, preferences, global inventory';

CREATE TABLE games (
    id UUID NOT NULL,
    scope TEXT,
    world TEXT NOT NULL,
    revision TEXT,
    experience TEXT,
    seed BIGINT NOT NULL,
    commit TEXT NOT NULL,
    version BIGINT NOT NULL,
    hash TEXT NOT NULL,
    head JSON NOT NULL,
    last BIGINT DEFAULT '0' NOT NULL,
    created TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (id)
)
 WITH (fillfactor = 70);

CREATE UNIQUE INDEX games_scope ON games (scope) WHERE scope IS NOT NULL;

COMMENT ON TABLE games IS 'One world that is played, by one player or by many';

COMMENT ON COLUMN games.scope IS 'of a shared world: which; one game each';

COMMENT ON COLUMN games.version IS 'counts everything that changed it';

COMMENT ON COLUMN games.last IS 'the turn that undo takes back';

CREATE TABLE seats (
    handle UUID NOT NULL,
    game_id UUID NOT NULL,
    player_id UUID NOT NULL,
    instance TEXT NOT NULL,
    role TEXT DEFAULT 'player' NOT NULL,
    created TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (handle),
    FOREIGN KEY(game_id) REFERENCES games (id) ON DELETE CASCADE,
    FOREIGN KEY(player_id) REFERENCES players (id) ON DELETE CASCADE
);

CREATE UNIQUE INDEX seats_game ON seats (game_id, instance);

CREATE INDEX seats_player ON seats (player_id, created);

COMMENT ON TABLE seats IS 'A player in a game';

COMMENT ON COLUMN seats.handle IS '128 random bits, given to the client';

COMMENT ON COLUMN seats.instance IS 'the instance of the player in the world';

CREATE TABLE instances (
    game_id UUID NOT NULL,
    id TEXT NOT NULL,
    template TEXT NOT NULL,
    kind TEXT NOT NULL,
    location TEXT,
    lat DOUBLE PRECISION,
    lng DOUBLE PRECISION,
    cell BIGINT,
    tags TEXT[] DEFAULT '{}' NOT NULL,
    data JSONB NOT NULL,
    PRIMARY KEY (game_id, id),
    FOREIGN KEY(game_id) REFERENCES games (id) ON DELETE CASCADE
)
 WITH (fillfactor = 70, toast_tuple_target = 8160);

CREATE INDEX instances_cell ON instances (game_id, cell) WHERE cell IS NOT NULL;

CREATE INDEX instances_tags ON instances USING gin (tags);

CREATE INDEX instances_template ON instances (template, game_id);

COMMENT ON TABLE instances IS 'What differs from the start of the world, a row an instance';

COMMENT ON COLUMN instances.cell IS 'where it is on Earth, see storage.cells';

COMMENT ON COLUMN instances.tags IS 'field=value of fields that rules search by';

COMMENT ON COLUMN instances.data IS 'the fields that differ from the template, and its order';

CREATE TABLE turns (
    game_id UUID NOT NULL,
    number BIGINT NOT NULL,
    player_id UUID,
    instance TEXT NOT NULL,
    kind TEXT NOT NULL,
    said TEXT NOT NULL,
    key TEXT DEFAULT '' NOT NULL,
    commit TEXT NOT NULL,
    inputs JSON NOT NULL,
    outcome JSON NOT NULL,
    undo JSON NOT NULL,
    hash_before TEXT NOT NULL,
    hash_after TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (game_id, number)
)
 WITH (toast_tuple_target = 8160);

CREATE UNIQUE INDEX turns_key ON turns (game_id, key) WHERE key <> '';

CREATE INDEX turns_player ON turns (player_id, at);

COMMENT ON TABLE turns IS 'Append-only: every change of a game with all that a replay needs (no foreign key: erasing deletes)';

COMMENT ON COLUMN turns.number IS 'the version of the game after it';

COMMENT ON COLUMN turns.player_id IS 'who acted; nobody: the clock, or a player who was erased';

COMMENT ON COLUMN turns.key IS 'the idempotency key of the request';

COMMENT ON COLUMN turns.outcome IS 'messages, changes, trace';

CREATE TABLE saves (
    game_id UUID NOT NULL,
    name TEXT NOT NULL,
    backup BOOLEAN DEFAULT 'false' NOT NULL,
    commit TEXT NOT NULL,
    data JSON NOT NULL,
    at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (game_id, name),
    FOREIGN KEY(game_id) REFERENCES games (id) ON DELETE CASCADE
);

COMMENT ON TABLE saves IS 'Whole games under a name';

COMMENT ON COLUMN saves.backup IS 'made by a reset';
"""

DOWN = """
DROP TABLE saves;
DROP TABLE turns;
DROP TABLE instances;
DROP TABLE seats;
DROP TABLE games;
DROP TABLE players;
"""


def upgrade() -> None:
    run(UP)


def downgrade() -> None:
    run(DOWN)
