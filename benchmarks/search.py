"""Search over a large knowledge base in Git: building, a one-page commit, words of every kind, links; the floors are the
same engine's bare query, SQLite's FTS5 and `git grep`.

    python tasks.py bench search [pages]     (20,000 pages; the design's figure is 100,000)
"""

from __future__ import annotations

import itertools
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import tantivy

from benchmarks.measure import peak, percentiles, row
from kb.pages.source import open_source
from kb.search import SearchIndex
from kb.search.engine import Engine

REQUIREMENTS = ("0.20", "0.43")
PAGES = 20_000
WORDS = 50_000
QUERIES = 200
_SYLLABLES = [c + v for c in "bcdfghjklmnprstvwz" for v in "aeiou"]


class Language:
    """Made-up words, the n-th about 1/n as frequent as the first."""

    def __init__(self, rng: random.Random):
        self.rng = rng
        made = {"".join(rng.choices(_SYLLABLES, k=rng.choice((2, 3, 3, 4)))): None for _ in range(2 * WORDS)}
        self.words = list(made)[:WORDS]
        weights = list(itertools.accumulate(1 / (n + 2.7) ** 1.07 for n in range(WORDS)))
        # Drawing is most of the time that making takes: a long text, cut at random.
        self._text = rng.choices(self.words, cum_weights=weights, k=500_000)

    def some(self, count: int) -> list[str]:
        at = self.rng.randrange(len(self._text) - count)
        return self._text[at : at + count]

    def rank(self, first: int, last: int) -> str:
        return self.words[self.rng.randrange(first, last)]

    def mistyped(self) -> str:
        word = max((self.rank(100, 5_000) for _ in range(3)), key=len)
        at = self.rng.randrange(1, len(word) - 1)
        return word[:at] + "x" + word[at + 1 :]

    def page(self, number: int, pages: int) -> str:
        """Three sections of sixty words, front matter, three links."""
        kind = ("note", "person", "place")[number % 3]
        parts = [f"---\n{kind}: p{number}\ntags: [t{number % 50}]\nregion: r{number % 20}\n---\n"]
        parts.append(f"# {' '.join(self.some(2))}\n")
        for _ in range(3):
            lines = [" ".join(self.some(12)) for _ in range(5)]
            parts.append(f"\n## {' '.join(self.some(3))}\n\n" + "\n".join(lines))
            parts.append(f"\nSee [[p{self.rng.randrange(pages)}]].\n")
        return "".join(parts)


def commit(folder: Path, pages: dict[str, str]) -> None:
    """One commit on main, through `git fast-import`."""
    parent = "from refs/heads/main^0\n" if (folder / "refs/heads/main").exists() else ""
    parts = [f"commit refs/heads/main\ncommitter a <a@example.org> 1700000000 +0000\ndata 1\nx\n{parent}"]
    parts += [f"M 100644 inline {path}\ndata {len(text)}\n{text}\n" for path, text in pages.items()]
    subprocess.run(["git", "-C", str(folder), "fast-import", "--quiet"], input="".join(parts).encode(), check=True)


def timed(call: Callable[[], object]) -> tuple[float, float]:
    """Seconds by the clock, and of this process's CPU."""
    start, cpu = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - start, time.process_time() - cpu


def line(name: str, ask: Callable[[str], object], queries: Sequence[str], floor: float | None = None) -> float:
    """Prints the percentiles of a kind of query; gives its CPU in ms."""
    ask(queries[0])
    spent = [timed(lambda query=query: ask(query)) for query in queries]
    p50, p95, p99 = (each * 1e3 for each in percentiles([wall for wall, _ in spent]))
    cpu = sum(each for _, each in spent) / len(spent) * 1e3
    row(
        name,
        f"{p50:.2f} / {p95:.2f} / {p99:.2f} ms",
        f"CPU {cpu:.2f} ms" + (f", {cpu - floor:+.2f} on the floor" if floor else ""),
    )
    return cpu


def bare(engine: Engine) -> Callable[[str], object]:
    """The engine's own union of the same words: no mending, no rows, no snippets."""

    def ask(query: str) -> object:
        terms = [
            (tantivy.Occur.Should, tantivy.Query.term_query(engine.schema, "words", word, "freq"))
            for word in engine.analyzer.analyze(query)
        ]
        return engine.searcher.search(tantivy.Query.boolean_query(terms), 10, count=False)

    return ask


def fts5(file: Path, engine: Engine) -> Callable[[str], object]:
    """The same parts in SQLite's full-text index, which ranks everything that has any of the words."""
    table = sqlite3.connect(file)
    table.execute("CREATE VIRTUAL TABLE parts USING fts5(words, tokenize = 'porter unicode61')")
    rows = engine.rows(tantivy.Query.all_query(), engine.size)
    table.executemany("INSERT INTO parts VALUES (?)", ((f"{row.heading} {row.text}",) for row in rows))
    table.commit()
    find = "SELECT rowid FROM parts WHERE parts MATCH ? ORDER BY rank LIMIT 10"
    return lambda query: table.execute(find, (" OR ".join(query.split()),)).fetchall()


def queries(language: Language) -> dict[str, list[str]]:
    rank = language.rank
    kinds: dict[str, Callable[[], str]] = {
        "typical: 2-3 words, one common": lambda: f"{rank(100, 3_000)} {rank(10, 100)} {rank(300, 9_000)}",
        "common words (in 5-45 % of sections)": lambda: f"{rank(10, 100)} {rank(10, 100)}",
        "rare words": lambda: f"{rank(5_000, 40_000)} {rank(5_000, 40_000)}",
        "a rare word among stop words": lambda: f"{rank(0, 5)} {rank(500, 5_000)} {rank(0, 5)}",
        "stop words only": lambda: f"{rank(0, 3)} {rank(0, 3)}",
        "a mistyped word": lambda: f"{rank(100, 3_000)} {language.mistyped()}",
        "a half-typed word": lambda: f"{rank(100, 3_000)} {rank(3_000, 9_000)[:3]}",
    }
    return {name: [make() for _ in range(QUERIES)] for name, make in kinds.items()}


def measure(folder: Path, pages: int) -> None:
    language = Language(random.Random(7))
    store, cache = folder / "pages.git", folder / "cache"
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(store)], check=True)
    for first in range(0, pages, 10_000):
        numbers = range(first, min(first + 10_000, pages))
        commit(store, {f"lore/{n % 100}/{n}.md": language.page(n, pages) for n in numbers})
    opened = open_source(store, "main")
    wall, cpu = timed(lambda: open_source(store, "main"))
    row(f"opening {pages:,} pages in Git", f"{wall:.2f} s", f"CPU {cpu:.2f} s")
    made: list[SearchIndex] = []
    wall, cpu = timed(lambda: made.append(SearchIndex.of(opened, cache=cache)))
    size = sum(file.stat().st_size for file in cache.rglob("*") if file.is_file()) / 2**20
    row("indexing all", f"{wall:.1f} s", f"CPU {cpu:.1f} s, {size:.0f} MiB on disk")
    wall, cpu = timed(lambda: SearchIndex.of(opened, cache=cache))
    row("opening the index again", f"{wall * 1e3:.0f} ms", f"CPU {cpu * 1e3:.0f} ms")

    index, spent = made[0], list[tuple[float, float]]()
    source = opened
    for number in range(20):
        commit(store, {f"lore/{number}/{number}.md": f"# Zebra quagga{number}\n\n[[p{number + 1}]]\n"})

        def take() -> None:
            nonlocal source, index
            source = source.again()
            index = SearchIndex.of(source, cache=cache, before=index)

        spent.append(timed(take))
        assert [hit.path for hit in index.search(f"quagga{number}", 1)] == [f"lore/{number}/{number}.md"]
    p50, p95, _ = percentiles([wall for wall, _ in spent])
    row(
        "a commit of one page is searchable (target 200 ms)",
        f"{p50 * 1e3:.0f} / {p95 * 1e3:.0f} ms",
        f"CPU {sum(c for _, c in spent) / len(spent) * 1e3:.0f} ms",
    )

    engine = index._engine  # pyright: ignore[reportPrivateUsage]
    row(f"parts: {engine.size:,}, segments", str(engine.searcher.num_segments))
    print("\np50 / p95 / p99 of a query (target p95 50 ms, CPU 1 ms for a typical one)")
    for name, asked in queries(language).items():
        floor = line(f"  engine alone: {name}", bare(engine), asked)
        line(f"  {name}", index.search, asked, floor)
    asked = queries(language)["typical: 2-3 words, one common"]
    line("  typical, of one kind", lambda query: index.find(query, kind="person"), asked)
    line("  typical, in one folder", lambda query: index.find(query, under="lore/7"), asked)
    line("  typical, with a fact", lambda query: index.find(query, where={"region": "r3"}), asked)
    line("  links of a page", index.links, [f"p{language.rng.randrange(pages)}" for _ in range(QUERIES)])
    line("  a page read", index.read, [f"p{language.rng.randrange(pages)}" for _ in range(QUERIES)])
    line("  neighbours, two links away", lambda name: index.neighbours(name, 2), [f"p{n}" for n in range(50)])
    line("  hostile: 100 kB of words", index.search, [" ".join(language.some(15_000))] * 20)
    other = fts5(folder / "fts.sqlite", engine)
    for name, asked in list(queries(language).items())[:3]:
        line(f"  SQLite FTS5: {name}", other, asked[:40])
    word = language.words[1_000]
    grep = ["git", "-C", str(store), "grep", "-l", word, "main"]
    spent = [timed(lambda: subprocess.run(grep, stdout=subprocess.DEVNULL, check=True)) for _ in range(3)]
    row("git grep of one word (floor without an index)", f"{min(wall for wall, _ in spent) * 1e3:.0f} ms")
    row(
        "peak memory",
        f"{peak()} MiB",
        "mapped files and Git's list among it",
    )


def main(arguments: Sequence[str] = ()) -> None:
    """Makes the pages in a temporary folder and prints what search costs over them."""
    pages = int(arguments[0]) if arguments else PAGES
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), pages)


if __name__ == "__main__":
    main(sys.argv[1:])
