"""Owns recognising: a key or a token in, a `Principal` out; and which rights a principal was lent.

`await identities.recognise(credential)`. What it knows it knows for `TTL` seconds at most; `listening()` hears at once of what
other workers change. It must not know transports, and never logs or keeps a credential.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Hashable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, cast, get_args

from agents.access import RIGHTS, Namespace, Principal, Right, Role, Scope
from agents.identity import keys
from agents.identity.errors import Unrecognised
from agents.identity.issuer import Issuer
from storage.channels import Channels, ChannelsAway

if TYPE_CHECKING:
    from storage.postgres.access import PostgresAccess

__all__ = ["TTL", "Identities", "Unrecognised"]

V = TypeVar("V")
TTL = timedelta(seconds=30)
"""How long what was found out is believed: a revoked key is refused everywhere after this, whatever else fails."""
CHANGED: Final = "room:access"
"""The channel on which workers hear that something was granted or taken back."""
HOUR = timedelta(hours=1)
_NOBODY = b"\0" * 32


class _Known(Generic[V]):
    """What was found out lately; bounded. What was asked before a `forget` is not kept after it."""

    def __init__(self, now: Callable[[], datetime], most: int = 10_000):
        self._now, self._most = now, most
        self._kept: OrderedDict[Hashable, tuple[datetime, V]] = OrderedDict()
        self.age = 0

    def get(self, name: Hashable) -> V | None:
        found = self._kept.get(name)
        return found[1] if found and found[0] > self._now() else None

    def keep(self, name: Hashable, value: V, age: int, until: datetime | None = None) -> V:
        if age == self.age:
            end = self._now() + TTL
            self._kept[name] = end if until is None else min(end, until), value
            self._kept.move_to_end(name)
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return value

    def forget(self) -> None:
        self._kept.clear()
        self.age += 1


class Identities:
    """Without an `issuer` only keys are recognised."""

    def __init__(
        self,
        access: PostgresAccess,
        channels: Channels,
        *,
        now: Callable[[], datetime],
        issuer: Issuer | None = None,
    ):
        self._access, self._channels, self._now, self._issuer = access, channels, now, issuer
        self._principals = _Known[Principal](now)
        self._shares = _Known[Sequence[tuple[str, Right, datetime | None]]](now)
        self._namespaces = _Known[Sequence[Namespace]](now)

    def known(self, credential: str) -> Principal | None:
        """Whose credential it is, as far as this process knows; asks nobody."""
        return self._principals.get(_digest(credential))

    async def recognise(self, credential: str) -> Principal:
        """Raises `Unrecognised`, `storage.StoreAway`."""
        found = self.known(credential)
        if found is not None:
            return found
        age, secret = self._principals.age, keys.read(credential)
        if secret is not None:
            who, until = await self._by_key(secret)
        elif self._issuer is not None:
            who, until = await self._by_token(self._issuer, credential)
        else:
            raise Unrecognised("it is no key")
        return self._principals.keep(_digest(credential), who, age, until)

    async def _by_key(self, secret: keys.Secret) -> tuple[Principal, datetime | None]:
        found = await self._access.key(secret.prefix)
        # One answer for a key that never was, one that is wrong and one that is over, in the same time.
        genuine = hmac.compare_digest(found.hash if found else _NOBODY, secret.hash)
        now = self._now()
        if found is None or not genuine or found.key.revoked or (found.key.expires and found.key.expires <= now):
            raise Unrecognised("the key is unknown, has expired or was revoked")
        key = found.key
        if key.used is None or now - key.used >= HOUR:
            await self._access.used(key.id, now)
        narrowed = frozenset(cast("tuple[Scope, ...]", key.scopes))
        roles, teams = _roles(found.roles), frozenset(found.teams)
        return Principal.of(key.principal, *roles, narrowed=narrowed, teams=teams, kind="key"), key.expires

    async def _by_token(self, issuer: Issuer, token: str) -> tuple[Principal, datetime]:
        claims = await issuer.read(token)
        held, member = await self._access.held(claims.principal)
        # Whoever the issuer makes a token for us for may play.
        roles = _roles({"player", *claims.roles, *held})
        narrowed = None if claims.scopes is None else cast("frozenset[Scope]", claims.scopes)
        who = Principal.of(claims.principal, *roles, narrowed=narrowed, teams=claims.teams | set(member))
        return who, claims.expires

    # --- namespaces and what was lent

    async def namespaces(self) -> Sequence[Namespace]:
        """All that are kept, whoever may see them: `agents.access.right` decides that."""
        found = self._namespaces.get("")
        if found is not None:
            return found
        age = self._namespaces.age
        rows = await self._access.namespaces()
        return self._namespaces.keep("", [namespace_of(row) for row in rows], age)

    async def right(self, who: Principal, namespace: str) -> Right | None:
        """The most that shares which hold now give a principal, by themselves or through their teams."""
        if who.kind == "public":
            return None
        name = (who.id, who.teams)
        found = self._shares.get(name)
        if found is None:
            age = self._shares.age
            rows = await self._access.shared(who.id, sorted(who.teams), self._now())
            found = self._shares.keep(name, cast("Sequence[tuple[str, Right, datetime | None]]", rows), age)
        now = self._now()
        lent: list[Right] = [
            may for where, may, until in found if where == namespace and (until is None or until > now)
        ]
        return max(lent, key=RIGHTS.index) if lent else None

    # --- changes

    def forget(self) -> None:
        """Everything is asked anew."""
        for each in (self._principals, self._shares, self._namespaces):
            each.forget()

    async def changed(self) -> None:
        """Forgets, here and in every worker that listens; those that do not hear it forget within `TTL`."""
        self.forget()
        with suppress(ChannelsAway):
            await self._channels.say(CHANGED, {})

    @asynccontextmanager
    async def listening(self) -> AsyncGenerator[None]:
        """Hears what other workers change, inside an `async with`: for processes that stay."""
        async with self._channels.listen(CHANGED) as events:

            async def hear() -> None:
                async for _ in events:
                    self.forget()

            task = asyncio.create_task(hear())
            try:
                yield
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)


def namespace_of(row: Any) -> Namespace:
    return Namespace(row.name, row.location, row.visibility, row.owner, row.team)


def _digest(credential: str) -> bytes:
    return hashlib.sha256(credential.encode("utf-8", "surrogatepass")).digest()


def _roles(names: Any) -> list[Role]:
    """Those that there are; others are another application's."""
    return [role for role in get_args(Role) if role in names]
