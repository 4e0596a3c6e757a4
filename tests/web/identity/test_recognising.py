"""A credential is recognised when it is genuine, for us and not over; every other one is refused, and nothing of it is told."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from datetime import timedelta
from typing import Any

import anyio
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm

from agents.access import LOCAL
from agents.identity import TTL, IssuerKeys, Unrecognised
from agents.identity.errors import IssuerAway

pytestmark = pytest.mark.anyio
OTHER = ec.generate_private_key(ec.SECP256R1())


def encoded(data: Any) -> str:
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def symmetric(site: Any, secret: bytes, kid: str) -> str:
    """A token signed with a public key as if it were a shared secret; libraries refuse to make one."""
    head, claims = encoded({"alg": "HS256", "typ": "JWT", "kid": kid}), encoded(site.issuer.claims())
    return f"{head}.{claims}.{encoded(hmac.digest(secret, f'{head}.{claims}'.encode(), 'sha256'))}"


@pytest.mark.requirement("4.33")
async def test_a_key_is_who_it_was_made_for_with_what_roles_and_scopes_both_allow(site: Any) -> None:
    key = await site.key("designer", scopes=["kb:read", "kb:publish", "game:play"])
    found = await site.whoami(key)
    assert (found["kind"], found["roles"], found["scopes"]) == ("key", ["designer"], ["game:play", "kb:read"])
    assert len(found["principal"]) == 32
    (kept,) = await site.store.access.keys(found["principal"])
    assert kept.used is not None
    assert (kept.used.minute, kept.used.second) == (0, 0)


@pytest.mark.requirement("4.33")
async def test_of_a_key_only_a_hash_is_kept(site: Any) -> None:
    key = await site.key("player")
    secret = key.split("_", 2)[2]
    rows = await site.store.connections.fetch("SELECT api_keys::text AS row, hash FROM api_keys")
    assert not any(secret in row["row"] for row in rows)
    assert hashlib.sha256(secret.encode()).digest() in [row["hash"] for row in rows]


@pytest.mark.requirement("0.25", "4.33")
async def test_a_key_that_is_revoked_is_refused_at_once_and_in_another_worker_too(serve: Any) -> None:
    one, two = await serve(), await serve()
    key = await one.key("player")
    assert (await one.whoami(key))["kind"] == (await two.whoami(key))["kind"] == "key"
    (kept,) = await one.store.access.keys((await one.whoami(key))["principal"])
    await one.granting.revoke_key(LOCAL, kept.id)
    assert await one.whoami(key) == {"status": 401}
    with anyio.fail_after(10):
        while two.entrance.identities.known(key):  # as soon as it hears of it
            await anyio.sleep(0.01)
    assert await two.whoami(key) == {"status": 401}


@pytest.mark.requirement("0.25")
async def test_a_worker_that_hears_nothing_refuses_a_revoked_key_within_the_stated_time(site: Any) -> None:
    known = site.entrance.identities._principals
    before, key = known.age, await site.key("player")
    async with asyncio.timeout(20):
        while known.age < before + 2:  # the worker hears of the key that it made itself, and forgets what it knows
            await asyncio.sleep(0.01)
    assert (await site.whoami(key))["kind"] == "key"
    await site.store.connections.fetch("UPDATE api_keys SET revoked = now() WHERE prefix = $1", key.split("_")[1])
    assert (await site.whoami(key))["kind"] == "key"
    site.clock.ahead += TTL
    assert await site.whoami(key) == {"status": 401}


async def test_a_key_ends_when_it_expires_also_while_it_is_known(site: Any) -> None:
    key = await site.key("player", days=1)
    site.clock.ahead += timedelta(days=1, seconds=-5)
    assert (await site.whoami(key))["kind"] == "key"
    site.clock.ahead += timedelta(seconds=6)
    assert await site.whoami(key) == {"status": 401}


async def test_a_key_that_is_wrong_in_any_part_is_answered_like_one_that_never_was(site: Any) -> None:
    key = await site.key("player")
    _, prefix, secret = key.split("_", 2)
    wrong = [
        f"rb_{prefix}_{'A' * 43}",
        f"rb_{'0' * 12}_{secret}",
        key[:-1],
        key + "A",
        key.upper(),
        "rb_",
        "'; DROP",
        "ü",
    ]
    answers = {(await site.ask("GET", "/whoami", each.encode().decode("latin-1"))).status_code for each in wrong[:7]}
    assert answers == {401}
    told = {(await site.ask("GET", "/whoami", each)).text for each in wrong[:2]}
    assert len(told) == 1


@pytest.mark.requirement("4.33")
@pytest.mark.parametrize("key", ["rsa", "ec", "ed"])
async def test_a_token_of_the_issuer_is_a_player_with_the_roles_and_teams_that_it_names(site: Any, key: str) -> None:
    token = site.token(key, roles=["gm", "nobody-knows-this"], groups=["red"])
    found = await site.whoami(token)
    assert (found["kind"], found["roles"], found["teams"]) == ("token", ["gm", "player"], ["red"])
    assert found["principal"] == (await site.whoami(site.token("rsa")))["principal"]
    assert found["principal"] != (await site.whoami(site.token(key, sub="local")))["principal"]
    assert "ada" not in json.dumps(found)


async def test_a_token_with_scopes_may_do_what_they_and_its_roles_both_allow(site: Any) -> None:
    token = site.token(roles=["admin"], scope="openid kb:read game:direct owner")
    assert (await site.whoami(token))["scopes"] == ["game:direct", "kb:read"]
    assert (await site.whoami(site.token(scope="openid")))["scopes"] == []


async def test_roles_that_were_granted_here_add_to_those_of_a_token(site: Any) -> None:
    who = (await site.whoami(site.token(sub="bob")))["principal"]
    await site.granting.grant(LOCAL, who, "designer")
    await site.granting.join(LOCAL, who, "blue")
    found = await site.whoami(site.token(sub="bob"))
    assert (found["roles"], found["teams"]) == (["designer", "player"], ["blue"])


FORGED: dict[str, Any] = {
    "signed by another key": lambda site: jwt.encode(site.issuer.claims(), OTHER, "ES256", {"kid": "ec"}),
    "unsigned": lambda site: jwt.encode(site.issuer.claims(), "", "none", {"kid": "ec"}),
    "unsigned, in other letters": lambda site: ".".join(
        [encoded({"alg": "nOnE", "kid": "ec"}), encoded(site.issuer.claims()), ""]
    ),
    "signed with the public key as a secret": lambda site: symmetric(
        site, site.issuer.keys["rsa"].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), "rsa"
    ),
    "signed with a symmetric key of the set": lambda site: symmetric(site, b"\0\0\0", "secret"),
    "of an algorithm that is not taken": lambda site: jwt.encode(
        site.issuer.claims(), site.issuer.keys["rsa"], "PS256", {"kid": "rsa"}
    ),
    "of another algorithm than its key": lambda site: jwt.encode(
        site.issuer.claims(), site.issuer.keys["ec"], "ES256", {"kid": "rsa"}
    ),
    "with an unknown key id": lambda site: site.token(header={"kid": "elsewhere"}),
    "with a key id that is a path": lambda site: site.token(header={"kid": "../../dev/null"}),
    "with a key of its own": lambda site: jwt.encode(
        site.issuer.claims(), OTHER, "ES256",
        {"kid": "ec", "jwk": json.loads(ECAlgorithm.to_jwk(OTHER.public_key()))},
    ),
    "with an address of a key": lambda site: site.token(header={"jku": f"{site.url}/jwks"}),
    "with an address of a certificate": lambda site: site.token(header={"x5u": f"{site.url}/cert"}),
    "with a critical header": lambda site: site.token(header={"crit": ["b64"], "b64": True}),
    "of another kind": lambda site: site.token(header={"typ": "logout+jwt"}),
    "expired": lambda site: site.token(exp=int(time.time()) - 31),
    "not valid yet": lambda site: site.token(nbf=int(time.time()) + 60),
    "from the future": lambda site: site.token(iat=int(time.time()) + 60),
    "without an end": lambda site: site.token(exp=None),
    "without a subject": lambda site: site.token(sub=None),
    "for another server": lambda site: site.token(aud="https://other.example.org/mcp"),
    "for nobody": lambda site: site.token(aud=None),
    "for a server whose name begins like ours": lambda site: site.token(aud="https://play.example.org.evil.example/mcp"),
    "of another issuer": lambda site: site.token(iss="https://issuer.example.org"),
    "without an issuer": lambda site: site.token(iss=None),
    "cut": lambda site: site.token()[:-4],
    "with changed claims": lambda site: _changed(site.token(), site.issuer.claims(roles=["owner"])),
    "too long": lambda site: site.token(more="x" * 9000),
    "no token": lambda site: "a.b.c",
}  # fmt: skip


def _changed(token: str, claims: dict[str, Any]) -> str:
    head, _, signature = token.split(".")
    return f"{head}.{encoded(claims)}.{signature}"


@pytest.mark.requirement("4.33")
@pytest.mark.parametrize("what", FORGED)
async def test_a_token_that_is_forged_foreign_or_over_is_refused_and_nothing_of_it_is_told(
    site: Any, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    token = FORGED[what](site)
    answer = await site.ask("GET", "/whoami", token)
    assert answer.status_code == 401
    challenge = answer.headers["www-authenticate"]
    assert challenge.startswith('Bearer error="invalid_token"')
    assert 'resource_metadata="https://play.example.org/.well-known/oauth-protected-resource/mcp"' in challenge
    for part in (token, *(each for each in token.split(".") if len(each) > 8), "ada@example.org"):
        assert part not in answer.text + str(answer.headers) + caplog.text


async def test_clocks_may_differ_by_half_a_minute(site: Any) -> None:
    now = int(time.time())
    assert (await site.whoami(site.token(exp=now - 20)))["kind"] == "token"
    assert (await site.whoami(site.token(sub="eve", nbf=now + 20, iat=now + 20)))["kind"] == "token"


async def test_without_an_issuer_there_are_keys_alone(serve: Any) -> None:
    site = await serve(issuer=False)
    assert await site.whoami(site.token()) == {"status": 401}
    assert (await site.ask("GET", "/.well-known/oauth-protected-resource")).status_code == 404
    assert (await site.whoami(await site.key("player")))["kind"] == "key"


# --- the issuer's keys


class Fetched:
    """An issuer as `IssuerKeys` reads it, and the time."""

    def __init__(self, site: Any):
        self.keys: list[Any] = [_published(site, "ec")]
        self.asked: list[str] = []
        self.away = False
        self.time = 0.0
        self.of = IssuerKeys("https://i.example", "https://i.example/jwks", fetch=self, clock=self.clock)

    async def __call__(self, url: str) -> bytes:
        self.asked.append(url)
        if self.away:
            raise ValueError("away")
        return json.dumps({"keys": self.keys}).encode()

    def clock(self) -> float:
        return self.time


def _published(site: Any, name: str, **more: Any) -> dict[str, Any]:
    public = site.issuer.keys[name].public_key()
    return {**json.loads(ECAlgorithm.to_jwk(public)), "kid": name, **more}


@pytest.fixture
def fetched(site: Any) -> Any:
    return Fetched(site)


async def test_tokens_with_made_up_key_ids_bring_no_load_to_the_issuer(fetched: Any) -> None:
    for number in range(100):
        assert await fetched.of.key(f"made-up-{number}") is None
    assert len(fetched.asked) == 1
    fetched.time += 31
    assert await fetched.of.key("made-up") is None
    assert len(fetched.asked) == 2


async def test_a_key_that_the_issuer_adds_is_found_and_one_that_it_takes_away_is_forgotten(
    fetched: Any, site: Any
) -> None:
    assert await fetched.of.key("ec") is not None
    fetched.keys = [{**fetched.keys[0], "kid": "new"}]
    fetched.time += 31
    assert await fetched.of.key("new") is not None
    assert await fetched.of.key("ec") is None


async def test_while_the_issuer_is_away_its_keys_hold_for_a_day_and_then_nobody_is_let_in(fetched: Any) -> None:
    assert await fetched.of.key("ec") is not None
    fetched.away = True
    fetched.time += 23 * 3600
    assert await fetched.of.key("ec") is not None
    fetched.time += 2 * 3600
    with pytest.raises(IssuerAway):
        await fetched.of.key("ec")


@pytest.mark.parametrize("more", [
    {"use": "enc"}, {"alg": "ES512"}, {"crv": "P-999"}, {"kty": "oct"}, {"x": "!"}, {"kid": 7}, {"kid": None},
])  # fmt: skip
async def test_a_key_that_is_good_for_something_else_is_left_out_and_the_others_stay(
    fetched: Any, site: Any, more: dict[str, Any]
) -> None:
    fetched.keys.append({**_published(site, "ec"), "kid": "other", **more})
    assert await fetched.of.key("other") is None
    assert await fetched.of.key("ec") is not None


@pytest.mark.parametrize("url", ["http://issuer.example.org", "ftp://issuer.example.org", "file:///etc", "issuer"])
def test_an_issuer_without_tls_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="https"):
        IssuerKeys(url)


async def test_the_keys_of_a_token_are_read_once(site: Any) -> None:
    for name in ("rsa", "ec", "ed"):
        assert (await site.whoami(site.token(name)))["kind"] == "token"
    assert site.issuer.read == 1


async def test_an_issuer_that_was_never_reached_is_told_as_away_and_not_as_a_forgery(serve: Any) -> None:
    site = await serve()
    token = site.token()
    site.entrance.identities._issuer._keys._fetch = _nobody
    answer = await site.ask("GET", "/whoami", token)
    assert (answer.status_code, answer.json()["error"]) == (503, "issuer_away")
    with pytest.raises(Unrecognised):
        await site.entrance.identities.recognise(token)


async def _nobody(url: str) -> bytes:
    raise ValueError(url)
