"""Owns making an index from files: only what changed since a former one, in memory where a knowledge base is small.

`in_memory(source, …)` and `on_disk(source, cache, …)` give an engine. It must not know how pages are asked for.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from kb.pages.source import Blob, Source
from kb.search.documents import Document, of_bytes, of_page
from kb.search.engine import LARGE_HEAP, SMALL_HEAP, Engine
from kb.search.results import Libraries, Tell
from kb.search.store import Store
from kb.types import storable

MANY_CHANGES = 2_000
_TOLD_EACH = 1_000


@dataclass(frozen=True, slots=True)
class Former:
    """A former index of the same place: its folder, and what it holds by path."""

    folder: Path
    files: Mapping[str, Blob]


@dataclass(frozen=True, slots=True)
class Built:
    """An engine, and what it takes to make the next one of it (None where it is in memory)."""

    engine: Engine
    former: Former | None = None


def in_memory(source: Source, libraries: Libraries, tell: Tell | None = None) -> Built:
    """An index of all pages, in memory."""
    engine = Engine.memory(())
    _change(engine, source, libraries, {}, tell)
    return Built(engine)


def on_disk(
    source: Source, cache: Path, libraries: Libraries, former: Former | None = None, tell: Tell | None = None
) -> Built:
    """The index of a source's commit below the cache's folder, made where there is none. Raises `OSError`, `ValueError`."""
    store = Store(cache, source.place)
    folder = store.find(source.commit)
    if folder is None:
        with store.building():
            folder = store.find(source.commit) or _made(store, source, libraries, former, tell)
    return Built(Engine.opened(folder), Former(folder, source.files()))


def _made(store: Store, source: Source, libraries: Libraries, former: Former | None, tell: Tell | None) -> Path:
    """A new index of the commit: a former one with what changed, or a whole one."""
    base = former.folder if former is not None and former.folder.exists() else store.newest()
    if base is not None:
        try:
            with store.filling(source.commit, base) as folder:
                engine = Engine.opened(folder)
                known = former.files if former is not None and former.folder == base else engine.files()
                _change(engine, source, libraries, known, tell)
            return store.path(source.commit)
        except (OSError, ValueError):
            store.discard(base)  # deleted meanwhile, or damaged while it was open
    with store.filling(source.commit, None) as folder:
        _change(Engine.made(folder), source, libraries, {}, tell)
    return store.path(source.commit)


def _change(engine: Engine, source: Source, libraries: Libraries, known: Mapping[str, Blob], tell: Tell | None) -> None:
    """Brings an index that holds these files to the source's."""
    files = source.files()
    changed = [
        blob
        for path, blob in files.items()
        if (old := known.get(path)) is not blob and (old is None or old.id != blob.id) and _is_page(path)
    ]
    gone = [*(known.keys() - files.keys()), *(blob.path for blob in changed)]
    heap = LARGE_HEAP if len(changed) > MANY_CHANGES else SMALL_HEAP
    engine.change([f"p:{path}" for path in gone if known], _documents(source, changed, tell), heap=heap)
    _take_libraries(engine, libraries, files)


def _take_libraries(engine: Engine, libraries: Libraries, own: Mapping[str, Blob]) -> None:
    """Puts in the pages of the libraries that pages use now, and takes out those of others."""
    named = " ".join(engine.values("f:uses="))
    used = {name for name in libraries if re.search(rf"\b{re.escape(name)}\b", named)}
    present = set(engine.values("lib:"))
    for name in sorted(used ^ present):
        pages = libraries[name]().values() if name in used else ()
        documents = [of_page(page) for page in pages if page.path not in own]
        engine.change([f"lib:{name}"], documents, library=name)


def _documents(source: Source, blobs: Collection[Blob], tell: Tell | None) -> Iterator[Document]:
    for number, blob in enumerate(blobs):
        if tell is not None and number % _TOLD_EACH == 0:
            tell(number, len(blobs))
        yield of_bytes(blob.path, blob.id, source.read(blob))


def _is_page(path: str) -> bool:
    """Whether a file is searched: one whose name is no Unicode text cannot be named in an answer."""
    return path.lower().endswith(".md") and storable(path) == path
