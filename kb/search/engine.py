"""Owns the index itself: tantivy's schema, how a document becomes entries of it, and how words and marks are asked for.

`Engine.memory(documents)`, `Engine.made(folder)` and `Engine.opened(folder)`; `change(…)` is one atomic commit. A mark is an
exact term, as `p:` and a path. It must not know what a name or a link resolves to, nor where folders lie.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path, PurePosixPath

import orjson
import tantivy
from tantivy import Filter, Query, Schema, SchemaBuilder, TextAnalyzer, TextAnalyzerBuilder, Tokenizer

from kb.pages.source import Blob
from kb.search.documents import Document

HEADING_WEIGHT = 4
SMALL_HEAP, LARGE_HEAP = 15_000_000, 64_000_000
"""Bytes of a writer's memory for each of its threads: tantivy's least, and for a whole knowledge base."""


@dataclass(frozen=True, slots=True)
class Row:
    """One part of a page as it is stored; `id`, `name`, `head` and `links` stand on a page's first part alone."""

    path: str
    kind: str
    heading: str
    line: int
    text: str
    library: str = ""
    id: str = ""
    name: str = ""
    head: str = ""
    links: tuple[str, ...] | list[str] = ()


def _analyzer() -> TextAnalyzer:
    """Words without case, accents and English endings; what is longer than 60 bytes is no word."""
    builder = TextAnalyzerBuilder(Tokenizer.simple()).filter(Filter.remove_long(60)).filter(Filter.lowercase())
    return builder.filter(Filter.ascii_fold()).filter(Filter.stemmer("english")).build()


def _schema() -> Schema:
    builder = SchemaBuilder().add_text_field("words", tokenizer_name="words", index_option="freq")
    builder.add_text_field("marks", tokenizer_name="raw", index_option="basic")
    return builder.add_bytes_field("row", stored=True).build()


class Engine:
    """One index as it was at its last commit; reading is safe from any thread."""

    def __init__(self, index: tantivy.Index):
        self._index = index
        self.schema = index.schema
        self.analyzer = _analyzer()
        index.register_tokenizer("words", self.analyzer)
        index.config_reader("manual")

    @staticmethod
    def memory(documents: Iterable[Document], *, heap: int = SMALL_HEAP) -> Engine:
        """An index in memory."""
        engine = Engine(tantivy.Index(_schema()))
        engine.change((), documents, heap=heap)
        return engine

    @staticmethod
    def made(folder: Path) -> Engine:
        """An empty index in an empty folder."""
        return Engine(tantivy.Index(_schema(), str(folder)))

    @staticmethod
    def opened(folder: Path) -> Engine:
        """The index in a folder. Raises `ValueError` where it is damaged."""
        return Engine(tantivy.Index.open(str(folder)))

    def change(
        self, gone: Iterable[str], documents: Iterable[Document], *, library: str = "", heap: int = SMALL_HEAP
    ) -> None:
        """Takes pages out by their marks and puts documents in, as one commit. Raises `ValueError` where a disk fails."""
        writer = self._index.writer(heap, 1 if heap == SMALL_HEAP else 2)
        for mark in gone:
            writer.delete_documents_by_term("marks", mark)
        for document in documents:
            for entry in _entries(document, library):
                writer.add_document(entry)
        writer.commit()
        writer.wait_merging_threads()
        self._index.reload()
        self.__dict__.pop("searcher", None)

    @cached_property
    def searcher(self) -> tantivy.Searcher:
        return self._index.searcher()

    @property
    def size(self) -> int:
        """How many parts there are."""
        return self.searcher.num_docs

    def mark(self, mark: str) -> Query:
        """A filter for one exact mark, which weighs nothing."""
        return Query.const_score_query(Query.term_query(self.schema, "marks", mark, "basic"), 0.0)

    def rows(self, query: Query | str, limit: int) -> list[Row]:
        """The rows that a query or a mark finds, in no order."""
        query = self.mark(query) if isinstance(query, str) else query
        return [self._row(at) for _, at in self.searcher.search(query, limit, count=False).hits]

    def first(self, path: str) -> Row | None:
        """The first part of a page."""
        marks = [(tantivy.Occur.Must, self.mark(mark)) for mark in ("page", f"p:{path}")]
        return next(iter(self.rows(Query.boolean_query(marks), 1)), None)

    def _row(self, at: tantivy.DocAddress) -> Row:
        return Row(**orjson.loads(self.searcher.doc(at)["row"][0]))

    def has(self, mark: str) -> bool:
        return bool(self.searcher.search(self.mark(mark), 1, count=False).hits)

    def ranked(self, query: Query, limit: int, offset: int) -> list[tuple[float, Row]]:
        """The rows that fit best, with their scores."""
        hits = self.searcher.search(query, limit, count=False, offset=offset).hits
        return [(float(score), self._row(at)) for score, at in hits]

    def values(self, prefix: str) -> list[str]:
        """What follows a prefix in the marks that are in use."""
        terms = self.searcher.terms_with_prefix("marks", prefix)
        return [term.removeprefix(prefix) for term, _ in terms if self.has(term)]

    def files(self) -> dict[str, Blob]:
        """The files whose pages it holds, by path; no library's. Their sizes are not known."""
        query = Query.boolean_query(
            [(tantivy.Occur.Must, self.mark("page")), (tantivy.Occur.MustNot, self.mark("lib"))]
        )
        return {row.path: Blob(row.path, row.id, 0) for row in self.rows(query, max(1, self.size))}


def fact(key: str, value: str) -> str:
    """The mark of a fact of the front matter."""
    return f"f:{key}={value}".casefold()


def _entries(document: Document, library: str) -> Iterator[tantivy.Document]:
    path = PurePosixPath(document.path)
    shared = [f"p:{path}", f"k:{document.kind}", *(f"d:{folder}" for folder in path.parents)]
    shared += [fact(key, value) for key, value in document.facts]
    if library:
        shared += ["lib", f"lib:{library}"]
    for number, part in enumerate(document.parts):
        row = Row(document.path, document.kind, part.heading, part.line, part.text, library)
        words = f"{part.heading} {path.with_suffix('')}\n" * HEADING_WEIGHT + part.text
        marks = shared
        if number == 0:
            row = replace(row, id=document.id, name=document.name, head=document.head, links=document.links)
            words = "\n".join((words, *(value for _, value in document.facts)))
            marks = [*shared, "page", f"n:{path.name.removesuffix('.md')}"]
            marks += [f"i:{document.name}"] if document.name else []
            marks += [f"l:{target}" for target in targets(document.links)]
        yield tantivy.Document(words=words, marks=marks, row=orjson.dumps(row))


def targets(links: Iterable[str]) -> list[str]:
    """The names in links, without the headings that they point to."""
    return list(dict.fromkeys(name for link in links if (name := link.split("#")[0].strip())))
