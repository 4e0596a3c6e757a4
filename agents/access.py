"""Owns who may do what: principals, roles, scopes, and rights in a namespace of knowledge.

`who.need("kb:write")` and `right(who, namespace, shared)`; every refusal is a `Refused`. It must not know transports, nor how
a principal was recognised.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, get_args

Role = Literal["player", "designer", "gm", "admin", "owner"]
Scope = Literal["kb:read", "kb:write", "kb:publish", "game:play", "game:direct", "admin", "owner"]
Right = Literal["read", "write", "publish"]
Kind = Literal["local", "token", "key", "public"]

SCOPES: Final[Mapping[Role, frozenset[Scope]]] = {
    "player": frozenset({"kb:read", "game:play"}),
    "designer": frozenset({"kb:read", "kb:write", "game:play"}),
    "gm": frozenset({"kb:read", "game:play", "game:direct"}),
    "admin": frozenset({"kb:read", "kb:write", "kb:publish", "game:play", "game:direct", "admin"}),
    "owner": frozenset(get_args(Scope)),
}
"""What each role may ask for. `kb:write` writes drafts; the live branch takes `kb:publish`, or a right in that namespace."""

RIGHTS: Final[tuple[Right, ...]] = ("read", "write", "publish")
"""From the least to the most; each holds those before it."""


class Refused(Exception):
    """The principal may not do this: `args[0]` says what is missing, `hint` whom to ask. Nothing was done."""

    def __init__(self, message: str, hint: str = "Ask an admin of this server for the role or a share."):
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks, as the server recognised them; a credential may allow less than the roles do, never more."""

    id: str
    scopes: frozenset[Scope]
    roles: frozenset[Role] = frozenset()
    teams: frozenset[str] = frozenset()
    kind: Kind = "token"
    address: str = ""
    """Where the request came from, for limits and the audit; empty on standard input."""

    @staticmethod
    def of(
        id: str,
        *roles: Role,
        narrowed: frozenset[Scope] | None = None,
        teams: frozenset[str] = frozenset(),
        kind: Kind = "token",
        address: str = "",
    ) -> Principal:
        """A principal with the scopes of its roles, or the part of them that its credential names."""
        scopes = frozenset[Scope]().union(*(SCOPES[role] for role in roles))
        kept = scopes if narrowed is None else scopes & narrowed
        return Principal(id, kept, frozenset(roles), teams, kind, address)

    def may(self, scope: Scope) -> bool:
        return scope in self.scopes

    def need(self, scope: Scope) -> None:
        """Raises `Refused` where the scope is missing."""
        if scope not in self.scopes:
            what = f"This needs the scope {scope!r}, which {self.id} does not have"
            if self.kind == "public":
                raise Refused(what, "Send a key or a token as `Authorization: Bearer …`.")
            if any(scope in SCOPES[role] for role in self.roles):
                raise Refused(what, f"A role has it, the key or token does not: get one with the scope {scope!r}.")
            raise Refused(what)


LOCAL: Final = Principal.of("local", "owner", kind="local")
"""Whoever owns the process: the command line and standard input on this machine."""
PUBLIC: Final = Principal("public", frozenset({"kb:read"}), kind="public")
"""A request without a credential: it reads what is shared with everybody, and plays nothing."""


@dataclass(frozen=True, slots=True)
class Namespace:
    """A knowledge base and who it belongs to.

    `shared` is read by everybody who may read; `team` by the members of `team`; `private` by its owner alone. More rights
    come from shares, which expire.
    """

    name: str
    location: str
    """A bundled world's name, a folder or a URL."""
    visibility: Literal["shared", "team", "private"] = "shared"
    owner: str = LOCAL.id
    team: str = ""


def right(who: Principal, namespace: Namespace, shared: Right | None = None) -> Right | None:
    """The most that a principal may do in a namespace; `shared` is what a share that holds now gives them.

    None: the namespace is not there for them, and is answered like one that does not exist.
    """
    if not who.may("kb:read"):
        return None
    own = who.id == namespace.owner and who.kind != "public"
    member = namespace.visibility == "shared" or (namespace.visibility == "team" and namespace.team in who.teams)
    found: list[Right] = [shared] if shared else []
    if own:
        found.append("publish")
    if member:
        found.append("publish" if who.may("kb:publish") else "write")
    if not found:
        return None
    most = max(found, key=RIGHTS.index)
    return most if who.may("kb:write") else "read"
