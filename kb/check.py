"""Owns the whole check of a knowledge base: read, compile, analyse, run the examples.

`check(source)` gives every experience's rulebook and every problem; pass the former `Checked` as `before` to do only what
changed. It must not know who asked (command line, live reload, editor).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from kb import library
from kb.analysis import analyse
from kb.compiler.builtin import PAGE_KEYS
from kb.compiler.classify import Folder, experiences_of, kind_page_ids
from kb.compiler.compile import Compiled, compile_experience
from kb.diagnostics import Diagnostic, Severity, problem
from kb.pages.cache import load_pages
from kb.pages.page import Page, parse_bytes
from kb.pages.source import Source
from kb.referee import Referee
from kb.rulebook import Rulebook
from kb.testing import example_problems, scenario_problems


@dataclass(frozen=True)
class Checked:
    """A knowledge base at a commit. `rulebooks` holds the experiences that compiled without an error."""

    commit: str
    pages: Mapping[str, Page]
    rulebooks: Mapping[str, Rulebook]
    problems: tuple[Diagnostic, ...]
    compiled: Mapping[str, Compiled]
    known: Mapping[str, tuple[str, Page]]
    """path → (content id, page), for the next check"""

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        return tuple(each for each in self.problems if each.severity is Severity.ERROR)


@cache
def bundled_pages(name: str) -> dict[str, Page]:
    """The pages of a bundled library, by the path under which they are cited (`shared/adventure/take.md`)."""
    root = library.libraries()[name]
    return {
        path: parse_bytes(path, file.read_bytes())
        for file in sorted(root.rglob("*.md"))
        if (path := f"shared/{name}/{file.relative_to(root).as_posix()}")
    }


def check(
    source: Source,
    *,
    cache: Path | None = None,
    before: Checked | None = None,
    run: bool = True,
    scenarios: bool = False,
) -> Checked:
    """Everything that is wrong with a knowledge base, and its rulebooks.

    `run` also runs the examples of rules and tables, `scenarios` also the scenarios.
    """
    pages = load_pages(source, cache, before.known if before else {}, _is_typed)
    bundled = {name: bundled_pages(name) for name in library.libraries()}
    pages |= _of_own_kinds(source, pages, bundled)
    folders, problems = experiences_of(pages, bundled)
    problems = [*source.problems, *problems]
    blobs = source.files()
    compiled: dict[str, Compiled] = {}
    rulebooks: dict[str, Rulebook] = {}
    in_folders: set[str] = set()
    for folder in folders:
        former = before.compiled.get(folder.experience.id) if before else None
        result = compile_experience(
            folder,
            source.commit,
            lambda path: source.read(blobs[path]) if path in blobs else None,
            blobs,
            former,
        )
        in_folders |= {page.path for page in folder.pages}
        found = list(result.problems)
        if result.partial is not None:
            found += _beyond(result.partial, folder, run=run, scenarios=scenarios, whole=result.rulebook is not None)
        compiled[folder.experience.id] = replace(result, problems=tuple(found))
        problems += found
        if result.rulebook is not None and not any(each.severity is Severity.ERROR for each in found):
            rulebooks[folder.experience.id] = result.rulebook
    known = {path: (blobs[path].id, page) for path, page in pages.items()}
    for path, page in pages.items():
        if path not in in_folders:
            problems += page.problems
    return Checked(source.commit, pages, rulebooks, tuple(sorted(set(problems))), compiled, known)


def _is_typed(page: Page) -> bool:
    """Whether the front matter says that there is more than lore on the page, as far as the page alone can tell."""
    return not page.front.entries.keys().isdisjoint(PAGE_KEYS)


def _of_own_kinds(
    source: Source, pages: Mapping[str, Page], bundled: Mapping[str, Mapping[str, Page]]
) -> dict[str, Page]:
    """Pages that were taken for lore before the kinds were known, whole."""
    kinds = kind_page_ids(page for some in (pages, *bundled.values()) for page in some.values())
    slim = (page for page in pages.values() if not page.text and not kinds.isdisjoint(page.front.entries))
    return {page.path: parse_bytes(page.path, source.read(source.files()[page.path])) for page in slim}


def _beyond(rulebook: Rulebook, folder: Folder, *, run: bool, scenarios: bool, whole: bool) -> list[Diagnostic]:
    """What only rules together show: clashes, gaps, unreachable places, examples that fail. What needs every page to be
    right (invariants at the start, scenarios) waits for the `whole`."""
    own = {page.path for page in folder.own}
    found = analyse(rulebook, own)
    found += [
        problem(
            "RB606",
            condition.span,
            f"The invariant does not hold at the start{f' ({id})' if id else ''}",
            "Change it, or a start.",
        )
        for condition, id in (Referee(rulebook).start_problems if whole else ())
    ]
    if run:
        found += example_problems(rulebook)
    if scenarios and whole:
        found += scenario_problems(rulebook)
    return found
