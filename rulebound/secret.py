"""Owns the secret that all workers of a home share: it seals what clients carry for us. It must not know what is sealed."""

from __future__ import annotations

import os
import secrets
import tempfile
from pathlib import Path

from rulebound.settings import Settings

BYTES = 32


class SecretError(Exception):
    """What is given as a secret is none."""

    hint = "Make one: python3 -c 'import secrets; print(secrets.token_hex(32))'"


def secret(settings: Settings) -> bytes:
    """`RULEBOUND_SECRET`, or random bytes in a file of the home, made by whoever asks first. Raises `SecretError`."""
    if settings.secret is not None:
        if len(settings.secret) < BYTES:
            raise SecretError(f"RULEBOUND_SECRET has fewer than {BYTES} characters")
        return settings.secret.encode()
    file = settings.home / "secret"
    if not file.exists():
        _make(file)
    return file.read_bytes()


def _make(file: Path) -> None:
    """Whole or not at all, and once, whoever else does the same."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix="secret.")  # for this user alone
    new = Path(name)
    with open(descriptor, "wb") as opened:
        opened.write(secrets.token_bytes(BYTES))
        opened.flush()
        os.fsync(descriptor)
    try:
        os.link(new, file)
    except FileExistsError:
        pass
    finally:
        new.unlink()
