"""Owns making an index from files: only what changed since a former one, in memory where a knowledge base is small.

`built(source, cache, …)` gives an engine. It must not know how pages are asked for.
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
    blobs = _pages(source.files())
    engine = Engine.memory(_documents(source, blobs.values(), tell), heap=_heap(len(blobs)))
    _take_libraries(engine, libraries, blobs)
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
                known = former.files if former is not None and former.folder == base else None
                _change(engine, source, libraries, _ids(known) if known is not None else engine.ids(), tell)
            return store.path(source.commit)
        except (OSError, ValueError):
            store.discard(base)  # deleted meanwhile, or damaged while it was open
    with store.filling(source.commit, None) as folder:
        _change(Engine.made(folder), source, libraries, {}, tell)
    return store.path(source.commit)


def _change(engine: Engine, source: Source, libraries: Libraries, known: Mapping[str, str], tell: Tell | None) -> None:
    """Brings an index that knows these pages, by content id, to the source's."""
    blobs = _pages(source.files())
    changed = [blob for path, blob in blobs.items() if known.get(path) != blob.id]
    gone = [f"p:{path}" for path, id in known.items() if path not in blobs or blobs[path].id != id]
    engine.change(gone, _documents(source, changed, tell), heap=_heap(len(changed)))
    _take_libraries(engine, libraries, blobs)


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


def _pages(files: Mapping[str, Blob]) -> dict[str, Blob]:
    return {path: blob for path, blob in files.items() if path.lower().endswith(".md")}


def _ids(files: Mapping[str, Blob]) -> dict[str, str]:
    return {path: blob.id for path, blob in _pages(files).items()}


def _heap(pages: int) -> int:
    return LARGE_HEAP if pages > MANY_CHANGES else SMALL_HEAP
