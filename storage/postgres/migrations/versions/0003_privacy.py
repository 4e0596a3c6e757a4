"""Privacy: the audit, and what a player's own connection may read."""

from alembic import op

from storage.postgres.migrations.script import run

revision = "0003"
down_revision = "0002"

UP = """
CREATE TABLE audit (
    id UUID NOT NULL,
    at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    target TEXT DEFAULT '' NOT NULL,
    data JSON DEFAULT '{}' NOT NULL,
    PRIMARY KEY (id)
);

CREATE INDEX audit_actor ON audit (actor, at);

CREATE INDEX audit_at ON audit (at);

CREATE INDEX audit_target ON audit (target, at);

COMMENT ON TABLE audit IS 'Append-only, without personal data';

COMMENT ON COLUMN audit.actor IS 'the id of a player or a service, never a name';
"""

# Roles belong to the whole server, so this one stays when a database goes back.
ROLE = """
DO $$ BEGIN CREATE ROLE rulebound_player NOLOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$
"""

MEMBER = """
DO $$ BEGIN IF NOT pg_has_role(current_user, 'rulebound_player', 'SET') THEN
    GRANT rulebound_player TO CURRENT_USER WITH SET TRUE; END IF; END $$
"""

OWN = """
REVOKE UPDATE, DELETE, TRUNCATE ON audit FROM CURRENT_USER;

GRANT SELECT ON players, seats, games, turns, progress, progress_events TO rulebound_player;

ALTER TABLE players ENABLE ROW LEVEL SECURITY;

ALTER TABLE seats ENABLE ROW LEVEL SECURITY;

ALTER TABLE games ENABLE ROW LEVEL SECURITY;

ALTER TABLE turns ENABLE ROW LEVEL SECURITY;

ALTER TABLE progress ENABLE ROW LEVEL SECURITY;

ALTER TABLE progress_events ENABLE ROW LEVEL SECURITY;

CREATE POLICY own ON players FOR SELECT TO rulebound_player
    USING (id = nullif(current_setting('rulebound.player', true), '')::uuid);

CREATE POLICY own ON seats FOR SELECT TO rulebound_player
    USING (player_id = nullif(current_setting('rulebound.player', true), '')::uuid);

CREATE POLICY own ON games FOR SELECT TO rulebound_player USING (id IN (SELECT game_id FROM seats));

CREATE POLICY own ON turns FOR SELECT TO rulebound_player
    USING (player_id = nullif(current_setting('rulebound.player', true), '')::uuid);

CREATE POLICY own ON progress FOR SELECT TO rulebound_player
    USING (player_id = nullif(current_setting('rulebound.player', true), '')::uuid);

CREATE POLICY own ON progress_events FOR SELECT TO rulebound_player
    USING (player_id = nullif(current_setting('rulebound.player', true), '')::uuid);
"""

DOWN = """
DROP POLICY own ON progress_events;
DROP POLICY own ON progress;
DROP POLICY own ON turns;
DROP POLICY own ON games;
DROP POLICY own ON seats;
DROP POLICY own ON players;
ALTER TABLE progress_events DISABLE ROW LEVEL SECURITY;
ALTER TABLE progress DISABLE ROW LEVEL SECURITY;
ALTER TABLE turns DISABLE ROW LEVEL SECURITY;
ALTER TABLE games DISABLE ROW LEVEL SECURITY;
ALTER TABLE seats DISABLE ROW LEVEL SECURITY;
ALTER TABLE players DISABLE ROW LEVEL SECURITY;
REVOKE SELECT ON players, seats, games, turns, progress, progress_events FROM rulebound_player;
DROP TABLE audit;
"""


def upgrade() -> None:
    run(UP)
    for script in (ROLE, MEMBER):
        op.get_bind().exec_driver_sql(script)
    run(OWN)


def downgrade() -> None:
    run(DOWN)
