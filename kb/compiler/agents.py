"""Owns agents' pages: what they know, always do, judge, and may do.

`compile_agent(typed, scope)`; `judgement_fields` tells the answers that the agent's kind gets as fields. It must not call
any model.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from kb.compiler.classify import Typed
from kb.compiler.effects import FORMS, compile_block
from kb.compiler.rules import timed_trigger
from kb.compiler.scope import Scope
from kb.diagnostics import Diagnostic, Span, problem
from kb.expressions import Expr, compile_expression
from kb.pages.page import Bullet, Entry, Page, Quote, Section, find_code
from kb.rulebook import (
    Add,
    Agent,
    Do,
    Effect,
    Judgement,
    Move,
    Put,
    Roll,
    Rule,
    Set,
    Take,
    Target,
    Trigger,
)
from kb.suggest import suggest
from kb.types import Choice

SECTIONS = ("Knows", "Always", "Judgement", "Then", "Voice", "State", "Derived", "Rules", "Notes")
_ANSWER = re.compile(
    r"(?P<question>.+?\?)\s*\*\*(?P<options>[^*]+)\*\*\s*(?:→|->)\s*`(?P<root>[a-z][a-z0-9_]*)\.(?P<field>[a-z][a-z0-9_]*)`\.?"
    r"\s*With no model: \*\*(?P<fallback>[^*]+)\*\*\.?"
)
_CALLS = re.compile(r"(\d{1,2}) calls? per turn")
BUDGET = 2
"""Calls per turn of an agent whose page does not say: one more where the first answer leads to a further question."""
_FREE = frozenset(FORMS)
FORM = "Write `> A question? **yes / no / unclear** → `otto.insulted`. With no model: **no**.`"


def _judgements(page: Page) -> Iterable[tuple[re.Match[str] | None, Span]]:
    for section in page.sections:
        if section.heading != "Judgement":
            continue
        for block in section.blocks:
            if isinstance(block, Quote):
                yield _ANSWER.fullmatch(" ".join(line.text for line in block.lines).strip()), block.span
            else:
                yield None, block.span


def judgement_fields(page: Page) -> list[tuple[str, list[str], str, Span]]:
    """(field, options, fallback, place) of each complete judgement on an agent's page."""
    return [
        (match["field"], _options(match["options"]), match["fallback"].strip(), span)
        for match, span in _judgements(page)
        if match is not None
    ]


def _options(text: str) -> list[str]:
    return [part.strip() for part in text.split("/") if part.strip()]


def compile_agent(typed: Typed, scope: Scope) -> tuple[Agent | None, list[Diagnostic]]:
    """The agent of a page; its template is compiled as an NPC's."""
    problems: list[Diagnostic] = []
    entries = typed.page.front.entries
    for section in typed.page.sections:
        if section.heading and section.heading not in SECTIONS:
            hint = suggest(section.heading, SECTIONS) or f"An agent has {', '.join(SECTIONS)}."
            problems.append(problem("RB106", section.span, f"An agent has no section `{section.heading}`", hint))
    sections = {section.heading: section for section in typed.page.sections}
    may = tuple(str(item.value) for item in entries["may"].items) if "may" in entries else ()
    for item in entries["may"].items if "may" in entries else ():
        problems += _check_may(str(item.value), item.span, scope)
    scope = scope.with_locals(agent=_own_type(typed, scope))
    trigger: Trigger | None = Trigger("turn")
    for key in ("every", "at"):
        if key in entries:
            trigger, more = timed_trigger(key, entries[key])
            problems += more
    budget = _budget(entries.get("budget"), problems)
    knows, more = _knows(sections.get("Knows"), scope)
    problems += more
    always, more = _effects(sections.get("Always"), typed, may, scope)
    problems += more
    then, more = _effects(sections.get("Then"), typed, may, scope)
    problems += more
    judgements, more = _compile_judgements(typed, scope)
    problems += more
    voice = sections.get("Voice")
    if problems or trigger is None:
        return None, problems
    return Agent(
        id=typed.id,
        may=may,
        budget=budget,
        knows=knows,
        always=always,
        judgements=judgements,
        then=then,
        voice="\n".join(block.source for block in voice.blocks) if voice else "",
        trigger=trigger,
        placed="in" in entries,
        span=typed.span,
    ), []


def _budget(entry: Entry | None, problems: list[Diagnostic]) -> int:
    if entry is None:
        return BUDGET
    match = _CALLS.fullmatch(str(entry.value).strip())
    if match is None:
        problems.append(problem("RB511", entry.value_span, f"`{entry.value}` is no budget", "Write `1 call per turn`."))
        return BUDGET
    return int(match[1])


def _own_type(typed: Typed, scope: Scope):
    from kb.types import Ref

    return Ref((scope.template(typed.id) or "npc",))


def _check_may(name: str, span: Span, scope: Scope) -> list[Diagnostic]:
    if name in _FREE:
        return []
    if "." in name:
        kind, _, field = name.partition(".")
        instance = scope.instance(kind)
        kind = kind if scope.is_kind(kind) else instance[1] if instance else kind
        if scope.is_kind(kind) and scope.stored(kind, field) is not None:
            return []
        hint = (
            suggest(field, scope.fields(kind)) if scope.is_kind(kind) else "Name a kind and a field: `world.weather`."
        )
        return [problem("RB505", span, f"There is no field `{name}`", hint or "Name a stored field.")]
    if scope.has("rule", name):
        return []
    hint = suggest(name, [*scope.known("rule"), *_FREE]) or "Name a rule by its id, or `say`."
    return [problem("RB505", span, f"No rule is `{name}`", hint)]


def _knows(section: Section | None, scope: Scope) -> tuple[tuple[Expr, ...], list[Diagnostic]]:
    exprs: list[Expr] = []
    problems: list[Diagnostic] = []
    for block in section.blocks if section else ():
        if not isinstance(block, Bullet):
            problems.append(problem("RB301", block.span, "This line is not exact", "Write `- `player.mood``."))
            continue
        for start, end, code in find_code(block.text):
            expr, more = compile_expression(code, block.at(start, end), scope)
            problems += more
            exprs += [expr] if expr else []
    return tuple(exprs), problems


def _effects(
    section: Section | None, typed: Typed, may: tuple[str, ...], scope: Scope
) -> tuple[tuple[Effect, ...], list[Diagnostic]]:
    if section is None:
        return (), []
    bullets = [block for block in section.blocks if isinstance(block, Bullet)]
    effects, _, problems = compile_block(bullets, scope)
    for block in section.blocks:
        if not isinstance(block, Bullet):
            problems.append(problem("RB301", block.span, "This line is not exact", "Write `- when `…` → effect`."))
    for effect in effects:
        problems += _allowed(effect, typed, may, scope)
    return tuple(effects), problems


def _allowed(effect: Effect, typed: Typed, may: tuple[str, ...], scope: Scope) -> list[Diagnostic]:
    """An agent changes its own fields and those that `may` lists; for the rest it does an action."""
    own = typed.id.replace("-", "_")
    match effect:
        case Set() | Add() | Put() | Take():
            target: Target = effect.target
            root = target.root.source
            if root in {own, "agent"} or f"{target.kind}.{target.field}" in may or f"{root}.{target.field}" in may:
                return []
            hint = f"Add `{root}.{target.field}` to `may`, or do an action that may."
            return [problem("RB505", effect.span, f"The agent may not change `{target.source}`", hint)]
        case Move():
            if effect.what.source in {own, "agent"}:
                return []
            return [
                problem(
                    "RB505",
                    effect.span,
                    f"The agent may not move `{effect.what.source}`",
                    "Do an action that may.",
                )
            ]
        case Do() | Roll():
            return []  # whether `may` lists the action is told once all rules are known
        case _:
            verb = effect.source.split()[0]
            if verb in may:
                return []
            return [problem("RB505", effect.span, f"The agent may not `{verb}`", f"Add `{verb}` to `may`.")]


def undone(agents: Iterable[Agent], rules: Mapping[str, Rule]) -> list[Diagnostic]:
    """The actions that agents do though `may` lists no rule of them."""
    found: list[Diagnostic] = []
    for agent in agents:
        actions = {rules[id].trigger.action for id in agent.may if id in rules}
        for effect in (*agent.always, *agent.then):
            if isinstance(effect, Do) and effect.action not in actions:
                hint = "List the id of one of its rules in `may`."
                found.append(problem("RB505", effect.span, f"The agent may not do `{effect.action}`", hint))
    return found


def _compile_judgements(typed: Typed, scope: Scope) -> tuple[tuple[Judgement, ...], list[Diagnostic]]:
    judgements: list[Judgement] = []
    problems: list[Diagnostic] = []
    for match, span in _judgements(typed.page):
        if match is None:
            problems.append(problem("RB506", span, "The judgement is not complete", FORM))
            continue
        options, fallback = _options(match["options"]), match["fallback"].strip()
        if match["root"] != typed.id.replace("-", "_"):
            hint = f"Write `{typed.id.replace('-', '_')}.{match['field']}`."
            problems.append(problem("RB506", span, "The answer is not a field of this agent", hint))
        if fallback not in options or len(set(options)) < 2:
            told = ", ".join(f"`{each}`" for each in options)
            hint = f"Two answers or more stand as `**yes / no**`, and one of them is the fallback; here are {told}."
            problems.append(problem("RB506", span, f"The fallback `{fallback}` is none of the answers", hint))
            continue
        name = f"{match['root']}.{match['field']}"
        type_ = Choice(tuple(options))
        judgements.append(Judgement(match["question"].strip(), name, match["field"], type_, fallback, span))
    return tuple(judgements), problems
