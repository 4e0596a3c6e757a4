"""Owns `rulebound keys|roles|teams` and `rulebound kb share|unshare|shares`: who may do what here. It must not know how it is kept.

Whoever uses the command line is the owner of this machine.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar, cast

from agents.access import LOCAL, SCOPES, Right, Role, Scope
from agents.identity import TTL, Granting
from agents.identity.granting import HIGH, Holder
from rulebound.app import open_app
from rulebound.settings import Settings
from storage.access import Held

T = TypeVar("T")


def create_key(name: str, roles: Sequence[str], scopes: Sequence[str] | None, principal: str | None, days: int) -> int:
    """Prints a new key, once. Raises `AccessError`."""
    key, text = _with(
        lambda granting: granting.create_key(
            LOCAL,
            name,
            principal=principal,
            days=days,
            roles=cast("Sequence[Role]", roles),
            scopes=cast("Sequence[Scope] | None", scopes),
        )
    )
    print(text)
    print(f"This is shown once. It is key {key.id} of principal {key.principal}, until {key.expires:%Y-%m-%d}.")
    held = frozenset[Scope]().union(*(SCOPES[cast("Role", role)] for role in roles))
    if lacks := sorted(held & HIGH - set(key.scopes)) if scopes is None else []:
        print(
            f"rulebound: it may not do what needs the scope {' or '.join(lacks)}: a key has that only by `--scope`.",
            file=sys.stderr,
        )
    return 0


def keys(principal: str | None) -> int:
    """Prints every key that may be shown; 1 where there is none."""
    found = _with(lambda granting: granting.keys(LOCAL, principal))
    now = datetime.now(UTC)
    for each in found:
        over = each.expires is not None and each.expires <= now
        state = "revoked" if each.revoked else "expired" if over else f"until {each.expires:%Y-%m-%d}"
        used = f"used {each.used:%Y-%m-%d %H:00}" if each.used else "never used"
        print(f"{each.id}  {each.name}  rb_{each.prefix}_…  {each.principal}  {' '.join(each.scopes)}  {state}, {used}")
    return int(not found)


def revoke_key(id: str) -> int:
    _with(lambda granting: granting.revoke_key(LOCAL, id))
    print(f"Revoked. Every server refuses it within {TTL.seconds} s.")
    return 0


def grant(principal: str, role: str) -> int:
    _with(lambda granting: granting.grant(LOCAL, principal, cast("Role", role)))
    return 0


def withdraw(principal: str, role: str) -> int:
    _with(lambda granting: granting.withdraw(LOCAL, principal, cast("Role", role)))
    return 0


def roles(principal: str | None) -> int:
    """Prints who was granted what; 1 where nobody was."""
    return _held(_with(lambda granting: granting.roles(LOCAL, principal)))


def join(principal: str, team: str) -> int:
    _with(lambda granting: granting.join(LOCAL, principal, team))
    return 0


def leave(principal: str, team: str) -> int:
    _with(lambda granting: granting.leave(LOCAL, principal, team))
    return 0


def teams(principal: str | None) -> int:
    """Prints who is in which team; 1 where nobody is."""
    return _held(_with(lambda granting: granting.members(LOCAL, principal)))


def share(namespace: str, holder: str, right: str, days: int, *, team: bool) -> int:
    """`days` 0: until it is taken back."""
    until = datetime.now(UTC) + timedelta(days=days) if days else None
    may = cast("Right", right)
    _with(lambda granting: granting.share(LOCAL, namespace, _kind(team), holder, may, until))
    return 0


def unshare(namespace: str, holder: str, *, team: bool) -> int:
    _with(lambda granting: granting.unshare(LOCAL, namespace, _kind(team), holder))
    return 0


def shares(namespace: str) -> int:
    """Prints with whom a namespace is shared; 1 where with nobody."""
    found = _with(lambda granting: granting.shares(LOCAL, namespace))
    for each in found:
        until = f"until {each.until:%Y-%m-%d %H:%M} UTC" if each.until else "until it is taken back"
        print(f"{each.kind} {each.holder}: {each.may} {until}")
    return int(not found)


def _kind(team: bool) -> Holder:
    return "team" if team else "principal"


def _held(found: Sequence[Held]) -> int:
    for each in found:
        print(f"{each.principal}  {each.what}  by {each.granted_by}, {each.at:%Y-%m-%d}")
    return int(not found)


def _with(work: Callable[[Granting], Awaitable[T]]) -> T:
    async def run() -> T:
        async with open_app(Settings.from_environment()) as app:
            assert app.access is not None, "an app that was opened keeps who may do what"
            return await work(app.access.granting)

    return asyncio.run(run())
