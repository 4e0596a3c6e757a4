"""Owns the cache of parsed pages on disk: by content id and parser version, shared by processes, never trusted blindly.

`load_pages(source, folder)` gives all pages of a source. It must not know what pages mean.
"""

from __future__ import annotations

import hashlib
import pickle
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from functools import cache
from pathlib import Path

from kb.pages import front, page
from kb.pages.page import Page, parse_bytes
from kb.pages.source import Source

_CHUNK = 500
MAX_ROWS = 250_000
LARGE = 2_000
"""Pages of a knowledge base beyond which not all are held whole: one takes ten times its file's size."""
_SLIM = "~"
"""Follows the content id of what is kept for a large knowledge base."""


@cache
def _version() -> str:
    """Changes with the parser's code, so that a new release never reads what an old one wrote."""
    code = b"".join(Path(module.__file__ or "").read_bytes() for module in (page, front))
    return hashlib.sha256(code).hexdigest()[:16]


def load_pages(
    source: Source,
    folder: Path | None,
    before: Mapping[str, tuple[str, Page]] | None = None,
    keep: Callable[[Page], bool] | None = None,
) -> dict[str, Page]:
    """Every page of a source by path; parsed once for each content where there is a cache folder.

    `before` has pages of the former commit by path, with their content ids. Of more than `LARGE` pages, those that are not
    to `keep` come without their text and sections.
    """
    blobs = [blob for blob in source.files().values() if blob.path.lower().endswith(".md")]
    before = before or {}
    kept = {blob.path: held[1] for blob in blobs if (held := before.get(blob.path)) and held[0] == blob.id}
    new = [blob for blob in blobs if blob.path not in kept]
    slim = keep is not None and len(blobs) > LARGE
    mark = _SLIM if slim else ""
    for start in range(0, len(new), _CHUNK):
        chunk = new[start : start + _CHUNK]
        known = _read(folder, [f"{blob.id}{mark}" for blob in chunk]) if folder is not None else {}
        fresh: list[tuple[str, Page]] = []
        for blob in chunk:
            found = known.get((f"{blob.id}{mark}", blob.path))
            if found is None:
                found = parse_bytes(blob.path, source.read(blob))
                if slim and keep is not None and not keep(found):
                    found = replace(found, description=(), sections=(), text="")
                fresh.append((f"{blob.id}{mark}", found))
            kept[blob.path] = found
        if fresh and folder is not None:
            _write(folder, fresh)
    return {blob.path: kept[blob.path] for blob in blobs}


def _open(folder: Path) -> sqlite3.Connection:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    connection = sqlite3.connect(folder / f"pages-{_version()}.sqlite", timeout=2, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=OFF")
    connection.execute(
        "CREATE TABLE IF NOT EXISTS pages (id TEXT, path TEXT, sum BLOB, page BLOB, PRIMARY KEY (id, path))"
    )
    return connection


def _read(folder: Path, ids: list[str]) -> dict[tuple[str, str], Page]:
    """What the cache holds of these contents. Anything damaged is parsed again; the folder is ours alone (0700)."""
    found: dict[tuple[str, str], Page] = {}
    try:
        with closing(_open(folder)) as connection:
            marks = ",".join("?" * len(ids))
            rows = connection.execute(f"SELECT id, path, sum, page FROM pages WHERE id IN ({marks})", ids)  # noqa: S608
            for id, path, checksum, data in rows:
                if hashlib.sha256(data).digest() == checksum:
                    found[id, path] = pickle.loads(data)  # noqa: S301 — written by us, checked, in our own folder
    except (sqlite3.Error, OSError, pickle.PickleError, AttributeError, EOFError, ImportError, TypeError):
        return found
    return found


def _write(folder: Path, fresh: list[tuple[str, Page]]) -> None:
    try:
        with closing(_open(folder)) as connection:
            connection.execute("BEGIN")
            for id, each in fresh:
                data = pickle.dumps(each, protocol=5)
                row = (id, each.path, hashlib.sha256(data).digest(), data)
                connection.execute("INSERT OR REPLACE INTO pages VALUES (?, ?, ?, ?)", row)
            connection.execute("COMMIT")
            (count,) = connection.execute("SELECT COUNT(*) FROM pages").fetchone()
            if count > MAX_ROWS:
                connection.execute(
                    "DELETE FROM pages WHERE rowid IN (SELECT rowid FROM pages ORDER BY rowid LIMIT ?)",
                    (count // 2,),
                )
    except (sqlite3.Error, OSError):
        return  # a full or read-only disk costs speed, nothing else
