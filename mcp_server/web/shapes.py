"""Owns what the administration takes and gives over HTTP, as models. It must not know how it is done."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import AwareDatetime, Field

from agents.access import Right, Role, Scope
from agents.identity.granting import DAYS, MOST_DAYS
from mcp_server.web.operations import Model


class WhoAmI(Model):
    principal: str
    kind: str
    roles: list[str]
    scopes: list[str]
    teams: list[str]


class Ticket(Model):
    ticket: str = Field(description="Good once, as /ws?ticket=…")
    seconds: int


class OfPrincipal(Model):
    principal: str | None = None


class KeyShown(Model):
    id: str
    prefix: str
    principal: str
    name: str
    scopes: list[str]
    created: datetime
    created_by: str
    expires: datetime | None
    revoked: datetime | None
    used: datetime | None = Field(description="When last, to the hour.")


class Keys(Model):
    keys: list[KeyShown]


class NewKey(Model):
    name: str = Field(min_length=1, max_length=80)
    principal: str | None = Field(None, description="Who it speaks for; without one, somebody new.")
    roles: list[Role] = Field([], description="Roles that the principal is given with it.")
    scopes: list[Scope] | None = Field(
        None, description="The most that it may do; without any, all of yours below admin."
    )
    days: int = Field(DAYS, ge=1, le=MOST_DAYS)


class KeyMade(KeyShown):
    key: str = Field(description="The key itself. It is told now and never again.")


class HeldShown(Model):
    principal: str
    what: str = Field(description="The role or the team.")
    granted_by: str
    at: datetime


class AllHeld(Model):
    held: list[HeldShown]


class NamespaceGiven(Model):
    location: str = Field(min_length=1, max_length=1000, description="A folder, a URL, or a bundled world's name.")
    visibility: Literal["shared", "team", "private"] = "shared"
    owner: str = "local"
    team: str = ""


class NamespaceShown(NamespaceGiven):
    name: str


class Namespaces(Model):
    namespaces: list[NamespaceShown]


class ShareGiven(Model):
    right: Right
    until: AwareDatetime | None = Field(None, description="When it ends; without a time, when it is taken back.")


class ShareShown(Model):
    kind: str
    holder: str
    right: str = Field(validation_alias="may")
    until: datetime | None
    granted_by: str
    at: datetime


class Shares(Model):
    shares: list[ShareShown]


class PlayerQuery(Model):
    name: str = Field(min_length=1, max_length=200, description="A name, a player's id or a principal.")


class Players(Model):
    players: list[str]


class PlayerShown(Model):
    id: str
    principal: str
    name: str
    level: int
    created: datetime
    experiences: int
    completed: int
    turns: int
    score: int
    playtime: float = Field(description="Seconds.")
    distance: float = Field(description="Metres.")


class Exported(Model):
    player: dict[str, Any] = Field(description="Everything that is kept about them.")


class Erased(Model):
    player: str
    games: int
    shared: int
    turns: int
    events: int


class JobShown(Model):
    kind: str
    key: str
    what: str
    attempts: int
    error: str
    dead: bool = Field(description="Given up: it is not tried again until it is told to.")


class Jobs(Model):
    jobs: list[JobShown]


class Retried(Model):
    retried: int


class AuditQuery(Model):
    who: str | None = Field(None, description="Who acted, or to whom it was done.")
    since: AwareDatetime | None = None
    limit: int = Field(100, ge=1, le=1000)


class EntryShown(Model):
    id: str
    at: datetime
    actor: str
    action: str
    target: str
    data: dict[str, int | str]
    address: str


class Audit(Model):
    entries: list[EntryShown]
