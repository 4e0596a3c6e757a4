"""Owns what is read of a page at once: a page or a section, from a line on, up to so many characters. It must not know indexes."""

from __future__ import annotations

from collections.abc import Sequence

from kb.search.results import Excerpt

MAX_CHARACTERS = 8_000


def excerpt(
    path: str,
    lines: Sequence[str],
    headings: Sequence[tuple[str, int]],
    commit: str,
    *,
    section: str | None = None,
    first: int = 1,
    characters: int = 4_000,
) -> Excerpt | None:
    """A part of a page; `headings` are (text, line) in order. None where it has no such section."""
    end = len(lines)
    if section is not None:
        at = next((n for n, each in enumerate(headings) if each[0].casefold() == section.casefold()), None)
        if at is None:
            return None
        first = max(first, headings[at][1])
        end = headings[at + 1][1] - 1 if at + 1 < len(headings) else end
    budget, taken = max(200, min(characters, MAX_CHARACTERS)), list[str]()
    for line in lines[first - 1 : end]:
        if taken and len(line) >= budget:
            break
        taken.append(line[:budget])
        budget -= len(taken[-1]) + 1
    last = first + len(taken) - 1
    return Excerpt(
        path,
        "\n".join(taken),
        first,
        last,
        last + 1 if last < end else None,
        commit,
        headings[0][0] if headings else "",
    )
