"""Owns differences of JSON objects, so that a turn keeps what it changed instead of two whole states.

`apply(old, diff(old, new)) == new`. It must not know what the objects mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

Patch = dict[str, Any]
"""`{"=": {key: value}, "-": [key], "~": {key: patch}}`; empty where nothing differs."""


def diff(old: Mapping[str, Any], new: Mapping[str, Any]) -> Patch:
    """What makes `new` of `old`. Objects are compared key by key, everything else is replaced whole."""
    put: dict[str, Any] = {}
    inner: dict[str, Patch] = {}
    for key, value in new.items():
        former = old.get(key)
        if isinstance(former, dict) and isinstance(value, dict):
            if patch := diff(cast("dict[str, Any]", former), cast("dict[str, Any]", value)):
                inner[key] = patch
        # 1, 1.0 and true are equal in Python and three things in JSON.
        elif key not in old or former != value or repr(cast("object", former)) != repr(value):
            put[key] = value
    gone = [key for key in old if key not in new]
    return {name: part for name, part in (("=", put), ("-", gone), ("~", inner)) if part}


def apply(old: Mapping[str, Any], patch: Patch) -> dict[str, Any]:
    """`old` with a difference made; `old` stays as it is."""
    new = {key: value for key, value in old.items() if key not in patch.get("-", ())}
    for key, inner in patch.get("~", {}).items():
        new[key] = apply(new[key], inner)
    return {**new, **patch.get("=", {})}
