"""Owns the shape of API keys: `rb_<prefix>_<secret>`. It must not know where they are kept.

The prefix finds the key and may be shown; of the secret, 256 random bits, a hash is kept.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass

_KEY = re.compile(r"rb_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")


@dataclass(frozen=True, slots=True)
class Secret:
    """A key as it was said. Only `prefix` and `hash` may be kept."""

    prefix: str
    hash: bytes


def new_key() -> tuple[str, Secret]:
    """A new key as its holder gets it, once, and what is kept of it."""
    text = f"rb_{secrets.token_hex(6)}_{secrets.token_urlsafe(32)}"
    found = read(text)
    assert found is not None, "it was made just now"
    return text, found


def read(text: str) -> Secret | None:
    """What a key is compared by; None for what is no key."""
    found = _KEY.fullmatch(text)
    # Random bits need no slow hash: there is nothing to guess.
    return found and Secret(found[1], hashlib.sha256(found[2].encode()).digest())
