"""Owns tokens of an issuer: a JWT in, who it speaks for and what it claims out; and the issuer's public keys.

`await Issuer(url, audiences, IssuerKeys(url)).read(token)`. It must not know what roles may do.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlsplit

import orjson

from agents.identity.errors import IssuerAway, Unrecognised

if TYPE_CHECKING:
    # Heavy, so they are imported where they are used: only who has an issuer pays for them.
    import jwt
    from jwt import PyJWK

LEEWAY = 30
"""Seconds by which clocks may differ."""
FRESH = 600.0
"""Seconds after which the issuer's keys are read again."""
STALE = 24 * 3600.0
"""Seconds for which they are used when the issuer does not answer."""
PAUSE = 30.0
"""Seconds between two readings, whatever is asked: tokens with made-up key ids bring no load to the issuer."""
MOST_BYTES, MOST_KEYS, MOST_TOKEN = 256 * 1024, 64, 8 * 1024
ALGORITHMS: Final[Mapping[tuple[str, str], str]] = {
    ("RSA", ""): "RS256",
    ("EC", "P-256"): "ES256",
    ("OKP", "Ed25519"): "EdDSA",
}
"""By a key's type and curve the one algorithm that it is good for: a token cannot choose another."""
BITS = 2048
"""The shortest RSA key."""

Fetch = Callable[[str], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says, after it was checked."""

    principal: str
    """A digest of issuer and subject: the same person is the same principal, and no name or address is kept."""
    expires: datetime
    scopes: frozenset[str] | None
    """None: it names none, so that it may do what the roles may."""
    roles: frozenset[str]
    teams: frozenset[str]


class IssuerKeys:
    """The public keys of an issuer, by id; read when they are needed, and kept."""

    def __init__(
        self,
        issuer: str,
        url: str | None = None,
        *,
        fetch: Fetch | None = None,
        clock: Callable[[], float] = time.monotonic,
    ):
        """`url`: where the keys are; None: where the issuer's metadata says. Raises ValueError for an address without TLS."""
        self._issuer, self._url = _safe(issuer), url and _safe(url)
        self._fetch, self._clock = fetch or _get, clock
        self._keys: dict[str, tuple[str, PyJWK]] = {}
        self._read = self._asked = float("-inf")
        self._reading = asyncio.Lock()

    async def key(self, id: str) -> tuple[str, PyJWK] | None:
        """The algorithm and the key; None where the issuer has none of this id. Raises `IssuerAway`."""
        # Whoever knows a key does not wait while somebody else reads them again.
        if self._due(id) and not (id in self._keys and self._reading.locked()):
            async with self._reading:
                if self._due(id):
                    await self._again()
        if self._clock() - self._read > STALE:
            raise IssuerAway("the issuer's keys cannot be read")
        return self._keys.get(id)

    def _due(self, id: str) -> bool:
        """Whether the keys may and should be read again for this one."""
        now = self._clock()
        return now - self._asked > PAUSE and (now - self._read > FRESH or id not in self._keys)

    async def _again(self) -> None:
        """Reads the keys; where that fails, the old ones stay."""
        self._asked = self._clock()
        try:
            url = self._url or await self._named()
            found: Any = orjson.loads(await self._fetch(url))
            self._keys = _usable(found["keys"])
        except (OSError, ValueError, KeyError, TypeError):
            return
        self._read = self._clock()

    async def _named(self) -> str:
        """Where the issuer's metadata says that its keys are. Raises ValueError, and OSError where it does not answer."""
        base = self._issuer.rstrip("/")
        parts = urlsplit(base)
        root = f"{parts.scheme}://{parts.netloc}"
        try:
            told = orjson.loads(await self._fetch(f"{base}/.well-known/openid-configuration"))
        except (OSError, ValueError):
            told = orjson.loads(await self._fetch(f"{root}/.well-known/oauth-authorization-server{parts.path}"))
        if told["issuer"] != self._issuer:
            raise ValueError("the metadata is another issuer's")
        return _safe(told["jwks_uri"])


class Issuer:
    """`audiences`: the addresses of this server that a token may be made for; `roles` and `teams`: the claims that name them."""

    def __init__(
        self, url: str, audiences: Sequence[str], keys: IssuerKeys, *, roles: str = "roles", teams: str = "groups"
    ):
        self._url, self._audiences, self._keys = url, list(audiences), keys
        self._roles, self._teams = roles, teams

    async def read(self, token: str) -> Claims:
        """Raises `Unrecognised`: it is forged, foreign, too old or too new, or in a form that is not taken."""
        import jwt

        if len(token) > MOST_TOKEN:
            raise Unrecognised("the token is too long")
        try:
            head = jwt.get_unverified_header(token)
        except jwt.InvalidTokenError:
            raise Unrecognised("it is neither a key nor a token") from None
        id = head.get("kid")
        if head.get("alg") not in ALGORITHMS.values() or not isinstance(id, str):
            raise Unrecognised("the token is signed in a way that is not taken")
        if {"jwk", "jku", "x5c", "x5u", "crit"} & head.keys() or head.get("typ", "JWT").lower() not in (
            "jwt",
            "at+jwt",
        ):
            raise Unrecognised("the token's header asks for what is not taken")
        found = await self._keys.key(id)
        if found is None or found[0] != head["alg"]:
            raise Unrecognised("the token is signed by nobody whom its issuer names")
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                found[1],
                algorithms=[found[0]],
                audience=self._audiences,
                issuer=self._url,
                leeway=LEEWAY,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except jwt.InvalidTokenError as error:
            raise Unrecognised(_why(error)) from None
        return self._claims(claims)

    def _claims(self, claims: Mapping[str, Any]) -> Claims:
        subject = f"{self._url}\n{claims['sub']}"
        scopes = claims.get("scope", claims.get("scp"))
        return Claims(
            principal=hashlib.sha256(subject.encode("utf-8", "surrogatepass")).hexdigest()[:32],
            expires=datetime.fromtimestamp(min(float(claims["exp"]), _LAST), UTC),
            scopes=None if scopes is None else _words(scopes),
            roles=_words(_at(claims, self._roles)),
            teams=_words(_at(claims, self._teams)),
        )


_LAST = datetime(9999, 1, 1, tzinfo=UTC).timestamp()


def _why(error: jwt.InvalidTokenError) -> str:
    """Why a token is not good, in words of ours: those of the library may quote the token."""
    import jwt

    match error:
        case jwt.ExpiredSignatureError():
            return "the token has expired"
        case jwt.ImmatureSignatureError():
            return "the token is not valid yet"
        case jwt.InvalidAudienceError():
            return "the token is for another server"
        case jwt.InvalidIssuerError():
            return "the token is of another issuer"
        case _:
            return "the token is not genuine"


def _usable(keys: Any) -> dict[str, tuple[str, PyJWK]]:
    """The keys that can sign a token which is taken, each with its algorithm. Raises ValueError, TypeError."""
    from jwt import PyJWK, PyJWTError

    if not isinstance(keys, list):
        raise TypeError("keys are a list")
    usable: dict[str, tuple[str, PyJWK]] = {}
    for each in cast("list[dict[str, Any]]", keys)[:MOST_KEYS]:
        algorithm = ALGORITHMS.get((str(each.get("kty")), str(each.get("crv", ""))))
        id = each.get("kid")
        if algorithm is None or not isinstance(id, str) or each.get("use", "sig") != "sig":
            continue
        if each.get("alg", algorithm) != algorithm:
            continue
        try:
            key = PyJWK({name: value for name, value in each.items() if name != "d"}, algorithm)
        except PyJWTError:
            continue  # one that is broken does not take the others along
        if algorithm != "RS256" or key.key.key_size >= BITS:
            usable[id] = algorithm, key
    return usable


def _at(claims: Mapping[str, Any], name: str) -> Any:
    """A claim by its name; where there is none, by its path: `realm_access.roles`."""
    found: Any = claims
    for step in [name] if name in claims else name.split("."):
        found = cast("Mapping[str, Any]", found).get(step) if isinstance(found, Mapping) else None
    return found


def _words(value: Any) -> frozenset[str]:
    """The words of a claim: a text with spaces between, or a list of texts."""
    if isinstance(value, str):
        value = value.split()
    found = cast("list[Any]", value) if isinstance(value, list) else []
    return frozenset(each for each in found[:100] if isinstance(each, str) and len(each) <= 200 and each.isprintable())


def _safe(url: str) -> str:
    """The address, when nobody between can change what it answers. Raises ValueError."""
    parts = urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1", "localhost")):
        return url
    raise ValueError("the issuer's addresses begin with https://")


async def _get(url: str) -> bytes:
    """The body of an address, bounded in size and time. Raises OSError, ValueError."""
    import httpx2

    body = b""
    try:
        async with httpx2.AsyncClient(timeout=5.0) as client, client.stream("GET", url) as answer:
            if answer.status_code != 200:
                raise ValueError(f"the issuer answers {answer.status_code}")
            async for part in answer.aiter_bytes():
                body += part
                if len(body) > MOST_BYTES:
                    raise ValueError("the issuer answers too much")
    except httpx2.HTTPError as error:
        raise OSError(str(error)) from error
    return body
