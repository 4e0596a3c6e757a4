"""Owns who an NPC is, as its page says: description, voice, examples, what to say without a model, and the lore that it may know.

`Cast().of(world, template)`. Only the page itself and the lore pages that it links to are read. It must not know state.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from agents.worlds import World, with_libraries
from kb.compiler.builtin import PAGE_KEYS
from kb.pages.page import LINK, Bullet, Page, Quote, Section

MAX_LORE = 8
"""Lore pages of one NPC."""
MAX_LORE_TEXT = 4_000
"""Characters that are read of one."""
KEPT = 512
LINES = ("again", "fact", "promise", "unknown", "farewell")
"""What a page's `## Voice` may say for itself where no model answers: `- again: “Ah, {name} again.”`."""
_LINE = re.compile(rf"({'|'.join(LINES)}):\s*(.+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Lore:
    """A page without rules that an NPC may know. `paragraphs` are its prose."""

    path: str
    title: str
    paragraphs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Character:
    """An NPC's page. `examples` are things that it says (quotes under Voice); `lines` what it says without a model."""

    id: str
    name: str
    path: str
    voice: str
    examples: tuple[str, ...]
    lines: Mapping[str, str]
    lore: tuple[Lore, ...]
    links: tuple[str, ...]
    """Ids of templates and quests that the page names: what it has to do with."""

    @property
    def text(self) -> str:
        """Everything that the page gives it to say."""
        parts = (self.voice, *self.examples, *(p for lore in self.lore for p in (lore.title, *lore.paragraphs)))
        return "\n".join(parts)


class Cast:
    """The characters that were read, for each commit."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str, str], Character] = OrderedDict()

    def of(self, world: World, template: str) -> Character:
        """The character of a template's page."""
        key = (world.commit, world.rulebook.settings.id, template)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = character(world, template)
            while len(self._known) > KEPT:
                self._known.popitem(last=False)
        return found


def character(world: World, template: str) -> Character:
    """Reads an NPC's page."""
    known = world.rulebook.templates.get(template)
    name = known.name if known else template
    pages = with_libraries(world.checked.pages)
    page = pages.get(known.span.path) if known else None
    if page is None:
        return Character(template, name, "", "", (), {}, (), ())
    blocks = [block for section in page.sections if section.heading == "Voice" for block in section.blocks]
    lines = {m[1]: m[2].strip() for b in blocks if isinstance(b, Bullet) and (m := _LINE.fullmatch(b.text))}
    prose = [
        b.source for b in blocks if not isinstance(b, Quote) and not (isinstance(b, Bullet) and _LINE.fullmatch(b.text))
    ]
    examples = tuple(block.text for block in blocks if isinstance(block, Quote))
    names = {link.target.strip() for link in page.links}
    lore = _lore(page, pages, names, world.rulebook.kinds)
    linked = sorted(names & (world.rulebook.templates.keys() | world.rulebook.workflows.keys()))
    return Character(template, name, page.path, "\n".join(prose), examples, lines, lore, tuple(linked))  # fmt: skip


def _lore(page: Page, pages: Mapping[str, Page], names: Iterable[str], kinds: Collection[str]) -> tuple[Lore, ...]:
    """The pages that the page names and that are no typed page: those have rules, and what players may not know yet."""
    wanted = {name.casefold() for name in names}
    found = (
        each
        for path, each in sorted(pages.items())
        if each is not page
        and wanted & {path.rsplit("/", 1)[-1].removesuffix(".md").casefold(), each.title.casefold()}
        and _is_lore(each, kinds)
    )
    return tuple(
        Lore(each.path, each.title, _paragraphs(each)) for each, _ in zip(found, range(MAX_LORE), strict=False)
    )


def _is_lore(page: Page, kinds: Collection[str]) -> bool:
    return not any(key in PAGE_KEYS or key in kinds for key in page.front.entries)


def _paragraphs(page: Page) -> tuple[str, ...]:
    described = "\n".join(line for line, _ in page.description).split("\n\n")
    found = [*described, *(text for section in page.sections for text in _texts(section))]
    plain = (" ".join(LINK.sub(lambda link: link[2] or link[1], text).split()) for text in found)
    kept: list[str] = []
    for text in plain:
        if text and sum(map(len, kept)) + len(text) <= MAX_LORE_TEXT:
            kept.append(text)
    return tuple(kept)


def _texts(section: Section) -> list[str]:
    texts = [block.source for block in section.blocks]
    return [f"{section.heading}: {text}" for text in texts] if section.heading else texts
