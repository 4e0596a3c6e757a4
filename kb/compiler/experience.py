"""Owns the experience's page: its settings and its invariants.

`compile_settings` reads one `experience:` page. It must not know rules.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from kb.compiler.classify import Typed
from kb.compiler.effects import READ_ONLY
from kb.compiler.rules import compile_conditions
from kb.compiler.scope import Scope
from kb.diagnostics import Diagnostic, problem
from kb.expressions import compile_paragraph
from kb.pages.page import Entry
from kb.rulebook import Condition, Settings
from kb.suggest import suggest
from kb.types import TIME, TypeMismatch

EXPERIENCE_KEYS = ("experience", "uses", "start", "begins", "clock", "world", "players", "score", "freeform")
SECTIONS = ("Invariants", "Rules", "Notes")
PLAYERS = 1_000
"""How many players a shared world holds where its page does not say."""
MAX_PLAYERS = 10_000
BEGINS = datetime(2026, 1, 1, tzinfo=UTC)
_CLOCK = re.compile(r"turn (\d{1,4}) ?(second|minute|hour)s?")


def compile_settings(typed: Typed, scope: Scope) -> tuple[Settings, tuple[Condition, ...], list[Diagnostic]]:
    """The settings of the experience, its invariants, and what is wrong with them."""
    problems: list[Diagnostic] = []
    entries = typed.page.front.entries
    for key, entry in entries.items():
        if key not in EXPERIENCE_KEYS:
            hint = suggest(key, EXPERIENCE_KEYS) or f"The keys are {', '.join(EXPERIENCE_KEYS)}."
            problems.append(problem("RB105", entry.key_span, f"An experience has no key `{key}`", hint))
    intro, more = compile_paragraph(typed.page.description, scope)
    problems += more
    if intro is None:
        intro, _ = compile_paragraph((), scope)
    assert intro is not None
    begins = BEGINS
    if "begins" in entries:
        try:
            begins = TIME.coerce(entries["begins"].value)
        except TypeMismatch as error:
            hint = "Write `begins: 2026-01-01 18:00`."
            problems.append(problem("RB206", entries["begins"].value_span, str(error), hint))
    settings = Settings(
        id=typed.id,
        name=typed.page.title or typed.id,
        intro=intro,
        start=_start(typed, scope, problems),
        begins=begins,
        clock=_clock(entries.get("clock"), problems),
        shared=_shared(entries.get("world"), problems),
        players=_players(entries, problems),
        max_score=_score(entries.get("score"), problems),
        freeform=_freeform(entries.get("freeform"), scope, problems),
        freeform_span=entries["freeform"].key_span if "freeform" in entries else typed.span,
        span=typed.span,
    )
    invariants: tuple[Condition, ...] = ()
    for section in typed.page.sections:
        if section.heading == "Invariants":
            conditions, more = compile_conditions(section, scope)
            invariants += conditions
            problems += more
        elif section.heading and section.heading not in SECTIONS:
            hint = suggest(section.heading, SECTIONS) or f"It may have {', '.join(SECTIONS)}."
            problems.append(problem("RB106", section.span, f"An experience has no section `{section.heading}`", hint))
    return settings, invariants, problems


def _start(typed: Typed, scope: Scope, problems: list[Diagnostic]) -> str:
    entry = typed.page.front.entries.get("start")
    places = tuple(scope.ids(("place",)))
    if entry is None:
        if places:
            hint = f"Add `start: {places[0]}`."
            problems.append(problem("RB601", typed.span, "The experience does not say where it starts", hint))
        return ""
    if str(entry.value) not in places:
        hint = suggest(str(entry.value), places) or "Name a place by its id."
        problems.append(problem("RB601", entry.value_span, f"The start `{entry.value}` is no place", hint))
    return str(entry.value)


def _clock(entry: Entry | None, problems: list[Diagnostic]) -> timedelta | None:
    if entry is None:
        return timedelta(minutes=1)
    if entry.value == "real":
        return None
    match = _CLOCK.fullmatch(str(entry.value))
    if match is None:
        hint = "Write `clock: turn 1 minute` or `clock: real`."
        problems.append(problem("RB105", entry.value_span, f"`{entry.value}` is no clock", hint))
        return timedelta(minutes=1)
    return timedelta(**{f"{match[2]}s": int(match[1])})


def _shared(entry: Entry | None, problems: list[Diagnostic]) -> bool:
    if entry is None:
        return False
    if entry.value not in {"shared", "isolated"}:
        hint = "Write `world: shared` or `world: isolated`."
        problems.append(problem("RB105", entry.value_span, f"`{entry.value}` is neither shared nor isolated", hint))
    return entry.value == "shared"


def _players(entries: Mapping[str, Entry], problems: list[Diagnostic]) -> int:
    entry = entries.get("players")
    if entry is None:
        return PLAYERS
    if "world" not in entries or entries["world"].value != "shared":
        hint = "Add `world: shared`, or leave `players` out."
        problems.append(problem("RB105", entry.key_span, "In an isolated world there is one player", hint))
    if not isinstance(entry.value, int) or isinstance(entry.value, bool) or not 1 <= entry.value <= MAX_PLAYERS:
        hint = f"Write a number from 1 to {MAX_PLAYERS:,}: `players: 100`."
        problems.append(problem("RB206", entry.value_span, "`players` is not a number of players", hint))
        return PLAYERS
    return entry.value


def _score(entry: Entry | None, problems: list[Diagnostic]) -> int | None:
    if entry is None:
        return None
    if not isinstance(entry.value, int) or isinstance(entry.value, bool) or entry.value < 0:
        problems.append(problem("RB206", entry.value_span, "`score` is not a number", "Write `score: 2`."))
        return None
    return entry.value


def _freeform(entry: Entry | None, scope: Scope, problems: list[Diagnostic]) -> tuple[tuple[str, str], ...]:
    found: list[tuple[str, str]] = []
    for item in entry.items if entry else ():
        kind, _, name = str(item.value).partition(".")
        if not scope.is_kind(kind) or scope.stored(kind, name) is None:
            known = [f"{kind}.{field}" for field in scope.fields(kind)] if scope.is_kind(kind) else []
            hint = suggest(str(item.value), known) or "Name a kind and a stored field: `player.score`."
            problems.append(problem("RB507", item.span, f"There is no field `{item.value}`", hint))
        elif name in READ_ONLY:
            hint = "Name a field of your own: `player.standing`."
            problems.append(problem("RB507", item.span, f"`{item.value}` is kept by the referee", hint))
        found.append((kind, name))
    return tuple(found)
