"""Every act over HTTP and the scope that it needs, as data: `test_matrix.py` tries each as every kind of caller.

A path may hold `{key}`, `{who}`, `{player}`, `{ns}`: ids that exist when it is tried. `body` is what is sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Act:
    method: str
    path: str
    scope: str
    """Empty: anybody may, also without a credential."""
    body: Any = None

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


MATRIX = (
    Act("GET", "/whoami", ""),
    Act("GET", "/openapi.json", ""),
    Act("GET", "/.well-known/oauth-protected-resource", ""),
    Act("POST", "/ticket", "game:play"),
    Act("GET", "/admin/keys", "admin"),
    Act("POST", "/admin/keys", "admin", {"name": "another", "scopes": ["kb:read"]}),
    Act("DELETE", "/admin/keys/{key}?confirm={key}", "admin"),
    Act("GET", "/admin/roles", "admin"),
    Act("PUT", "/admin/roles/{who}/player", "admin"),
    Act("PUT", "/admin/roles/{who}/designer", "admin"),
    Act("PUT", "/admin/roles/{who}/gm", "admin"),
    Act("PUT", "/admin/roles/{who}/admin", "owner"),
    Act("PUT", "/admin/roles/{who}/owner", "owner"),
    Act("DELETE", "/admin/roles/{who}/designer?confirm=designer", "admin"),
    Act("DELETE", "/admin/roles/{who}/admin?confirm=admin", "owner"),
    Act("GET", "/admin/teams", "admin"),
    Act("PUT", "/admin/teams/green/{who}", "owner"),
    Act("DELETE", "/admin/teams/green/{who}?confirm={who}", "admin"),
    Act("GET", "/admin/namespaces", "admin"),
    Act("PUT", "/admin/namespaces/extra", "owner", {"location": "/srv/extra"}),
    Act("DELETE", "/admin/namespaces/extra?confirm=extra", "admin"),
    Act("GET", "/admin/namespaces/{ns}/shares", "admin"),
    Act("PUT", "/admin/namespaces/{ns}/shares/principal/{who}", "admin", {"right": "write"}),
    Act("DELETE", "/admin/namespaces/{ns}/shares/principal/{who}?confirm={who}", "admin"),
    Act("GET", "/admin/players?name=Ada", "admin"),
    Act("GET", "/admin/players/{player}", "admin"),
    Act("GET", "/admin/players/{player}/export", "admin"),
    Act("GET", "/admin/jobs", "admin"),
    Act("POST", "/admin/jobs/retry", "admin"),
    Act("GET", "/admin/audit", "admin"),
    Act("DELETE", "/admin/players/{player}?confirm={player}", "admin"),
)

CALLERS = ("nobody", "expired", "foreign", "revoked", "reader", "player", "designer", "gm", "admin", "owner")
"""Roles as keys; a key that may only read; and those whose credential is not good."""
BAD = ("expired", "foreign", "revoked")
