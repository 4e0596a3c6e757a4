"""Owns action patterns: `take <item>`, `hang [[cloak]] on [[hook]]`, `go north` — and which of them are one action.

Every rule's patterns are read first; `ActionTable` then says for each which action it belongs to and how it
narrows it. It must not know conditions or effects.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from kb.compiler.builtin import DIRECTION
from kb.diagnostics import Diagnostic, Span, problem
from kb.rulebook import ActionType, Pattern, Role
from kb.suggest import suggest
from kb.types import TEXT, Choice, Ref, Type, TypeSyntaxError, parse_type

_TOKEN = re.compile(r"<[^<>]*>|\[\[[^\[\]]*\]\]|[^\s<\[]+")
_WORD = re.compile(r"[\w'’@-]+")
_HOLE = re.compile(r"<\s*([a-z][a-z0-9_]*)\s*(?::\s*([^<>]+?)\s*)?>")
MAX_TOKENS = 16


@dataclass(frozen=True, slots=True)
class Hole:
    """`<name>` or `<name: type>`."""

    name: str
    type: Type


@dataclass(frozen=True, slots=True)
class Page:
    """`[[id]]`: one template alone."""

    id: str


Token = str | Hole | Page


@dataclass(frozen=True, slots=True)
class RawPattern:
    """A pattern as written, before it is known which action it belongs to."""

    tokens: tuple[Token, ...]
    span: Span

    @property
    def narrowed(self) -> bool:
        return any(isinstance(token, Page) for token in self.tokens)


@dataclass(frozen=True, slots=True)
class RawAction:
    """One page's (or rule-table row's) wording: its pattern, its other patterns and the types of its arguments."""

    pattern: RawPattern
    also: tuple[RawPattern, ...]
    takes: Mapping[str, Role]


@dataclass(frozen=True, slots=True)
class Resolved:
    """Which action a pattern belongs to, and the values that it narrows roles to (template ids or words)."""

    action: str
    narrowing: Mapping[str, tuple[str, ...]]


Given = dict[str, tuple[str, str]]
"""What an effect's words give each role: ("expr" | "word", source)."""
Matched = tuple[str, Given]
"""An action's id, and what its roles are given."""


class Kinds:
    """What pattern parsing needs of the declarations."""

    def __init__(self, kinds: Iterable[str], templates: Mapping[str, str], within: Mapping[str, frozenset[str]]):
        self.kinds = frozenset(kinds)
        self.templates = templates
        self.within = within


def parse_pattern(
    text: str, span: Span, kinds: Kinds, takes: Mapping[str, Role]
) -> tuple[RawPattern | None, list[Diagnostic]]:
    """The pattern that `text` writes; `span` covers exactly the text."""
    tokens: list[Token] = []
    problems: list[Diagnostic] = []
    names: set[str] = set()
    if not text.strip():
        return None, [problem("RB304", span, "The pattern is empty", "Write it as in `take <item>`.")]
    for match in _TOKEN.finditer(text):
        place, word = span.part(match.start(), match.end()), match[0]
        if word.startswith("[["):
            id = word[2:-2].split("|")[0].split("#")[0].strip()
            if id not in kinds.templates:
                hint = suggest(id, kinds.templates) or "Name a page by its id."
                problems.append(problem("RB207", place, f"Nothing has the id `{id}`", hint))
            tokens.append(Page(id))
        elif word.startswith("<"):
            hole, why = _hole(word, kinds, takes)
            if hole is None:
                problems.append(problem("RB304", place, why[0], why[1]))
                continue
            if hole.name in names:
                problems.append(problem("RB304", place, f"`<{hole.name}>` stands twice", "Give one another name."))
            names.add(hole.name)
            tokens.append(hole)
        elif _WORD.fullmatch(word):
            tokens.append(word.casefold())
        else:
            problems.append(problem("RB304", place, f"`{word}` is not a word", "Use words, `<roles>` and `[[pages]]`."))
    for before, after in itertools.pairwise(tokens):
        if isinstance(before, Hole) and before.type == TEXT and isinstance(after, Hole):
            problems.append(
                problem(
                    "RB304",
                    span,
                    f"`<{before.name}>` takes the rest of the line",
                    "Put it last or before a word.",
                )
            )
    if len(tokens) > MAX_TOKENS:
        problems.append(problem("RB304", span, f"The pattern has more than {MAX_TOKENS} words", "Make it shorter."))
    return (None if problems else RawPattern(tuple(tokens), span)), problems


def _hole(word: str, kinds: Kinds, takes: Mapping[str, Role]) -> tuple[Hole | None, tuple[str, str]]:
    match = _HOLE.fullmatch(word)
    if not match:
        return None, (f"`{word}` is not a role", "Write `<item>` or `<target: item>`, in small letters")
    name, type_words = match[1], match[2]
    if type_words:
        try:
            return Hole(name, parse_type(type_words, kinds.kinds.__contains__)), ("", "")
        except TypeSyntaxError as error:
            return None, (f"{error.args[0]}", suggest(type_words, kinds.kinds) or "Name a kind or a type")
    if name in takes:
        return Hole(name, takes[name].type), ("", "")
    if name in {"text", "words"}:
        return Hole(name, TEXT), ("", "")
    if name == "direction":
        return Hole(name, DIRECTION), ("", "")
    if name in kinds.kinds:
        return Hole(name, Ref((name,))), ("", "")
    hint = suggest(name, [*kinds.kinds, "text", "direction"]) or f"Say what it is: `<{name}: item>`."
    return None, (f"`<{name}>` names no kind", hint)


Canonical = tuple[str | Hole, ...]


@dataclass
class _Draft:
    id: str
    patterns: list[Canonical] = field(default_factory=list[Canonical])
    roles: dict[str, Role] = field(default_factory=dict[str, Role])


class ActionTable:
    """All actions of an experience. Built once from every rule's `RawAction`, libraries first."""

    def __init__(self, raws: Iterable[RawAction], kinds: Kinds):
        self._kinds = kinds
        self._drafts: dict[str, _Draft] = {}
        self._by_form: dict[Canonical, str] = {}
        self._by_length: dict[int, list[Canonical]] = {}
        raws = list(raws)
        general = [raw for raw in raws if not raw.pattern.narrowed]
        forms = {self._form(raw.pattern) for raw in general}
        pages: list[RawAction] = []
        for raw in general:
            if self._narrow(self._form(raw.pattern), forms) is None:
                self._declare(raw, self._form(raw.pattern))
        for raw in raws:
            if raw.pattern.narrowed and self.resolve(raw.pattern) is None:
                pages.append(raw)
        for raw in pages:
            self._declare(raw, self._widened(raw.pattern))

    def _declare(self, raw: RawAction, form: Canonical) -> None:
        known = [self._by_form[f] for f in (form, *map(self._form, raw.also)) if f in self._by_form]
        id = known[0] if known else _written(form)
        draft = self._drafts.setdefault(id, _Draft(id))
        for each in (form, *(self._form(also) for also in raw.also if not also.narrowed)):
            if each not in self._by_form:
                self._by_form[each] = id
                self._by_length.setdefault(len(each), []).append(each)
                draft.patterns.append(each)
                for part in each:
                    if isinstance(part, Hole):
                        draft.roles.setdefault(part.name, Role(part.name, part.type, in_pattern=True))
        for name, role in raw.takes.items():
            if name not in draft.roles:
                draft.roles[name] = role

    @staticmethod
    def _form(pattern: RawPattern) -> Canonical:
        return tuple(token for token in pattern.tokens if not isinstance(token, Page))

    def _widened(self, pattern: RawPattern) -> Canonical:
        """The pattern with each `[[page]]` as a role of the page's kind: for an action that only such patterns name."""
        counts: dict[str, int] = {}
        form: list[str | Hole] = []
        for token in pattern.tokens:
            if isinstance(token, Page):
                kind = self._root_kind(self._kinds.templates.get(token.id, "thing"))
                counts[kind] = counts.get(kind, 0) + 1
                name = kind if counts[kind] == 1 else f"{kind}{counts[kind]}"
                form.append(Hole(name.replace("-", "_"), Ref((kind,))))
            else:
                form.append(token)
        return tuple(form)

    def _root_kind(self, kind: str) -> str:
        for root in ("item", "npc", "place", "waypoint", "quest"):
            if kind in self._kinds.within.get(root, frozenset()):
                return root
        return kind

    def _narrow(self, form: Canonical, forms: Iterable[Canonical]) -> dict[str, tuple[str, ...]] | None:
        """How `form` narrows one of `forms` (a word for a choice, a kind for a wider kind), or None."""
        for other in forms:
            if other == form or len(other) != len(form):
                continue
            narrowing: dict[str, tuple[str, ...]] = {}
            for mine, theirs in zip(form, other, strict=True):
                if mine == theirs:
                    continue
                fits = self._fits(mine, theirs)
                if fits is None:
                    break
                narrowing.update(fits)
            else:
                if narrowing:
                    return narrowing
        return None

    def _fits(self, mine: Token, theirs: str | Hole) -> dict[str, tuple[str, ...]] | None:
        if not isinstance(theirs, Hole):
            return None
        if isinstance(mine, str):
            options = theirs.type.options if isinstance(theirs.type, Choice) else ()
            return {theirs.name: (mine,)} if mine in options else None
        if not isinstance(theirs.type, Ref):
            return None
        allowed = frozenset[str]().union(*(self._kinds.within.get(k, frozenset()) for k in theirs.type.kinds))
        if isinstance(mine, Page):
            return {theirs.name: (mine.id,)} if self._kinds.templates.get(mine.id) in allowed else None
        if mine.name != theirs.name or not isinstance(mine.type, Ref) or mine.type == theirs.type:
            return None
        if not all(kind in allowed for kind in mine.type.kinds):
            return None
        inner = frozenset[str]().union(*(self._kinds.within.get(k, frozenset()) for k in mine.type.kinds))
        return {theirs.name: tuple(id for id, kind in self._kinds.templates.items() if kind in inner)}

    def resolve(self, pattern: RawPattern) -> Resolved | None:
        """The action that a pattern belongs to."""
        form = self._form(pattern)
        if not pattern.narrowed and form in self._by_form:
            return Resolved(self._by_form[form], {})
        first = pattern.tokens[0]
        for other in self._by_length.get(len(pattern.tokens), ()):
            if isinstance(first, str) and isinstance(other[0], str) and other[0] != first:
                continue
            narrowing: dict[str, tuple[str, ...]] = {}
            for mine, theirs in zip(pattern.tokens, other, strict=True):
                if mine == theirs:
                    continue
                fits = self._fits(mine, theirs)
                if fits is None:
                    break
                narrowing.update(fits)
            else:
                return Resolved(self._by_form[other], narrowing)
        return None

    def match(self, text: str) -> tuple[Matched, ...]:
        """The actions that an effect's words (`take {item}`, `go north`) can name, those with more literal words first."""
        found: list[tuple[int, Matched]] = []
        tokens = re.findall(r"\{[^{}]*\}|\S+", text)
        for form, action in self._by_form.items():
            if len(form) != len(tokens):
                continue
            roles: Given = {}
            for token, part in zip(tokens, form, strict=True):
                if isinstance(part, Hole):
                    hole = ("expr", token[1:-1]) if token.startswith("{") else ("word", token)
                    roles[part.name] = hole
                elif token.casefold() != part:
                    break
            else:
                found.append((len(roles), (action, roles)))
        return tuple(matched for _, matched in sorted(found, key=lambda each: each[0]))

    def read_starts(self, read: Callable[[Any, Type], Any]) -> None:
        """Reads the Start cells of arguments, once all ids are known."""
        for draft in self._drafts.values():
            for name, role in draft.roles.items():
                if not role.required:
                    draft.roles[name] = replace(role, start=read(role.start, role.type))

    def roles(self, action: str) -> Mapping[str, Role]:
        return self._drafts[action].roles

    def ids(self) -> Iterable[str]:
        return self._drafts

    @cached_property
    def every_role(self) -> dict[str, Type]:
        """Every role's type over all actions (`action.item`); text where actions differ in more than kinds."""
        types: dict[str, Type] = {}
        for draft in self._drafts.values():
            for name, role in draft.roles.items():
                known = types.get(name)
                if known is None or known == role.type:
                    types[name] = role.type
                elif isinstance(known, Ref) and isinstance(role.type, Ref):
                    types[name] = Ref(tuple(sorted({*known.kinds, *role.type.kinds})))
                else:
                    types[name] = TEXT
        return types

    def build(
        self, rules: Mapping[str, tuple[str, ...]], after: Mapping[str, tuple[str, ...]]
    ) -> dict[str, ActionType]:
        """The rulebook's actions; `rules` and `after` give each action's rule ids in the order to consider."""
        return {
            id: ActionType(
                id=id,
                verb=_verb(draft.patterns[0]),
                roles=draft.roles,
                patterns=tuple(self._pattern(draft, form) for form in draft.patterns),
                rules=rules.get(id, ()),
                after=after.get(id, ()),
            )
            for id, draft in self._drafts.items()
            if id in rules
        }

    def _pattern(self, draft: _Draft, form: Canonical) -> Pattern:
        return Pattern(tuple(draft.roles[part.name] if isinstance(part, Hole) else part for part in form))


def _written(form: Canonical) -> str:
    return " ".join(part if isinstance(part, str) else f"<{part.name}>" for part in form)


def _verb(form: Canonical) -> str:
    return next((part for part in form if isinstance(part, str)), "go")
