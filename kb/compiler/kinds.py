"""Owns the declaration of kinds: `kind:` pages, `## State` and `## Derived` tables, state of single templates.

`declare_kinds` turns pages into `KindDecl`s on top of the built-in ones. It must not know rules or instances.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from kb.compiler.builtin import ALWAYS, FIELDS, PARENTS, TEMPLATE_KEYS
from kb.compiler.classify import Typed
from kb.compiler.declarations import DerivedDecl, KindDecl
from kb.diagnostics import Diagnostic, Span, problem
from kb.pages.page import Cell, Section, Table, find_code
from kb.rulebook import Field
from kb.suggest import suggest
from kb.types import UNKNOWN, MapOf, Type, TypeSyntaxError, parse_type

NAME = re.compile(r"[a-z][a-z0-9_]*")
_STATE_COLUMNS = ("field", "type", "start", "meaning", "was")
_DERIVED_COLUMNS = ("field", "is", "meaning")
KIND_KEYS = ("kind", "plural", "is", "from", "was")


@dataclass(frozen=True, slots=True)
class RawStart:
    """A Start cell or value, read once all ids are known."""

    kind: str
    field: str
    text: str
    span: Span


@dataclass
class Kinds:
    """What the pages declare of kinds."""

    kinds: dict[str, KindDecl]
    starts: list[RawStart] = field(default_factory=list[RawStart])
    data: list[tuple[str, Typed]] = field(default_factory=list[tuple[str, Typed]])
    """(kind, page) for each kind page with `from:`"""
    problems: list[Diagnostic] = field(default_factory=list[Diagnostic])


def builtin_kinds() -> dict[str, KindDecl]:
    """The kinds that every world has."""
    return {
        kind: KindDecl(kind, f"{kind}s", parent, {f.name: f for f in FIELDS.get(kind, ())}, {})
        for kind, parent in PARENTS.items()
    }


def declare_kinds(typed: Iterable[Typed]) -> Kinds:
    """All kinds: built in, declared, extended, and one for each template that has state of its own."""
    result = Kinds(builtin_kinds())
    pages = list(typed)
    kind_pages = [each for each in pages if each.key == "kind"]
    for each in kind_pages:
        if each.id not in result.kinds:
            result.kinds[each.id] = _new_kind(each)
    # Libraries come last among the pages: extended first, so that a world may derive a field anew.
    for each in reversed(kind_pages):
        _check_parent(each, result)
        _extend(each, each.id, result)
    for each in pages:
        kind = template_kind(each, result.kinds)
        if kind is None:
            continue
        if each.id in result.kinds:
            what = f"`{each.id}` is the name of a kind"
            result.problems.append(problem("RB110", each.span, what, "Choose another id."))
            continue
        sections = [s for s in each.page.sections if s.heading in {"State", "Derived"}]
        if sections or {"state", "derived"} & each.page.front.entries.keys():
            result.kinds[each.id] = KindDecl(each.id, f"{each.id}s".replace("-", "_"), kind, {}, {}, each.span)
            _extend(each, each.id, result)
    return result


def template_kind(typed: Typed, kinds: Mapping[str, KindDecl]) -> str | None:
    """The kind of the template that a page is, or None where it is no template."""
    if typed.key in TEMPLATE_KEYS:
        return "npc" if typed.key == "agent" else typed.key
    return typed.key if typed.key in kinds else None


def _new_kind(typed: Typed) -> KindDecl:
    entries = typed.page.front.entries
    plural = entries["plural"].value if "plural" in entries else f"{typed.id}s"
    parent = entries["is"].value if "is" in entries else None
    base = {f.name: f for f in FIELDS["thing"]} if parent is None else {}
    return KindDecl(
        typed.id, str(plural).replace("-", "_"), None if parent is None else str(parent), base, {}, typed.span,
        open="from" in entries, was=earlier(typed),
    )  # fmt: skip


def earlier(typed: Typed) -> tuple[str, ...]:
    """The earlier ids that a page names: `was: vase` or `was: [vase, jug]`."""
    entry = typed.page.front.entries.get("was")
    if entry is None:
        return ()
    return tuple(str(each.value) for each in entry.items) if entry.items else (str(entry.value),)


def _check_parent(typed: Typed, result: Kinds) -> None:
    entry = typed.page.front.entries.get("is")
    if entry is None:
        return
    declared = result.kinds[typed.id]
    seen, current = {typed.id}, declared.parent
    while current is not None and current in result.kinds and current not in seen:
        seen.add(current)
        current = result.kinds[current].parent
    if current is None:
        return
    why = "goes round in a circle" if current in seen else f"names no kind: `{current}`"
    hint = suggest(current, result.kinds) or "Name a kind that is declared."
    result.problems.append(problem("RB202", entry.value_span, f"`is` {why}", hint))
    result.kinds[typed.id] = replace(declared, parent="thing")


def _extend(typed: Typed, kind: str, result: Kinds) -> None:
    """Adds the page's State and Derived to the kind."""
    declared = result.kinds[kind]
    fields, derived = dict(declared.fields), dict(declared.derived)
    for section in typed.page.sections:
        if section.heading == "State":
            _state(section, kind, fields, result)
        elif section.heading == "Derived":
            _derived(section, kind, derived, result)
    _derived_entries(typed, kind, derived)
    entry = typed.page.front.entries.get("state")
    if entry is not None and typed.key != "kind":
        for name, part in entry.parts.items():
            words, _, start = str(part.value).partition("=")
            _field(name, part.key_span, words, part.value_span, kind, fields, result)
            if start.strip():
                result.starts.append(RawStart(kind, name, start.strip(), part.value_span))
    if typed.key == "kind" and "from" in typed.page.front.entries:
        result.data.append((kind, typed))
        declared = replace(declared, open=True)
    result.kinds[kind] = replace(declared, fields=fields, derived=derived)


def _tables(section: Section, columns: tuple[str, ...], result: Kinds) -> Iterable[dict[str, Cell]]:
    """Each row of the section's tables as column → cell; unknown columns and other lines are problems."""
    for block in section.blocks:
        if not isinstance(block, Table):
            continue
        names = [cell.text.lower() for cell in block.header]
        for cell in block.header:
            if cell.text.lower() not in columns:
                hint = f"The columns are {', '.join(c.capitalize() for c in columns)}."
                result.problems.append(problem("RB404", cell.span, f"There is no column `{cell.text}` here", hint))
        for row in block.rows:
            yield dict(zip(names, row.cells, strict=False))
    if not any(isinstance(block, Table) for block in section.blocks):
        hint = "Write a table with the columns " + ", ".join(c.capitalize() for c in columns) + "."
        result.problems.append(problem("RB106", section.span, f"`{section.heading}` holds no table", hint))


def _state(section: Section, kind: str, fields: dict[str, Field], result: Kinds) -> None:
    for row in _tables(section, _STATE_COLUMNS, result):
        name, words = row.get("field"), row.get("type")
        if name is None or words is None:
            continue
        meaning, was = row.get("meaning"), row.get("was")
        _field(
            name.text.strip("`"), name.span, words.text.strip("`"), words.span, kind, fields, result,
            meaning.text if meaning else "", tuple(each.strip(" `") for each in was.text.split(",")) if was and was.text else (),
        )  # fmt: skip
        start = row.get("start")
        if start and start.text:
            result.starts.append(RawStart(kind, name.text.strip("`"), start.text, start.span))


def _field(
    name: str, span: Span, words: str, type_span: Span, kind: str, fields: dict[str, Field], result: Kinds,
    meaning: str = "", was: tuple[str, ...] = (),
) -> None:  # fmt: skip
    if not NAME.fullmatch(name):
        hint = "Use small letters, digits and _."
        result.problems.append(problem("RB205", span, f"`{name}` is not a field's name", hint))
        return
    if name in ALWAYS or (name in fields and fields[name].span is not None):
        where = "built in" if name in ALWAYS else f"declared at {fields[name].span}"
        result.problems.append(problem("RB110", span, f"The field `{name}` is already {where}", "Choose another name."))
        return
    type_: Type = UNKNOWN
    try:
        type_ = parse_type(words, lambda word: word in result.kinds)
    except TypeSyntaxError as error:
        from kb.types import TYPE_WORDS

        hint = suggest(words, [*TYPE_WORDS, *result.kinds]) or f"The types are {', '.join(TYPE_WORDS)} and every kind."
        result.problems.append(problem("RB205", type_span, f"`{words.strip()}` is not a type: {error}", hint))
    fields[name] = Field(name, type_, type_.zero(), meaning, was, span)


def _derived_entries(typed: Typed, kind: str, derived: dict[str, DerivedDecl]) -> None:
    """`derived: {lit: "`x.y == z`"}` in front matter: derived fields of one template."""
    entry = typed.page.front.entries.get("derived")
    for name, part in entry.parts.items() if entry and typed.key != "kind" else ():
        source = str(part.value)
        span = part.value_span
        quoted = 1 if span.end_column - span.column > len(source) else 0
        derived[name] = DerivedDecl(
            name, kind, kind.replace("-", "_"), source, span.part(quoted, quoted + len(source)), ""
        )


def derived_of(typed: Typed, kind: str) -> list[DerivedDecl]:
    """The derived fields that a page declares for a kind; their problems were told when it was declared."""
    derived: dict[str, DerivedDecl] = {}
    for section in typed.page.sections:
        if section.heading == "Derived":
            _derived(section, kind, derived, Kinds({}))
    _derived_entries(typed, kind, derived)
    return list(derived.values())


def _derived(section: Section, kind: str, derived: dict[str, DerivedDecl], result: Kinds) -> None:
    for row in _tables(section, _DERIVED_COLUMNS, result):
        name, source = row.get("field"), row.get("is")
        if name is None or source is None:
            continue
        field_name = name.text.strip("`")
        if not NAME.fullmatch(field_name):
            result.problems.append(
                problem(
                    "RB205",
                    name.span,
                    f"`{field_name}` is not a field's name",
                    "Use small letters, digits and _.",
                )
            )
            continue
        codes = find_code(source.text)
        if len(codes) != 1 or source.text.strip() != f"`{codes[0][2]}`":
            result.problems.append(
                problem(
                    "RB301",
                    source.span,
                    "A derived field is one expression in backticks",
                    "Write it as `` `a.b == c` ``.",
                )
            )
            continue
        start, end, code = codes[0]
        meaning = row.get("meaning")
        self_name = kind.replace("-", "_")
        derived[field_name] = DerivedDecl(
            field_name, kind, self_name, code, source.at(start, end), meaning.text if meaning else ""
        )


def with_starts(kinds: Mapping[str, KindDecl], starts: Mapping[tuple[str, str], object]) -> dict[str, KindDecl]:
    """The kinds with the start values that were read; a map's start is what its missing keys read as."""
    result: dict[str, KindDecl] = {}
    for kind, declared in kinds.items():
        fields = dict(declared.fields)
        for (owner, name), value in starts.items():
            if owner == kind and name in fields:
                fields[name] = _started(fields[name], value)
        result[kind] = replace(declared, fields=fields)
    return result


def start_type(type_: Type) -> Type:
    """The type that a Start cell holds: a map's is that of its values."""
    return type_.value if isinstance(type_, MapOf) else type_


def _started(field_: Field, value: object) -> Field:
    if isinstance(field_.type, MapOf):
        return replace(field_, type=replace(field_.type, start=value), start={})
    return replace(field_, start=value)
