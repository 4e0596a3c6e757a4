"""Owns what is kept of who may do what, as plain data: keys, roles, teams, namespaces, shares, and acts for the audit.

`storage.postgres.access` keeps them. Roles, scopes and rights are words here. It must not know what they allow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Key:
    """A key as it may be shown."""

    id: str
    prefix: str
    principal: str
    name: str
    scopes: tuple[str, ...]
    created: datetime
    created_by: str
    expires: datetime | None = None
    revoked: datetime | None = None
    used: datetime | None = None


@dataclass(frozen=True, slots=True)
class FoundKey:
    """A key with what decides whether it is genuine, and what its principal holds."""

    key: Key
    hash: bytes
    roles: tuple[str, ...]
    teams: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Held:
    """A role or a team of a principal, and who gave it."""

    principal: str
    what: str
    granted_by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class NamespaceRecord:
    name: str
    location: str
    visibility: str
    owner: str
    team: str = ""


@dataclass(frozen=True, slots=True)
class Share:
    """A right in a namespace; `kind` tells whether a principal or a team holds it."""

    namespace: str
    kind: str
    holder: str
    may: str
    until: datetime | None
    granted_by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Act:
    """Something that is about to be done, for the audit; see `storage.postgres.audit.append`."""

    actor: str
    action: str
    target: str = ""
    data: Mapping[str, int | str] = field(default_factory=dict[str, "int | str"])
    address: str = ""
