"""Owns rule pages and the rows of `## Rules` tables: triggers, patterns, arguments, conditions, refusals, effects.

`raw_actions` reads the wording of every rule first; `compile_rule` and `compile_rows` then compile one page.
It must not know how effects are written or which rules clash.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from kb.compiler.builtin import ROLES
from kb.compiler.classify import Typed
from kb.compiler.conditions import compile_condition, exact_code
from kb.compiler.effects import compile_block, compile_effects
from kb.compiler.examples import compile_examples
from kb.compiler.patterns import Hole, Kinds, RawAction, RawPattern, parse_pattern
from kb.compiler.scope import Scope
from kb.compiler.values import read_value
from kb.diagnostics import Diagnostic, Span, problem
from kb.expressions import compile_expression, compile_text
from kb.pages.page import Bullet, Cell, Entry, Section, Table, TableRow
from kb.rulebook import Condition, Effect, Refusal, Role, Rule, Trigger
from kb.suggest import suggest
from kb.types import BOOL, UNKNOWN, Record, Ref, Type, TypeSyntaxError, parse_type

RULE_KEYS = ("rule", "on", "also", "after", "every", "at", "instead of", "requires", "free")
SECTIONS = ("Takes", "When", "Unless", "Then", "Otherwise", "Examples", "Notes")
TRIGGER_KEYS = ("on", "after", "every", "at")
_EVERY = re.compile(r"(\d{1,5}) ?(minute|hour|day)s?")
_AT = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
_ENTERS = re.compile(r"player enters (?:<place>|\[\[([^\[\]]+)\]\])")
_EVENT = re.compile(r"event ([a-z][a-z0-9]*(?:-[a-z0-9]+)*)")


# --- Wording, read before anything is compiled -----------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wording:
    """The pattern of one rule page or rule-table row; `after` tells that it follows the action."""

    pattern: RawPattern
    raw: RawAction
    after: bool


def page_wording(typed: Typed, kinds: Kinds) -> tuple[Wording | None, dict[str, Role], list[Diagnostic]]:
    """A rule page's patterns and `## Takes`; None where the trigger is no action."""
    takes, problems = _takes(typed, kinds)
    entries = typed.page.front.entries
    for key in ("on", "after"):
        entry = entries.get(key)
        if entry is None or not isinstance(entry.value, str) or _special(entry.value, key):
            continue
        pattern, more = parse_pattern(entry.value, entry.value_span, kinds, takes)
        problems += more
        also: list[RawPattern] = []
        if key == "on" and "also" in entries:
            for text, span in _texts(entries["also"]):
                other, more = parse_pattern(text, span, kinds, takes)
                problems += more
                if other is not None:
                    also.append(other)
                    if pattern is not None and (missing := _roles(pattern) ^ _roles(other)):
                        hint = f"Give each the same roles; `<{sorted(missing)[0]}>` stands in only one."
                        problems.append(problem("RB304", span, "The pattern has other roles than `on`", hint))
        if pattern is None:
            return None, takes, problems
        return Wording(pattern, RawAction(pattern, tuple(also), takes), key == "after"), takes, problems
    return None, takes, problems


def row_wording(cell: Cell, kinds: Kinds) -> tuple[Wording | None, list[Diagnostic]]:
    """The pattern of an On cell; None for `any` and other triggers."""
    text, after = cell.text, False
    if text.startswith("after "):
        text, after = text[6:].lstrip(), True
    if _special(text, "after" if after else "on"):
        return None, []
    start = len(cell.text) - len(text)
    pattern, problems = parse_pattern(text, cell.at(start, len(cell.text)), kinds, {})
    return (Wording(pattern, RawAction(pattern, (), {}), after) if pattern else None), problems


def _special(text: str, key: str) -> bool:
    if text in {"any", "any action"}:
        return True
    return key == "on" and (text == "every turn" or text.startswith(("player enters ", "event ")))


def _roles(pattern: RawPattern) -> set[str]:
    return {token.name for token in pattern.tokens if isinstance(token, Hole)}


def _texts(entry: Entry) -> list[tuple[str, Span]]:
    if isinstance(entry.value, list):
        return [(str(item.value), item.span) for item in entry.items]
    return [(str(entry.value), entry.value_span)]


def _takes(typed: Typed, kinds: Kinds) -> tuple[dict[str, Role], list[Diagnostic]]:
    takes: dict[str, Role] = {}
    problems: list[Diagnostic] = []
    for row, _ in _rows(typed, "Takes", ("argument", "type", "start", "meaning"), problems):
        name, words, start = row.get("argument"), row.get("type"), row.get("start")
        if name is None or words is None:
            continue
        type_: Type = UNKNOWN
        try:
            type_ = parse_type(words.text.strip("`"), kinds.kinds.__contains__)
        except TypeSyntaxError as error:
            hint = suggest(words.text, kinds.kinds) or "Name a type, as in `int 1..20` or `one of good, damaged`."
            problems.append(problem("RB205", words.span, f"`{words.text}` is not a type: {error}", hint))
        plain = name.text.strip("`")
        if not re.fullmatch(r"[a-z][a-z0-9_]*", plain):
            problems.append(problem("RB205", name.span, f"`{plain}` is not a name", "Use small letters and _."))
            continue
        required = start is None or not start.text
        takes[plain] = Role(plain, type_, in_pattern=False, required=required, start=None if required else start)
    return takes, problems


def _rows(
    typed: Typed, heading: str, columns: Sequence[str], problems: list[Diagnostic]
) -> Iterable[tuple[dict[str, Cell], TableRow]]:
    """The rows of the tables under a heading as column → cell."""
    for section in typed.page.sections:
        if section.heading != heading:
            continue
        for block in section.blocks:
            if not isinstance(block, Table):
                continue
            for cell in block.header:
                if cell.text.lower() not in columns:
                    hint = f"The columns are {', '.join(c.capitalize() for c in columns)}."
                    problems.append(problem("RB404", cell.span, f"There is no column `{cell.text}` here", hint))
            names = [cell.text.lower() for cell in block.header]
            for row in block.rows:
                yield dict(zip(names, row.cells, strict=False)), row


# --- Rule pages -----------------------------------------------------------------------------------


def compile_rule(
    typed: Typed, scope: Scope, wording: Wording | None, takes: Mapping[str, Role]
) -> tuple[Rule | None, list[Diagnostic]]:
    """The rule of a page. `scope` is the page's; `wording` and `takes` come from `page_wording`."""
    problems = _unknown_keys(typed)
    entries = typed.page.front.entries
    trigger, narrowing, scope, more = _trigger(typed, wording, scope)
    problems += more
    arguments: dict[str, Role] = {}
    for name, role in takes.items():
        start = role.start
        if isinstance(start, Cell):
            value, more = read_value(start.text, role.type, start.span, scope)
            problems += more
            role = replace(role, start=value)
        arguments[name] = role
    scope = scope.with_locals({name: role.type for name, role in arguments.items()})
    sections: dict[str, Section] = {}
    for section in typed.page.sections:
        heading = section.heading
        if heading and heading not in SECTIONS:
            hint = suggest(heading, SECTIONS) or f"A rule has {', '.join(SECTIONS)}; put prose under Notes."
            problems.append(problem("RB106", section.span, f"A rule has no section `{heading}`", hint))
        elif heading in sections:
            problems.append(problem("RB106", section.span, f"The section `{heading}` stands twice", "Join them."))
        elif heading:
            sections[heading] = section
    when, more = compile_conditions(sections.get("When"), scope)
    problems += more
    unless, more = _unless(typed, scope)
    problems += more
    then, inner, more = _effects(sections.get("Then"), scope)
    problems += more
    otherwise, _, more = _effects(sections.get("Otherwise"), scope, speech_only=True)
    problems += more
    if "Then" not in sections and not unless:
        hint = "Add `## Then` with at least one effect."
        problems.append(problem("RB301", typed.span, "The rule does nothing", hint))
    if "Examples" in sections:
        examples, more = compile_examples(sections["Examples"], inner)
        problems += more
    else:
        examples = ()
    requires = entries["requires"].value if "requires" in entries else "player"
    if requires not in ROLES:
        hint = suggest(str(requires), ROLES) or "Write `requires: gm` or `requires: admin`."
        problems.append(problem("RB105", entries["requires"].value_span, f"No role is `{requires}`", hint))
        requires = "player"
    if trigger is None:
        return None, problems
    instead = tuple(text for text, _ in _texts(entries["instead of"])) if "instead of" in entries else ()
    return Rule(
        id=typed.id,
        title=typed.page.title or typed.id,
        trigger=trigger,
        narrowing=narrowing,
        when=when,
        unless=unless,
        then=then,
        otherwise=otherwise,
        span=typed.span,
        instead_of=instead,
        requires=requires,
        free="free" in entries and entries["free"].value is True,
        examples=tuple(examples),
    ), problems


def _unknown_keys(typed: Typed) -> list[Diagnostic]:
    return [
        problem(
            "RB105",
            entry.key_span,
            f"A rule has no key `{key}`",
            suggest(key, RULE_KEYS) or f"The keys are {', '.join(RULE_KEYS)}.",
        )
        for key, entry in typed.page.front.entries.items()
        if key not in RULE_KEYS
    ]


def _trigger(
    typed: Typed, wording: Wording | None, scope: Scope
) -> tuple[Trigger | None, Mapping[str, tuple[str, ...]], Scope, list[Diagnostic]]:
    entries = typed.page.front.entries
    present = [key for key in TRIGGER_KEYS if key in entries]
    if len(present) != 1:
        why = "The rule has no trigger" if not present else f"The rule has {len(present)} triggers"
        hint = "Give it exactly one of `on:`, `after:`, `every:`, `at:`."
        return None, {}, scope, [problem("RB307", typed.span, why, hint)]
    entry = entries[present[0]]
    if wording is not None:
        return _action_trigger(wording, scope)
    if not isinstance(entry.value, str | list) or (isinstance(entry.value, list) and present[0] != "at"):
        return (
            None,
            {},
            scope,
            [problem("RB307", entry.value_span, "The trigger is not text", "Write `on: take <item>`.")],
        )
    if present[0] in {"on", "after"}:
        trigger, inner, problems = _special_trigger(f"{entry.value}", present[0], entry.value_span, scope)
        return trigger, {}, inner, problems
    trigger, problems = timed_trigger(present[0], entry)
    return trigger, {}, scope, problems


def _action_trigger(
    wording: Wording, scope: Scope
) -> tuple[Trigger | None, Mapping[str, tuple[str, ...]], Scope, list[Diagnostic]]:
    resolved = scope.resolve(wording.pattern)
    if resolved is None:
        hint = "Name an action as its rule's `on:` does."
        return None, {}, scope, [problem("RB308", wording.pattern.span, "No action is like this", hint)]
    types: dict[str, Type] = {name: role.type for name, role in scope.roles(resolved.action).items()}
    for name, allowed in resolved.narrowing.items():
        kinds = {kind for id in allowed if (kind := scope.template(id)) is not None}
        if isinstance(types.get(name), Ref) and kinds:
            types[name] = Ref(tuple(sorted(kinds)))
    action = scope.local("action")
    if isinstance(action, Record):
        types["action"] = Record(tuple({**dict(action.fields), **types}.items()))
    kind = "after" if wording.after else "action"
    return Trigger(kind, action=resolved.action), resolved.narrowing, scope.with_locals(types), []


def _special_trigger(text: str, key: str, span: Span, scope: Scope) -> tuple[Trigger | None, Scope, list[Diagnostic]]:
    if text in {"any", "any action"}:
        return Trigger("after" if key == "after" else "action", action="any"), scope, []
    if key == "on" and text == "every turn":
        return Trigger("turn"), scope, []
    if key == "on" and (match := _ENTERS.fullmatch(text)):
        place = match[1]
        if place is not None and scope.single(place) is None:
            hint = suggest(place, scope.ids(("place",))) or "Name a place by its id."
            return None, scope, [problem("RB207", span, f"No place is `{place}`", hint)]
        return Trigger("enters", place=place), scope.with_locals(place=Ref(("place",))), []
    if key == "on" and (match := _EVENT.fullmatch(text)):
        event = match[1]
        values = scope.event(event)
        inner = scope.with_locals(event=Record(tuple(values.items())))
        if scope.has("event", event):
            return Trigger("event", event=event), inner, []
        hint = suggest(event, scope.known("event")) or f"Emit it somewhere: emit {event}."
        return (
            Trigger("event", event=event),
            inner,
            [problem("RB310", span, f"Nothing emits `{event}`", hint)],
        )
    hint = "Write an action (`take <item>`), `any`, `every turn`, `player enters <place>` or `event <name>`."
    return None, scope, [problem("RB307", span, f"`{text}` is not a trigger", hint)]


def timed_trigger(key: str, entry: Entry) -> tuple[Trigger | None, list[Diagnostic]]:
    """The trigger of `every:` or `at:` front matter (rules and agents)."""
    if key == "every":
        match = _EVERY.fullmatch(str(entry.value))
        if match and int(match[1]):
            return Trigger("every", every=timedelta(**{f"{match[2]}s": int(match[1])})), []
        hint = "Write `every: 3 hours`, or minutes or days."
        return None, [problem("RB307", entry.value_span, f"`{entry.value}` is not a length of time", hint)]
    times: list[tuple[int, int]] = []
    for text, span in _texts(entry):
        match = _AT.fullmatch(text)
        if not match:
            return None, [problem("RB307", span, f"`{text}` is not a time of day", "Write `at: 06:00`.")]
        times.append((int(match[1]), int(match[2])))
    return Trigger("at", at=tuple(sorted(times))), []


def compile_conditions(section: Section | None, scope: Scope) -> tuple[tuple[Condition, ...], list[Diagnostic]]:
    """The bullets of When or Invariants."""
    conditions: list[Condition] = []
    problems: list[Diagnostic] = []
    for block in section.blocks if section else ():
        if isinstance(block, Bullet):
            condition, more = compile_condition(block, scope)
            problems += more
            if condition is not None:
                conditions.append(condition)
        else:
            problems.append(_inexact(block.span, "- prose: `expression`"))
    return tuple(conditions), problems


def _inexact(span: Span, form: str) -> Diagnostic:
    return problem("RB301", span, "This line is not exact", f"Write it as {form}, or move prose above the sections.")


def _unless(typed: Typed, scope: Scope) -> tuple[tuple[Refusal, ...], list[Diagnostic]]:
    refusals: list[Refusal] = []
    problems: list[Diagnostic] = []
    for row, whole in _rows(typed, "Unless", ("if", "say"), problems):
        if "if" not in row or "say" not in row:
            continue
        condition, more = exact_code(row["if"], scope, BOOL)
        problems += more
        text, more = compile_text(row["say"].text.strip('"'), row["say"].span, scope)
        problems += more
        if condition is not None and text is not None:
            refusals.append(Refusal(condition, text, whole.span))
    for section in typed.page.sections:
        if section.heading == "Unless":
            problems += [_inexact(b.span, "a table | If | Say |") for b in section.blocks if not isinstance(b, Table)]
    return tuple(refusals), problems


def _effects(
    section: Section | None, scope: Scope, *, speech_only: bool = False
) -> tuple[tuple[Effect, ...], Scope, list[Diagnostic]]:
    if section is None:
        return (), scope, []
    bullets = [block for block in section.blocks if isinstance(block, Bullet)]
    effects, inner, problems = compile_block(bullets, scope, speech_only=speech_only)
    problems = [
        *problems,
        *(_inexact(b.span, '- say "…"') for b in section.blocks if not isinstance(b, Bullet)),
    ]
    if not section.blocks:
        problems.append(
            problem("RB301", section.span, f"`{section.heading}` is empty", "Add an effect, or leave it out.")
        )
    return tuple(effects), inner, problems


# --- Rule tables ----------------------------------------------------------------------------------


def rule_rows(typed: Typed, problems: list[Diagnostic]) -> list[tuple[dict[str, Cell], TableRow]]:
    """The rows of a page's `## Rules` table."""
    return list(_rows(typed, "Rules", ("on", "when", "then"), problems))


def compile_rows(
    typed: Typed,
    kind: str | None,
    scope: Scope,
    rows: Sequence[tuple[dict[str, Cell], TableRow]],
    wordings: Sequence[Wording | None],
) -> tuple[list[Rule], list[Diagnostic]]:
    """Each row as a rule that stands before all rule pages; `kind` is the page's (None: the experience)."""
    rules: list[Rule] = []
    problems: list[Diagnostic] = []
    for number, ((row, whole), wording) in enumerate(zip(rows, wordings, strict=True), 1):
        if "on" not in row or "then" not in row:
            continue
        narrowing: Mapping[str, tuple[str, ...]] = {}
        if wording is not None:
            trigger, narrowing, inner, more = _action_trigger(wording, scope)
        else:
            text = row["on"].text
            key = "after" if text.startswith("after ") else "on"
            trigger, inner, more = _special_trigger(text.removeprefix("after "), key, row["on"].span, scope)
        problems += more
        if trigger is None:
            continue
        narrowing, context, more = _context(typed, kind, trigger, narrowing, inner, row["on"].span)
        problems += more
        when, more = _row_conditions(row.get("when"), inner)
        problems += more
        then, _, more = compile_effects(row["then"], inner)
        problems += more
        rules.append(
            Rule(
                id=f"{typed.id}.{number}",
                title=f"{typed.page.title or typed.id}: {row['on'].text}",
                trigger=trigger,
                narrowing=narrowing,
                when=(*context, *when),
                unless=(),
                then=tuple(then),
                otherwise=(),
                span=whole.span,
                own=True,
            )
        )
    return rules, problems


def _context(
    typed: Typed,
    kind: str | None,
    trigger: Trigger,
    narrowing: Mapping[str, tuple[str, ...]],
    scope: Scope,
    span: Span,
) -> tuple[Mapping[str, tuple[str, ...]], tuple[Condition, ...], list[Diagnostic]]:
    """What the page that a row stands on adds: a place's rows apply there, an item's to actions that name it."""
    if kind is None or trigger.kind not in {"action", "after"}:
        return narrowing, (), []
    if kind in scope.kinds_within("place"):
        expr, problems = compile_expression(f"room == {typed.id.replace('-', '_')}", span, scope, BOOL)
        condition = (Condition(f"you are in {typed.page.title}", expr, span),) if expr is not None else ()
        return narrowing, condition, problems
    if typed.id in {id for allowed in narrowing.values() for id in allowed}:
        return narrowing, (), []
    for name, role in scope.roles(trigger.action).items() if trigger.action != "any" and trigger.action else ():
        if isinstance(role.type, Ref) and any(kind in scope.kinds_within(k) for k in role.type.kinds):
            return {**narrowing, name: (typed.id,)}, (), []
    hint = f"Name it in the pattern: `[[{typed.id}]]`."
    return narrowing, (), [problem("RB304", span, f"The action does not name `{typed.id}`", hint)]


def _row_conditions(cell: Cell | None, scope: Scope) -> tuple[tuple[Condition, ...], list[Diagnostic]]:
    if cell is None or cell.text in {"", "-"}:
        return (), []
    expr, problems = exact_code(cell, scope, BOOL)
    return ((Condition(cell.text.strip("`"), expr, cell.span),) if expr is not None else ()), problems
