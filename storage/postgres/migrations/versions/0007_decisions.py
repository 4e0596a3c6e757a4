"""How messages were answered: route, tier, why, how long, what it cost."""

from storage.postgres.migrations.script import run

revision = "0007"
down_revision = "0006"

UP = """
CREATE TABLE decisions (
    id UUID NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    route TEXT NOT NULL,
    tier TEXT NOT NULL,
    stage TEXT NOT NULL,
    reason TEXT NOT NULL,
    world TEXT NOT NULL,
    persona TEXT DEFAULT '' NOT NULL,
    seconds DOUBLE PRECISION NOT NULL,
    routing DOUBLE PRECISION NOT NULL,
    calls INTEGER NOT NULL,
    cost DOUBLE PRECISION NOT NULL,
    "full" DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (id)
);

CREATE INDEX decisions_at ON decisions (at);

COMMENT ON TABLE decisions IS 'How messages were answered; no player is named; kept for 30 days';

COMMENT ON COLUMN decisions.stage IS 'what settled it';

COMMENT ON COLUMN decisions.routing IS 'seconds until the route was known';

COMMENT ON COLUMN decisions."full" IS 'what it would have cost as a full call, by estimate, US dollars';
"""

DOWN = """
DROP TABLE decisions;
"""


def upgrade() -> None:
    run(UP)


def downgrade() -> None:
    run(DOWN)
