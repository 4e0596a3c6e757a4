"""Who may do what: keys, roles, teams, namespaces, shares; and from where something audited was done."""

from storage.postgres.migrations.script import run

revision = "0004"
down_revision = "0003"

UP = """
ALTER TABLE audit ADD COLUMN address TEXT DEFAULT '' NOT NULL;

COMMENT ON COLUMN audit.address IS 'from where; of acts over the network alone';

CREATE TABLE api_keys (
    id UUID NOT NULL,
    prefix TEXT NOT NULL,
    hash BYTEA NOT NULL,
    principal TEXT NOT NULL,
    name TEXT DEFAULT '' NOT NULL,
    scopes TEXT[] NOT NULL,
    expires TIMESTAMP WITH TIME ZONE,
    revoked TIMESTAMP WITH TIME ZONE,
    created TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    created_by TEXT NOT NULL,
    used TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (id)
);

CREATE UNIQUE INDEX api_keys_prefix ON api_keys (prefix);

CREATE INDEX api_keys_principal ON api_keys (principal);

COMMENT ON TABLE api_keys IS 'Keys with which programs say who they are; none can be read here';

COMMENT ON COLUMN api_keys.prefix IS 'the part of a key that may be shown, by which it is found';

COMMENT ON COLUMN api_keys.hash IS 'SHA-256 of its secret, which is 256 random bits';

COMMENT ON COLUMN api_keys.name IS 'what whoever made it calls it';

COMMENT ON COLUMN api_keys.scopes IS 'the most that it may do; roles may give less';

COMMENT ON COLUMN api_keys.used IS 'when last, to the hour';

CREATE TABLE roles (
    principal TEXT NOT NULL,
    role TEXT NOT NULL,
    granted_by TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (principal, role)
);

COMMENT ON TABLE roles IS 'Roles beside those that a token tells';

CREATE TABLE teams (
    principal TEXT NOT NULL,
    team TEXT NOT NULL,
    added_by TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (principal, team)
);

COMMENT ON TABLE teams IS 'Members of teams beside those that a token tells';

CREATE TABLE namespaces (
    name TEXT NOT NULL,
    location TEXT NOT NULL,
    visibility TEXT NOT NULL,
    owner TEXT NOT NULL,
    team TEXT DEFAULT '' NOT NULL,
    created TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (name)
);

COMMENT ON TABLE namespaces IS 'Knowledge bases that clients may name';

COMMENT ON COLUMN namespaces.location IS 'a folder, a URL or a bundled world';

COMMENT ON COLUMN namespaces.visibility IS 'shared, team or private';

COMMENT ON COLUMN namespaces.owner IS 'a principal';

CREATE TABLE shares (
    namespace TEXT NOT NULL,
    kind TEXT NOT NULL,
    holder TEXT NOT NULL,
    may TEXT NOT NULL,
    until TIMESTAMP WITH TIME ZONE,
    granted_by TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (namespace, kind, holder),
    FOREIGN KEY(namespace) REFERENCES namespaces (name) ON DELETE CASCADE
);

CREATE INDEX shares_holder ON shares (kind, holder);

COMMENT ON TABLE shares IS 'Rights in a namespace beside those of its owner and its team';

COMMENT ON COLUMN shares.kind IS 'whether `holder` is a principal or a team';

COMMENT ON COLUMN shares.may IS 'read, write or publish';

COMMENT ON COLUMN shares.until IS 'when it ends; nothing: when it is taken back';
"""

DOWN = """
DROP TABLE shares;
DROP TABLE namespaces;
DROP TABLE teams;
DROP TABLE roles;
DROP TABLE api_keys;
ALTER TABLE audit DROP COLUMN address;
"""


def upgrade() -> None:
    run(UP)


def downgrade() -> None:
    run(DOWN)
