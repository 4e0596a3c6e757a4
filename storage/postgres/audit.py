"""Owns the audit: who did what to whom, kept for good. The database refuses to change or to delete an entry.

`await append(connections, …)`. It holds ids, numbers and names of things alone, so that erasing a player leaves it as it is. It
must not know why something is audited.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from storage.ids import is_id, new_id
from storage.postgres.connections import Connection, Connections

APPEND = """
INSERT INTO audit (id, actor, action, target, data, address) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (id) DO NOTHING"""

OF = """
SELECT id, at, actor, action, target, data, address FROM audit WHERE (actor = $1 OR target = $1) AND at >= $2
ORDER BY at DESC, id DESC LIMIT $3"""

ALL = """
SELECT id, at, actor, action, target, data, address FROM audit WHERE at >= $1 ORDER BY at DESC, id DESC LIMIT $2"""

EVER = datetime.min.replace(tzinfo=UTC)
ACTORS = frozenset({"operator", "clock", "public"})
"""Who acts and is no player; `public` is whoever shows no credential."""
THINGS = frozenset({"commit", "namespace", "right", "role", "scopes", "team", "visibility"})
"""What is named, in data, by words rather than by an id: things that operators and designers name, and never people."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that was done."""

    id: str
    at: datetime
    actor: str
    action: str
    target: str
    data: Mapping[str, int | str]
    address: str = ""
    """From where, where it came over the network."""


async def append(
    to: Connection | Connections,
    actor: str,
    action: str,
    target: str = "",
    data: Mapping[str, int | str] | None = None,
    address: str = "",
) -> None:
    """Keeps an entry; on a connection as part of its transaction. Raises ValueError for what could name somebody."""
    values = dict(data or {})
    texts = [target, *(each for key, each in values.items() if isinstance(each, str) and key not in THINGS)]
    if not (is_id(actor) or actor in ACTORS) or any(each and not is_id(each) for each in texts):
        raise ValueError(f"the audit keeps ids and numbers only, not {actor!r}, {texts!r}")
    arguments = (APPEND, new_id(), actor, action, target, values, address)
    await to.fetch(*arguments)


async def entries(
    connections: Connections, who: str | None = None, *, since: datetime = EVER, limit: int = 100
) -> Sequence[Entry]:
    """What was done, by or to somebody or at all, the newest first."""
    rows = await (connections.fetch(ALL, since, limit) if who is None else connections.fetch(OF, who, since, limit))
    return [
        Entry(row["id"].hex, row["at"], row["actor"], row["action"], row["target"], row["data"], row["address"])
        for row in rows
    ]
