"""Owns the line of a section that shows why it was found. It must not know ranking."""

from __future__ import annotations

from kb.search.engine import Engine

LENGTH = 200
MAX_LINES, MAX_CHARACTERS = 200, 20_000
"""How far into a section is looked."""


def snippet(engine: Engine, text: str, terms: frozenset[str]) -> str:
    """The line with most of the terms, below the heading if it can be, cut around the first of them."""
    lines = text[:MAX_CHARACTERS].split("\n")[:MAX_LINES]
    best, most = "", 0
    for number, line in enumerate([*lines[1:], lines[0]]):
        found = len(terms.intersection(engine.analyzer.analyze(line))) if line.strip() else 0
        if found > most:
            best, most = line, found
        if most == len(terms) or (best and number == len(lines) - 2):
            break
    if not most:
        best = next((line for line in lines if line.strip()), "")
    return _cut(engine, best.strip(), terms)


def _cut(engine: Engine, line: str, terms: frozenset[str]) -> str:
    """At most 200 characters of a line, with the first word that is one of the terms."""
    if len(line) <= LENGTH:
        return line
    at = 0
    for word in line.split(" "):
        if at + len(word) > LENGTH and not terms.isdisjoint(engine.analyzer.analyze(word)):
            return f"…{line[max(0, at - LENGTH // 2) :][: LENGTH - 2]}…"
        if not terms.isdisjoint(engine.analyzer.analyze(word)):
            break
        at += len(word) + 1
    return f"{line[: LENGTH - 1]}…"
