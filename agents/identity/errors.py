"""Owns what is wrong with a credential. It must not hold any part of one."""

from __future__ import annotations


class Unrecognised(Exception):
    """The credential is not good: `args[0]` says why in words of ours, never in words of the credential."""

    hint = "Get a new token or key, and send it as `Authorization: Bearer …`."


class IssuerAway(Unrecognised):
    """The issuer's keys cannot be read at present, so that no token of its can be checked."""

    hint = "Try again in a moment."
