"""Owns what a query means: words only, whatever it holds; mended where no page has them, the last one maybe half typed.

`ask(engine, query)` gives a `Meaning`. The work is bounded: `MAX_WORDS`, `MAX_MENDED`. It must not know filters or pages.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from rapidfuzz.distance import DamerauLevenshtein
from tantivy import Occur, Query

from kb.search.engine import Engine, fact

MAX_CHARACTERS, MAX_WORDS, MAX_MENDED = 2_000, 12, 3
MANY = 10_000
"""In so many parts or more, a word that a third of them have says nothing beside a rarer one, and costs most of the time."""
_WORD = re.compile(r"[^\W_]+")
_ENDINGS, _CANDIDATES, _LOOKED_AT = 8, 20, 20_000


@dataclass(frozen=True, slots=True)
class Meaning:
    """What is looked for: `query` is None where no page has any of the words; `mended` holds terms, as the engine has them."""

    query: Query | None
    terms: frozenset[str]
    mended: Mapping[str, str]


def ask(engine: Engine, query: str) -> Meaning:
    """The query that somebody's words mean."""
    words = list(dict.fromkeys(engine.analyzer.analyze(query[:MAX_CHARACTERS].replace("\0", " "))))[:32]
    known = {word: engine.searcher.doc_freq("words", word) for word in words}
    terms = {word: count for word, count in known.items() if count}
    mended: dict[str, str] = {}
    for word in [word for word in words if word not in terms][:MAX_MENDED]:
        if found := (_endings(engine, word) if word == words[-1] else {}) or _near(engine, word):
            terms.update(found)
            mended[word] = next(iter(found))
    rarest = sorted(terms, key=terms.__getitem__)[:MAX_WORDS]
    if engine.size > MANY:
        rarest = [word for word in rarest if terms[word] * 3 < engine.size] or rarest
    if not rarest:
        return Meaning(None, frozenset(), mended)
    each = [(Occur.Should, Query.term_query(engine.schema, "words", word, "freq")) for word in rarest]
    return Meaning(Query.boolean_query(each), frozenset(rarest), mended)


def said(engine: Engine, term: str, text: str) -> str:
    """The word of a text that is looked for as a term; the term where the text has none."""
    words = _WORD.findall(text[:_LOOKED_AT])
    return next((word for word in words if engine.analyzer.analyze(word) == [term]), term)


def _endings(engine: Engine, start: str) -> dict[str, int]:
    """The commonest words that begin so, and how many parts have each."""
    return dict(engine.searcher.terms_with_prefix("words", start, limit=_ENDINGS)) if len(start) > 2 else {}


def _near(engine: Engine, word: str) -> dict[str, int]:
    """The nearest word that a page has, one or (in a long word) two letters off, and how many parts have it."""
    if len(word) < 4:
        return {}
    for distance in (1, 2) if len(word) > 7 else (1,):
        rows = engine.rows(Query.fuzzy_term_query(engine.schema, "words", word, distance), _CANDIDATES)
        # The engine finds the parts, not which of their words it was.
        held = {
            term
            for row in rows
            for term in engine.analyzer.analyze(f"{row.path} {row.head[:_LOOKED_AT]} {row.text[:_LOOKED_AT]}")
            if DamerauLevenshtein.distance(word, term, score_cutoff=distance) <= distance
        }
        if held:
            counts = {term: engine.searcher.doc_freq("words", term) for term in held}
            best = min(held, key=lambda term: (DamerauLevenshtein.distance(word, term), -counts[term], term))
            return {best: counts[best]}
    return {}


def narrowed(engine: Engine, query: Query, kind: str | None, under: str, where: Mapping[str, str]) -> Query:
    """A query for one kind of page, what lies under a folder or a path, and the facts that a page has."""
    marks = [f"k:{kind}"] if kind else []
    marks += [fact(key, value) for key, value in where.items()]
    only = [engine.mark(mark[:MAX_CHARACTERS]) for mark in marks]
    if folder := under.strip("/")[:MAX_CHARACTERS]:
        either = [(Occur.Should, engine.mark(mark)) for mark in (f"d:{folder}", f"p:{folder}")]
        only.append(Query.boolean_query(either))
    return Query.boolean_query([(Occur.Must, each) for each in (query, *only)]) if only else query
