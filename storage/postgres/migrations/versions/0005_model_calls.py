"""The ledger of models' calls: what was spent in a day, and each call."""

from storage.postgres.migrations.script import run

revision = "0005"
down_revision = "0004"

UP = """
CREATE TABLE model_spending (
    day DATE NOT NULL,
    principal TEXT NOT NULL,
    calls BIGINT DEFAULT 0 NOT NULL,
    cost DOUBLE PRECISION DEFAULT 0 NOT NULL,
    PRIMARY KEY (day, principal)
);

COMMENT ON TABLE model_spending IS 'What models'' calls took, with what is reserved for those under way';

COMMENT ON COLUMN model_spending.day IS 'of UTC';

COMMENT ON COLUMN model_spending.principal IS 'whose budget paid; empty: everybody''s sum';

COMMENT ON COLUMN model_spending.cost IS 'US dollars';

CREATE TABLE model_calls (
    id UUID NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    principal TEXT NOT NULL,
    purpose TEXT NOT NULL,
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    outcome TEXT NOT NULL,
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    cached_tokens INTEGER NOT NULL,
    cost DOUBLE PRECISION NOT NULL,
    seconds DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (id)
);

CREATE INDEX model_calls_at ON model_calls (at);

CREATE INDEX model_calls_principal ON model_calls (principal, at);

COMMENT ON TABLE model_calls IS 'Every request to a model, without its texts';

COMMENT ON COLUMN model_calls.principal IS 'empty: erased';

COMMENT ON COLUMN model_calls.outcome IS 'ok, or the kind of its error';
"""

DOWN = """
DROP TABLE model_calls;

DROP TABLE model_spending;
"""


def upgrade() -> None:
    run(UP)


def downgrade() -> None:
    run(DOWN)
