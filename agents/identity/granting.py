"""Owns managing keys, roles, teams, namespaces and shares: who may give and take what, each act audited with its address.

`await granting.create_key(who, "bot")`. Nobody gives what they do not hold, and only an owner makes or unmakes admins and
owners. It must not know transports.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal, cast, get_args

from agents.access import LOCAL, RIGHTS, SCOPES, Namespace, Principal, Refused, Right, Role, Scope, right
from agents.identity.keys import new_key
from agents.identity.recognising import Identities
from storage import new_id
from storage.access import Act, Held, Key, NamespaceRecord, Share
from storage.ids import is_id

if TYPE_CHECKING:
    from storage.postgres.access import PostgresAccess

Holder = Literal["principal", "team"]
HIGH: Final[frozenset[Scope]] = frozenset({"admin", "owner"})
"""What only an owner gives and takes."""
DAYS = 90
"""How long a key is good for if nothing is said."""
MOST_DAYS = 3660
_SLUG = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


class AccessError(Exception):
    """It cannot be done as asked: `args[0]` says why, `hint` what to do."""

    def __init__(self, message: str, hint: str = "List what there is first."):
        super().__init__(message)
        self.hint = hint


class NotFound(AccessError):
    """There is none, or none that may be seen."""


def actor(who: Principal) -> str:
    """Who acts, as the audit calls them."""
    return "operator" if who.kind == "local" else who.id


class Granting:
    """Everything here needs the scope `admin`, or to be the owner of the namespace that is shared. Raises `Refused`,
    `AccessError`."""

    def __init__(self, access: PostgresAccess, identities: Identities, *, now: Callable[[], datetime]):
        self._access, self._identities, self._now = access, identities, now

    # --- keys

    async def create_key(
        self,
        who: Principal,
        name: str,
        *,
        principal: str | None = None,
        roles: Collection[Role] = (),
        scopes: Collection[Scope] | None = None,
        days: int = DAYS,
    ) -> tuple[Key, str]:
        """A key for somebody new with these roles, or for a `principal` that there is; the key itself is told this once.

        It does what the roles of its principal and its own `scopes` both allow; without any, all that `who` holds below
        admin.
        """
        who.need("admin")
        if not 0 < days <= MOST_DAYS:
            raise AccessError(f"A key lasts 1 to {MOST_DAYS} days, not {days}", "Give --days in this range.")
        allowed = frozenset(scopes) if scopes is not None else who.scopes - HIGH
        _holds(who, allowed)
        for role in roles:
            _holds(who, SCOPES[_role(role)])
        if principal is not None:
            await self._may_speak_for(who, principal)
        principal = principal or new_id()
        for role in roles:
            await self._access.grant(principal, role, who.id, _act(who, "role.grant", principal, {"role": role}))
        text, secret = new_key()
        now = self._now()
        key = Key(
            new_id(), secret.prefix, principal, name[:80], tuple(sorted(allowed)), now, who.id,
            expires=now + timedelta(days=days),
        )  # fmt: skip
        told = {"principal": principal, "scopes": " ".join(key.scopes), "days": days}
        await self._access.add_key(key, secret.hash, _act(who, "key.create", key.id, told))
        await self._identities.changed()
        return key, text

    async def _may_speak_for(self, who: Principal, principal: str) -> None:
        """A key lets its holder be the principal: only an owner, they themselves, or who gave them their first one makes it."""
        _id(principal)
        known = await self._access.keys(principal)
        if not (who.may("owner") or who.id == principal or (known and known[-1].created_by == who.id)):
            raise Refused("A key for somebody else is made by an owner, or by whoever made their first key")

    async def revoke_key(self, who: Principal, id: str) -> None:
        """It is refused everywhere within `agents.identity.TTL`, and at once where workers hear each other."""
        who.need("admin")
        key = await self._access.key_by_id(id) if is_id(id) else None
        if key is None:
            raise NotFound(f"There is no key {id!r}")
        if HIGH & set(key.scopes) and key.principal != who.id:
            who.need("owner")
        await self._access.revoke_key(id, self._now(), _act(who, "key.revoke", id))
        await self._identities.changed()

    async def keys(self, who: Principal, principal: str | None = None) -> Sequence[Key]:
        who.need("admin")
        return await self._access.keys(principal)

    # --- roles and teams

    async def grant(self, who: Principal, principal: str, role: Role) -> None:
        """Gives a role whose every scope `who` holds."""
        who.need("admin")
        _holds(who, SCOPES[_role(role)])
        _id(principal)
        await self._access.grant(principal, role, who.id, _act(who, "role.grant", principal, {"role": role}))
        await self._identities.changed()

    async def withdraw(self, who: Principal, principal: str, role: Role) -> None:
        who.need("admin")
        _holds(who, SCOPES[_role(role)])
        if not await self._access.withdraw(principal, role, _act(who, "role.withdraw", _id(principal), {"role": role})):
            raise NotFound(f"{principal} was not granted the role {role!r} here")
        await self._identities.changed()

    async def roles(self, who: Principal, principal: str | None = None) -> Sequence[Held]:
        """Those that were granted here; a token may tell more."""
        who.need("admin")
        return await self._access.roles(principal)

    async def join(self, who: Principal, principal: str, team: str) -> None:
        """Makes somebody a member of a team that `who` is in themselves."""
        who.need("admin")
        if team not in who.teams:
            who.need("owner")
        act = _act(who, "team.join", _id(principal), {"team": _slug(team)})
        await self._access.join(principal, team, who.id, act)
        await self._identities.changed()

    async def leave(self, who: Principal, principal: str, team: str) -> None:
        who.need("admin")
        act = _act(who, "team.leave", _id(principal), {"team": _slug(team)})
        if not await self._access.leave(principal, team, act):
            raise NotFound(f"{principal} was not made a member of {team!r} here")
        await self._identities.changed()

    async def members(self, who: Principal, principal: str | None = None) -> Sequence[Held]:
        """Who was made a member of which team here; a token may tell more."""
        who.need("admin")
        return await self._access.members(principal)

    # --- namespaces and shares

    async def namespaces(self, who: Principal) -> Sequence[Namespace]:
        """Those that `who` may read; an owner sees all."""
        found = await self._identities.namespaces()
        return [each for each in found if who.may("owner") or await self._sees(who, each)]

    async def keep_namespace(self, who: Principal, kept: Namespace, *, made: bool = False) -> None:
        """Adds a namespace or changes it: an owner's, because its location may be any folder of this machine.

        `made`: it is new, and `agents.knowledge` has chosen its location; then an admin's.
        """
        who.need("admin" if made else "owner")
        _slug(kept.name)
        if kept.visibility == "team":
            _slug(kept.team)
        if kept.owner != LOCAL.id:
            _id(kept.owner)
        row = NamespaceRecord(kept.name, kept.location, kept.visibility, kept.owner, kept.team)
        told = {"namespace": kept.name, "visibility": kept.visibility, "team": kept.team}
        if not await self._access.keep_namespace(row, _act(who, "namespace.keep", "", told), new=made):
            raise AccessError(f"There is a namespace {kept.name!r}", "Choose another name.")
        await self._identities.changed()

    async def drop_namespace(self, who: Principal, name: str) -> None:
        """Forgets a namespace and its shares; its pages stay where they are."""
        who.need("admin")
        found = next((each for each in await self._identities.namespaces() if each.name == name), None)
        if found is None or not (who.may("owner") or await self._sees(who, found)):
            raise NotFound(f"There is no namespace {name!r}")
        if not await self._access.drop_namespace(name, _act(who, "namespace.drop", "", {"namespace": name})):
            raise NotFound(f"There is no namespace {name!r}")
        await self._identities.changed()

    async def share(
        self, who: Principal, namespace: str, kind: Holder, holder: str, may: Right, until: datetime | None = None
    ) -> None:
        """Lends a right to a principal or a team, until a time or until it is taken back."""
        await self._may_share(who, namespace)
        if may not in RIGHTS:
            raise AccessError(f"There is no right {may!r}", f"There are {', '.join(RIGHTS)}.")
        if until is not None and until <= self._now():
            raise AccessError("A share cannot end in the past", "Give a time that is to come.")
        act = self._shared("share.give", who, namespace, kind, holder)
        told = {**act.data, "right": may, **({"until": int(until.timestamp())} if until else {})}
        act = _act(who, act.action, act.target, told)
        await self._access.share(namespace, kind, holder, may, until, who.id, act)
        await self._identities.changed()

    async def unshare(self, who: Principal, namespace: str, kind: Holder, holder: str) -> None:
        await self._may_share(who, namespace)
        act = self._shared("share.take", who, namespace, kind, holder)
        if not await self._access.unshare(namespace, kind, holder, act):
            raise NotFound(f"{namespace!r} is not shared with {holder!r}")
        await self._identities.changed()

    async def shares(self, who: Principal, namespace: str) -> Sequence[Share]:
        await self._may_share(who, namespace)
        return await self._access.shares(namespace)

    @staticmethod
    def _shared(action: str, who: Principal, namespace: str, kind: Holder, holder: str) -> Act:
        if kind not in ("principal", "team"):
            raise AccessError(f"Nobody is a {kind!r}", "A share is a principal's or a team's.")
        if kind == "team":
            return _act(who, action, "", {"namespace": namespace, "team": _slug(holder)})
        return _act(who, action, _id(holder), {"namespace": namespace})

    async def _sees(self, who: Principal, namespace: Namespace) -> bool:
        return right(who, namespace, await self._identities.right(who, namespace.name)) is not None

    async def _may_share(self, who: Principal, name: str) -> None:
        """What was lent cannot be lent on: the namespace's owner shares it, an admin who may publish there, any owner."""
        found = next((each for each in await self._identities.namespaces() if each.name == name), None)
        if found is None or not (who.may("owner") or await self._sees(who, found)):
            raise NotFound(f"There is no namespace {name!r}")
        own = who.id == found.owner or who.may("admin")
        if not (who.may("owner") or (own and right(who, found) == "publish")):
            raise Refused(f"{name!r} is shared by its owner, or by an admin who may publish there")


def _act(who: Principal, action: str, target: str, data: Mapping[str, int | str] | None = None) -> Act:
    return Act(actor(who), action, target, data or {}, who.address)


def _holds(who: Principal, scopes: Collection[Scope]) -> None:
    """Raises `Refused` where `who` would give more than they hold, or what only an owner gives."""
    unknown = sorted(set(scopes) - set(get_args(Scope)))
    if unknown:
        raise AccessError(f"There is no scope {unknown[0]!r}", f"There are {', '.join(get_args(Scope))}.")
    if HIGH & set(scopes):
        who.need("owner")
    for scope in sorted(scopes):
        who.need(scope)


def _role(role: str) -> Role:
    if role not in SCOPES:
        raise AccessError(f"There is no role {role!r}", f"There are {', '.join(SCOPES)}.")
    return cast("Role", role)


def _id(principal: str) -> str:
    if not is_id(principal):
        raise AccessError(
            "A principal is named by its id, 32 hexadecimal digits",
            "`GET /whoami` tells theirs to whoever asks; `rulebound keys list` tells those of keys.",
        )
    return principal


def _slug(name: str) -> str:
    if _SLUG.fullmatch(name) is None:
        raise AccessError(
            f"{name[:80]!r} is no name for a namespace or a team",
            "Take small letters, digits, points, dashes and underscores, 64 at most.",
        )
    return name
