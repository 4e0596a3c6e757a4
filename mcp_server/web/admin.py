"""Owns the administration over HTTP: keys, roles, teams, namespaces, shares, players, jobs, the audit; and who one is.

`routes(desk, gate)`. Each operation is a row of `OPERATIONS`; who may do it is decided in `agents.identity`. It must not know
how requests are guarded.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from starlette.routing import Route

from agents.access import Namespace, Principal
from agents.identity import AccessError, Granting, actor
from agents.players import PlayerService
from mcp_server.web.identity import Gate
from mcp_server.web.operations import Asked, Operation
from mcp_server.web.operations import routes as operation_routes
from mcp_server.web.shapes import (
    AllHeld,
    Audit,
    AuditQuery,
    EntryShown,
    Erased,
    Exported,
    HeldShown,
    Jobs,
    JobShown,
    KeyMade,
    Keys,
    KeyShown,
    NamespaceGiven,
    Namespaces,
    NamespaceShown,
    NewKey,
    OfPrincipal,
    PlayerQuery,
    Players,
    PlayerShown,
    Retried,
    ShareGiven,
    Shares,
    ShareShown,
    Ticket,
    WhoAmI,
)
from storage.postgres import PostgresStore
from storage.postgres.audit import EVER, entries
from storage.redis.tickets import LIFE, Tickets


@dataclass(frozen=True, slots=True)
class Desk:
    """What operations work with."""

    store: PostgresStore
    granting: Granting
    players: PlayerService
    tickets: Tickets


# --- who one is


async def whoami(desk: Desk, asked: Asked) -> WhoAmI:
    who = asked.who
    return WhoAmI(
        principal=who.id, kind=who.kind, roles=sorted(who.roles), scopes=sorted(who.scopes), teams=sorted(who.teams)
    )


async def ticket(desk: Desk, asked: Asked) -> Ticket:
    if not asked.credential:
        raise AccessError("A ticket stands for a credential, and there is none here", "Connect without a ticket.")
    return Ticket(ticket=await desk.tickets.issue(asked.credential), seconds=LIFE)


# --- keys


async def list_keys(desk: Desk, asked: Asked) -> Keys:
    found = await desk.granting.keys(asked.who, asked.query.principal)
    return Keys(keys=[KeyShown.model_validate(each) for each in found])


async def create_key(desk: Desk, asked: Asked) -> KeyMade:
    given: NewKey = asked.body
    key, text = await desk.granting.create_key(
        asked.who, given.name, principal=given.principal, roles=given.roles, scopes=given.scopes, days=given.days
    )
    return KeyMade(**KeyShown.model_validate(key).model_dump(), key=text)


async def revoke_key(desk: Desk, asked: Asked) -> None:
    await desk.granting.revoke_key(asked.who, asked.path["id"])


# --- roles and teams


async def list_roles(desk: Desk, asked: Asked) -> AllHeld:
    found = await desk.granting.roles(asked.who, asked.query.principal)
    return AllHeld(held=[HeldShown.model_validate(each) for each in found])


async def grant_role(desk: Desk, asked: Asked) -> None:
    await desk.granting.grant(asked.who, asked.path["principal"], _any(asked.path["role"]))


async def withdraw_role(desk: Desk, asked: Asked) -> None:
    await desk.granting.withdraw(asked.who, asked.path["principal"], _any(asked.path["role"]))


async def list_teams(desk: Desk, asked: Asked) -> AllHeld:
    found = await desk.granting.members(asked.who, asked.query.principal)
    return AllHeld(held=[HeldShown.model_validate(each) for each in found])


async def join_team(desk: Desk, asked: Asked) -> None:
    await desk.granting.join(asked.who, asked.path["principal"], asked.path["team"])


async def leave_team(desk: Desk, asked: Asked) -> None:
    await desk.granting.leave(asked.who, asked.path["principal"], asked.path["team"])


# --- namespaces and shares


async def list_namespaces(desk: Desk, asked: Asked) -> Namespaces:
    found = await desk.granting.namespaces(asked.who)
    return Namespaces(namespaces=[NamespaceShown.model_validate(each) for each in found])


async def keep_namespace(desk: Desk, asked: Asked) -> None:
    given: NamespaceGiven = asked.body
    kept = Namespace(asked.path["name"], given.location, given.visibility, given.owner, given.team)
    await desk.granting.keep_namespace(asked.who, kept)


async def drop_namespace(desk: Desk, asked: Asked) -> None:
    await desk.granting.drop_namespace(asked.who, asked.path["name"])


async def list_shares(desk: Desk, asked: Asked) -> Shares:
    found = await desk.granting.shares(asked.who, asked.path["name"])
    return Shares(shares=[ShareShown.model_validate(each) for each in found])


async def share(desk: Desk, asked: Asked) -> None:
    name, kind, holder = (asked.path[each] for each in ("name", "kind", "holder"))
    await desk.granting.share(asked.who, name, _any(kind), holder, asked.body.right, asked.body.until)


async def unshare(desk: Desk, asked: Asked) -> None:
    name, kind, holder = (asked.path[each] for each in ("name", "kind", "holder"))
    await desk.granting.unshare(asked.who, name, _any(kind), holder)


# --- players, jobs, the audit


async def find_players(desk: Desk, asked: Asked) -> Players:
    return Players(players=list(await desk.store.named(asked.query.name)))


async def show_player(desk: Desk, asked: Asked) -> PlayerShown:
    found = await desk.players.progress.profile(asked.path["id"])
    player = found.player
    return PlayerShown(
        id=player.id, principal=player.principal, name=player.name, level=player.level, created=found.created,
        experiences=found.experiences, completed=found.completed, turns=found.turns, score=found.score,
        playtime=found.playtime, distance=found.distance,
    )  # fmt: skip


async def export_player(desk: Desk, asked: Asked) -> Exported:
    who = asked.who
    return Exported(player=await desk.players.export(asked.path["id"], actor=actor(who), address=who.address))


async def erase_player(desk: Desk, asked: Asked) -> Erased:
    who = asked.who
    gone = await desk.players.erase(asked.path["id"], actor=actor(who), address=who.address)
    return Erased(
        player=gone.player, games=len(gone.games), shared=len(gone.shared), turns=gone.turns, events=gone.events
    )


async def list_jobs(desk: Desk, asked: Asked) -> Jobs:
    found = await desk.store.work.troubles(1000)
    return Jobs(jobs=[JobShown.model_validate(each) for each in found])


async def retry_jobs(desk: Desk, asked: Asked) -> Retried:
    return Retried(retried=await desk.store.work.retry(datetime.now(UTC)))


async def read_audit(desk: Desk, asked: Asked) -> Audit:
    query: AuditQuery = asked.query
    found = await entries(desk.store.connections, query.who, since=query.since or EVER, limit=query.limit)
    return Audit(entries=[EntryShown.model_validate(each) for each in found])


_KEYS, _ROLE, _TEAM = "/admin/keys", "/admin/roles/{principal}/{role}", "/admin/teams/{team}/{principal}"
_NAMESPACE, _PLAYER = "/admin/namespaces/{name}", "/admin/players/{id}"
_SHARE = _NAMESPACE + "/shares/{kind}/{holder}"

OPERATIONS = (
    Operation("GET", "/whoami", "Who you are here, and what you may", whoami, WhoAmI, scope=None),
    Operation("POST", "/ticket", "A ticket for a WebSocket", ticket, Ticket, scope="game:play"),
    Operation("GET", _KEYS, "List keys", list_keys, Keys, query=OfPrincipal, audit="key.list"),
    Operation("POST", _KEYS, "Create a key", create_key, KeyMade, body=NewKey),
    Operation("DELETE", _KEYS + "/{id}", "Revoke a key", revoke_key, confirm="id"),
    Operation("GET", "/admin/roles", "List granted roles", list_roles, AllHeld, query=OfPrincipal, audit="role.list"),
    Operation("PUT", _ROLE, "Grant a role", grant_role),
    Operation("DELETE", _ROLE, "Take a role back", withdraw_role, confirm="role"),
    Operation(
        "GET", "/admin/teams", "List members of teams", list_teams, AllHeld, query=OfPrincipal, audit="team.list"
    ),
    Operation("PUT", _TEAM, "Make somebody a member", join_team),
    Operation("DELETE", _TEAM, "End a membership", leave_team, confirm="principal"),
    Operation("GET", "/admin/namespaces", "List namespaces", list_namespaces, Namespaces, audit="namespace.list"),
    Operation("PUT", _NAMESPACE, "Add or change a namespace", keep_namespace, scope="owner", body=NamespaceGiven),
    Operation("DELETE", _NAMESPACE, "Forget a namespace", drop_namespace, confirm="name"),
    Operation("GET", _NAMESPACE + "/shares", "List shares", list_shares, Shares, scope="kb:write", audit="share.list"),
    Operation("PUT", _SHARE, "Share a namespace", share, scope="kb:write", body=ShareGiven),
    Operation("DELETE", _SHARE, "Take a share back", unshare, scope="kb:write", confirm="holder"),
    Operation("GET", "/admin/players", "Find players", find_players, Players, query=PlayerQuery, audit="player.find"),
    Operation("GET", _PLAYER, "Show a player", show_player, PlayerShown, audit="player.show"),
    Operation("GET", _PLAYER + "/export", "Everything that is kept about a player", export_player, Exported),
    Operation("DELETE", _PLAYER, "Erase a player for good", erase_player, Erased, confirm="id"),
    Operation("GET", "/admin/jobs", "List what failed", list_jobs, Jobs, audit="jobs.list"),
    Operation("POST", "/admin/jobs/retry", "Try again what was given up", retry_jobs, Retried, audit="jobs.retry"),
    Operation("GET", "/admin/audit", "Read the audit", read_audit, Audit, query=AuditQuery, audit="audit.read"),
)
"""All that is plain HTTP here. An act that keeps its own entry in the audit names none."""


def routes(desk: Desk, gate: Gate) -> list[Route]:
    """Behind `mcp_server.web.identity.Guard`, which recognises and limits."""

    async def audit(who: Principal, action: str, target: str) -> None:
        await desk.store.audit(actor(who), action, target, address=who.address)

    return operation_routes(OPERATIONS, desk, gate, audit)


def _any(word: str) -> Any:
    """A role or a kind of holder as it was said: `Granting` refuses what there is not."""
    return word
