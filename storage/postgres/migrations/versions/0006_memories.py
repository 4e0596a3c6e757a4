"""What NPCs remember of talk, and that a player's own connection may read what is theirs of it."""

from storage.postgres.migrations.script import run

revision = "0006"
down_revision = "0005"

UP = """
CREATE TABLE memories (
    game_id UUID NOT NULL,
    player_id UUID NOT NULL,
    npc TEXT NOT NULL,
    version BIGINT NOT NULL,
    data JSON NOT NULL,
    PRIMARY KEY (game_id, player_id, npc)
)
WITH (fillfactor = 70);

CREATE INDEX memories_player ON memories (player_id);

COMMENT ON TABLE memories IS 'What an NPC remembers of talk with a player (no foreign key: erasing deletes)';

COMMENT ON COLUMN memories.player_id IS 'with whom; the game''s own id: apart from any player''s talk with it';

COMMENT ON COLUMN memories.version IS 'counts how often it was written';

COMMENT ON COLUMN memories.data IS 'lines, facts, promises, summaries; all capped';

GRANT SELECT ON memories TO rulebound_player;

ALTER TABLE memories ENABLE ROW LEVEL SECURITY;

CREATE POLICY own ON memories FOR SELECT TO rulebound_player
    USING (player_id = nullif(current_setting('rulebound.player', true), '')::uuid);
"""


def upgrade() -> None:
    run(UP)


def downgrade() -> None:
    run("DROP TABLE memories;")
