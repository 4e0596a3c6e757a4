"""Owns what each page of a knowledge base is: which front-matter key names its kind, its id, and whose it is.

`experiences_of(pages)` groups pages by experience. It must not know what is inside the pages' sections.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from kb.compiler.builtin import PAGE_KEYS, RESERVED, TEMPLATE_KEYS
from kb.diagnostics import Diagnostic, Severity, Span, problem
from kb.pages.front import LORE_KEYS
from kb.pages.page import Page
from kb.suggest import closest, suggest

ID = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class Typed:
    """A page that is not lore: the key that names what it is, its id, and where that stands."""

    page: Page
    key: str
    id: str
    span: Span


@dataclass(frozen=True, slots=True)
class Folder:
    """One experience: its page, its own pages and those of the libraries that it uses, libraries last."""

    experience: Typed
    own: tuple[Page, ...]
    libraries: tuple[Page, ...]

    @property
    def pages(self) -> tuple[Page, ...]:
        return (*self.own, *self.libraries)


def experiences_of(
    pages: Mapping[str, Page], bundled: Mapping[str, Mapping[str, Page]]
) -> tuple[list[Folder], list[Diagnostic]]:
    """The experiences among all pages of a knowledge base. `bundled` has the libraries that ship, by name."""
    problems: list[Diagnostic] = []
    found: list[tuple[PurePosixPath, Typed]] = []
    for path, page in pages.items():
        entry = page.front.entries.get("experience")
        if entry is not None:
            found.append((PurePosixPath(path).parent, Typed(page, "experience", str(entry.value), entry.value_span)))
    if not found:
        place = Span(min(pages, default="."), 1)
        hint = "Add a page with `experience: my-world` in its front matter."
        return [], [problem("RB601", place, "No page of the knowledge base names an experience", hint)]
    folders: list[Folder] = []
    for root, typed in found:
        inner = [other for other, _ in found if other != root and _within(other, root)]
        own = tuple(
            page
            for path, page in pages.items()
            if _within(PurePosixPath(path), root)
            and not any(_within(PurePosixPath(path), other) for other in inner)
            and not (path.startswith("shared/") and root == PurePosixPath("."))
        )
        libraries, more = _libraries(typed, pages, bundled)
        problems += more
        folders.append(Folder(typed, own, libraries))
    return folders, problems


def _within(path: PurePosixPath, root: PurePosixPath) -> bool:
    return root == PurePosixPath(".") or path == root or root in path.parents


def _libraries(
    typed: Typed, pages: Mapping[str, Page], bundled: Mapping[str, Mapping[str, Page]]
) -> tuple[tuple[Page, ...], list[Diagnostic]]:
    entry = typed.page.front.entries.get("uses")
    if entry is None:
        return (), []
    names = entry.items if isinstance(entry.value, list) else ()
    if not isinstance(entry.value, list):
        return (), [problem("RB105", entry.value_span, "`uses` is not a list", "Write `uses: [adventure]`.")]
    chosen: list[Page] = []
    problems: list[Diagnostic] = []
    own = {PurePosixPath(path).parts[1] for path in pages if path.startswith("shared/") and path.count("/") > 1}
    for item in names:
        name = str(item.value)
        if name in own:
            chosen += [page for path, page in pages.items() if path.startswith(f"shared/{name}/")]
        elif name in bundled:
            chosen += bundled[name].values()
        else:
            hint = suggest(name, {*own, *bundled}) or f"Make the folder `shared/{name}/`."
            problems.append(problem("RB602", item.span, f"There is no library `{name}`", hint))
    return tuple(chosen), problems


def kind_page_ids(pages: Iterable[Page]) -> set[str]:
    """The ids that `kind:` pages declare, before anything else is known."""
    return {str(entry.value) for page in pages if (entry := page.front.entries.get("kind")) is not None and entry.value}


def classify(pages: Iterable[Page], kinds: set[str]) -> tuple[list[Typed], list[Diagnostic]]:
    """Every page that is not lore, and problems with keys and ids."""
    typed: list[Typed] = []
    problems: list[Diagnostic] = []
    keys = (*PAGE_KEYS, *(kind for kind in sorted(kinds) if kind not in PAGE_KEYS))
    for page in pages:
        entries = page.front.entries
        present = [key for key in keys if key in entries and not (key == "experience" and "scenario" in entries)]
        if "kind" in present:
            present = ["kind"]
        # `agent: otto` with `item: …` as a starting value: the first key on the page says what it is.
        present.sort(key=list(entries).index)
        if not present:
            problems += _misspelt(page, keys)
            continue
        key = present[0]
        entry = entries[key]
        id = entry.value
        # Only what instances are made from is named in expressions.
        reserved = id in RESERVED and (key in TEMPLATE_KEYS or key not in PAGE_KEYS)
        if not isinstance(id, str) or not ID.fullmatch(id) or reserved:
            why = "is reserved" if reserved else "is not kebab-case"
            problems.append(
                problem(
                    "RB109",
                    entry.value_span,
                    f"The id {id!r} {why}",
                    "Use small letters and hyphens: `brass-lamp`.",
                )
            )
            continue
        typed.append(Typed(page, key, id, entry.value_span))
    return typed, problems


def _misspelt(page: Page, keys: Iterable[str]) -> list[Diagnostic]:
    for key, entry in page.front.entries.items():
        if key in LORE_KEYS:
            continue
        near = closest(key, keys)
        if near:
            hint = f"Did you mean `{near}`?"
            return [problem("RB105", entry.key_span, f"No kind of page is named `{key}`", hint)]
        return [
            problem(
                "RB105",
                entry.key_span,
                f"No key of the front matter says what the page is, and `{key}` is not known",
                f"Begin with one of {', '.join(f'`{k}`' for k in PAGE_KEYS)}, or leave the front matter out for lore.",
                Severity.WARNING,
            )
        ]
    return []


def duplicates(typed: Iterable[Typed]) -> list[Diagnostic]:
    """Ids that two pages have: of templates over all kinds, of other pages within their kind."""
    first: dict[tuple[str, str], Typed] = {}
    problems: list[Diagnostic] = []
    for each in typed:
        if each.key == "kind":
            continue
        group = each.key if each.key in PAGE_KEYS and each.key not in TEMPLATE_KEYS else "template"
        other = first.setdefault((group, each.id), each)
        if other is not each:
            problems.append(
                problem(
                    "RB110",
                    each.span,
                    f"The id `{each.id}` is used twice, first at {other.span}",
                    "Choose another id.",
                )
            )
    return problems
