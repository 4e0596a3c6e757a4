"""Owns reading JSON that others wrote: what Python's reader would let pass, or die of, is an error here.

`lines(file)` and `loads(text)`. It must not know what the data is for.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kb.types import TypeMismatch, storable_data

MAX_FILE = 256 * 1024 * 1024
"""Bytes of a file."""
MAX_LINE = 1024 * 1024
"""Characters of a line, of a file of lines."""


def text_of(file: Path) -> str:
    """A file's text, without a byte order mark. Raises `ValueError`."""
    try:
        if file.stat().st_size > MAX_FILE:
            raise ValueError(f"it is larger than {MAX_FILE // 1024 // 1024} MB")
        return file.read_text("utf-8-sig")
    except OSError as error:
        raise ValueError(error.strerror or str(error)) from None
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not UTF-8: {error.reason} at byte {error.start}") from None


def lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines that are not empty, with their numbers. Only a newline parts them: JSON may hold other separators in a text."""
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield number, line


def loads(text: str, limit: int = MAX_FILE) -> Any:
    """JSON data of at most `limit` characters with what can be stored as text. Raises `ValueError`.

    A key that is there twice, a number that is none, and what is nested too deep are errors.
    """
    if len(text) > limit:
        raise ValueError(f"it is longer than {limit:,} characters")
    try:
        return storable_data(json.loads(text, object_pairs_hook=_once, parse_constant=_no_number))
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"this is no JSON: {error}") from None
    except TypeMismatch as error:
        raise ValueError(str(error)) from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))
        raise ValueError(f"the key {twice[:80]!r} is there twice")
    return found


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")
