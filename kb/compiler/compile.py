"""Owns the compilation of one experience: pages in, a Rulebook and every problem out.

`compile_experience(folder, commit, read, before=None)`; pass the former `Compiled` as `before` and only pages whose text,
or whose answers from other pages, have changed are compiled again. It must not know Git, caches or the command line.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

from kb.compiler.agents import compile_agent, judgement_fields, undone
from kb.compiler.classify import Folder, Typed, classify, duplicates, kind_page_ids
from kb.compiler.data import DataRow, data_path, read_rows
from kb.compiler.data import compile_rows as compile_data
from kb.compiler.declarations import Declarations, KindDecl, builtin_derived_type
from kb.compiler.experience import compile_settings
from kb.compiler.kinds import KIND_KEYS, declare_kinds, start_type, template_kind, with_starts
from kb.compiler.link import order_rules
from kb.compiler.patterns import ActionTable, Kinds, RawAction
from kb.compiler.personas import compile_persona
from kb.compiler.rules import (
    Wording,
    compile_conditions,
    compile_rows,
    compile_rule,
    page_wording,
    row_wording,
    rule_rows,
)
from kb.compiler.scenarios import compile_scenario
from kb.compiler.scope import Asked, Scope, World, page_scope
from kb.compiler.tables import compile_table, table_takes
from kb.compiler.teams import compile_team
from kb.compiler.templates import compile_template, instances_of
from kb.compiler.values import read_value
from kb.compiler.workflows import compile_workflow
from kb.diagnostics import Diagnostic, Severity, Span, problem
from kb.expressions import Expr, compile_expression
from kb.rulebook import (
    Agent,
    Condition,
    Decide,
    Derived,
    Effect,
    Field,
    Kind,
    Persona,
    Progress,
    Role,
    Rule,
    Rulebook,
    Scenario,
    Seed,
    Settings,
    Table,
    Target,
    Template,
    Workflow,
)
from kb.suggest import suggest
from kb.teams import Team
from kb.types import UNKNOWN, Choice, Ref, Type, joined

MAX_SUGGESTED = 200
"""Dead links of an experience for which a near name is looked for; each takes a millisecond."""


@dataclass
class Unit:
    """What one page compiles to, and what it asked of the others meanwhile."""

    typed: Typed
    problems: list[Diagnostic]
    asked: Asked
    templates: list[Template] = field(default_factory=list[Template])
    seeds: list[Seed] = field(default_factory=list[Seed])
    rules: list[Rule] = field(default_factory=list[Rule])
    tables: list[Table] = field(default_factory=list[Table])
    workflows: list[Workflow] = field(default_factory=list[Workflow])
    agents: list[Agent] = field(default_factory=list[Agent])
    teams: list[Team] = field(default_factory=list[Team])
    scenarios: list[Scenario] = field(default_factory=list[Scenario])
    personas: list[Persona] = field(default_factory=list[Persona])
    derived: dict[tuple[str, str], Derived] = field(default_factory=dict[tuple[str, str], Derived])
    invariants: dict[str, tuple[Condition, ...]] = field(default_factory=dict[str, tuple[Condition, ...]])
    settings: Settings | None = None
    data: bytes | None = None
    searches: frozenset[tuple[str, str]] = frozenset()
    """(kind, field) pairs that its expressions search by."""


@dataclass(frozen=True)
class Compiled:
    """One experience, compiled: `rulebook` is None where an error keeps it from being whole."""

    rulebook: Rulebook | None
    partial: Rulebook | None
    """What did compile, for looking for further problems in the same run; never played."""
    problems: tuple[Diagnostic, ...]
    units: Mapping[tuple[str, str], Unit]
    world: World
    """What its pages may name, for compiling more than they hold: `page_scope(compiled.world, Asked())`."""


@dataclass
class _Pages:
    """All that is known of the pages before any is compiled."""

    typed: list[Typed]
    kinds: dict[str, KindDecl]
    template_kinds: list[tuple[Typed, str]]
    wordings: dict[str, tuple[Wording | None, dict[str, Role]]]
    rows: dict[str, tuple[list[Any], list[Wording | None]]]
    data: dict[str, tuple[list[DataRow], bytes]]
    problems: list[Diagnostic]


def compile_experience(
    folder: Folder,
    commit: str,
    read: Callable[[str], bytes | None],
    files: Iterable[str] = (),
    before: Compiled | None = None,
) -> Compiled:
    """Compiles an experience. `read` gives a data file's bytes by path, `files` all paths there are."""
    pages, world = _declare(folder, read, files)
    old: Mapping[tuple[str, str], Unit] = before.units if before else {}
    units: dict[tuple[str, str], Unit] = {}
    for _ in range(4):
        settled: dict[tuple[Any, ...], bool] = {}
        for typed in pages.typed:
            key = (typed.page.path, typed.key)
            unit = units.get(key) or old.get(key)
            held = pages.data.get(typed.page.path)
            data = held[1] if held else None
            if unit is None or unit.typed != typed or unit.data != data or not unit.asked.holds(world, settled):
                unit = _compile_page(typed, pages, world)
                unit.data = data
                unit.searches = frozenset(_searches(unit))
            units[key] = unit
        events = _events(units.values())
        if events == world.events:
            break
        world = World(world.declarations, world.actions, events)
    problems = [*pages.problems, *(each for unit in units.values() for each in unit.problems)]
    problems += _links(folder, world)
    rulebook, more = _link(commit, units, world)
    problems += more
    problems = sorted(set(problems))
    whole = rulebook if not any(each.severity is Severity.ERROR for each in problems) else None
    return Compiled(whole, rulebook, tuple(problems), units, world)


# --- Declarations ---------------------------------------------------------------------------------


def _declare(folder: Folder, read: Callable[[str], bytes | None], files: Iterable[str]) -> tuple[_Pages, World]:
    typed, problems = classify(folder.pages, kind_page_ids(folder.pages))
    problems += [each for page in folder.pages for each in page.problems]
    problems += duplicates(typed)
    declared = declare_kinds(typed)
    problems += declared.problems
    for each in typed:
        if each.key == "agent":
            _declare_judgements(each, declared.kinds)
    kinds = declared.kinds
    template_kinds = [
        (each, each.id if each.id in kinds and each.key != "kind" else kind)
        for each in typed
        if (kind := template_kind(each, kinds)) is not None
    ]
    data: dict[str, tuple[list[DataRow], bytes]] = {}
    data_kinds: dict[str, str] = {}
    known_files = set(files)
    for kind, each in declared.data:
        path = data_path(each, known_files)
        content = read(path) if path else None
        entry = each.page.front.entries["from"]
        if path is None or content is None:
            hint = suggest(str(entry.value), known_files) or "Give the file's path from this page."
            problems.append(problem("RB801", entry.value_span, f"There is no data file `{entry.value}`", hint))
            continue
        rows, more = read_rows(path, content)
        problems += more
        data[each.page.path] = (rows, content)
        for row in rows:
            if row.id in data_kinds:
                problems.append(problem("RB110", row.span, f"The id `{row.id}` is used twice", "Choose another id."))
            data_kinds[row.id] = kind
    pages = _Pages(typed, kinds, template_kinds, {}, {}, data, problems)
    templates = {each.id: kind for each, kind in template_kinds} | data_kinds
    declarations = Declarations(
        kinds=kinds,
        templates=templates,
        instances=instances_of(template_kinds) | data_kinds,
        categories=_categories(typed),
        created=_created(typed),
    )
    pattern_kinds = Kinds(kinds, templates, {kind: declarations.kinds_within(kind) for kind in kinds})
    table = ActionTable(_wordings(pages, pattern_kinds), pattern_kinds)
    takes = {each.id: table_takes(each.page, pattern_kinds.kinds.__contains__) for each in typed if each.key == "table"}
    declarations = replace(declarations, table_takes=takes)
    declarations = _read_starts(declarations, declared.starts, table, problems)
    pages.kinds = dict(declarations.kinds)
    declarations = _infer_derived(declarations, table)
    world = World(declarations, table)
    scope = Scope(world, Asked(), {})
    # What is wrong with a start is told where its page is compiled.
    table.read_starts(lambda cell, type_: read_value(cell.text, type_, cell.span, scope)[0])
    return pages, world


def _declare_judgements(typed: Typed, kinds: dict[str, KindDecl]) -> None:
    """A judgement's answer is a stored field of the agent's own kind, with the fallback as its start."""
    for name, options, fallback, span in judgement_fields(typed.page):
        base = kinds.get(typed.id) or KindDecl(typed.id, typed.id.replace("-", "_") + "s", "npc", {}, {}, typed.span)
        type_ = Choice(tuple(options)) if options else UNKNOWN
        answer = Field(name, type_, fallback, "a judgement's answer", (), span)
        kinds[typed.id] = replace(base, fields={**base.fields, name: answer})


def _categories(typed: Iterable[Typed]) -> dict[str, dict[str, Span]]:
    found: dict[str, dict[str, Span]] = {}
    for each in typed:
        found.setdefault(each.key, {})[each.id] = each.span
    return found


def _created(typed: Iterable[Typed]) -> frozenset[str]:
    """Template ids after the word `create`, read roughly: only whether a kind's instances can grow depends on it."""
    import re

    created: set[str] = set()
    for each in typed:
        for section in each.page.sections:
            for block in section.blocks:
                created |= set(re.findall(r"create \[\[([a-z0-9-]+)", block.source))
    return frozenset(created)


def _wordings(pages: _Pages, kinds: Kinds) -> list[RawAction]:
    """Every rule's wording, libraries first, so that a world's `get <item>` joins the library's `take <item>`."""
    raws: list[RawAction] = []
    template_ids = {each.page.path for each, _ in pages.template_kinds}
    for each in reversed(pages.typed):
        if each.key == "rule":
            wording, takes, problems = page_wording(each, kinds)
            pages.problems += problems
            pages.wordings[each.page.path] = (wording, takes)
            if wording is not None and not wording.after:
                raws.append(wording.raw)
        elif each.page.path in template_ids or each.key == "experience":
            rows = rule_rows(each, pages.problems)
            wordings: list[Wording | None] = []
            for row, _ in rows:
                wording, problems = row_wording(row["on"], kinds) if "on" in row else (None, [])
                pages.problems += problems
                wordings.append(wording)
                if wording is not None and not wording.after:
                    raws.append(wording.raw)
            pages.rows[each.page.path] = (rows, wordings)
    return raws


def _read_starts(
    declarations: Declarations, starts: Iterable[Any], actions: ActionTable, problems: list[Diagnostic]
) -> Declarations:
    scope = Scope(World(declarations, actions), Asked(), {})
    values: dict[tuple[str, str], Any] = {}
    for start in starts:
        stored = declarations.kinds[start.kind].fields.get(start.field)
        if stored is None or stored.type == UNKNOWN:
            continue
        value, more = read_value(start.text, start_type(stored.type), start.span, scope)
        problems += more
        if not more:
            values[start.kind, start.field] = value
    return replace(declarations, kinds=with_starts(declarations.kinds, values))


def _infer_derived(declarations: Declarations, actions: ActionTable) -> Declarations:
    """The types of derived fields, to a fixed point: they may use one another."""
    decls = [each for kind in declarations.kinds.values() for each in kind.derived.values()]
    types: dict[tuple[str, str], Type] = {(d.kind, d.name): builtin_derived_type(d.name) for d in decls}
    for _ in range(5):
        declarations = replace(declarations, derived_types=types)
        scope = page_scope(World(declarations, actions), Asked())
        found = dict(types)
        for each in decls:
            expr, _ = compile_expression(each.source, each.span, scope.with_locals({each.self_name: Ref((each.kind,))}))
            if expr is not None:
                found[each.kind, each.name] = expr.type
        if found == types:
            break
        types = found
    return declarations


# --- Pages ----------------------------------------------------------------------------------------


def _compile_page(typed: Typed, pages: _Pages, world: World) -> Unit:
    asked = Asked()
    scope = page_scope(world, asked)
    unit = Unit(typed, [], asked)
    kind = next((kind for each, kind in pages.template_kinds if each is typed), None)
    if kind is not None:
        _compile_template_page(unit, kind, pages, scope)
    elif typed.key == "experience":
        unit.settings, unit.invariants["world"], unit.problems = compile_settings(typed, scope)
        _compile_own_rules(unit, None, pages, scope)
    elif typed.key == "kind":
        _compile_kind(unit, pages, world, scope)
    elif typed.key == "rule":
        wording, takes = pages.wordings[typed.page.path]
        rule, unit.problems = compile_rule(typed, scope, wording, takes)
        unit.rules = [rule] if rule is not None else []
    elif typed.key == "table":
        table, unit.problems = compile_table(typed, scope.with_locals(world.declarations.table_takes.get(typed.id, {})))
        unit.tables = [table] if table is not None else []
    elif typed.key == "workflow":
        workflow, unit.problems = compile_workflow(typed, scope, quest=False)
        unit.workflows = [workflow] if workflow is not None else []
    elif typed.key == "team":
        team, unit.problems = compile_team(typed)
        unit.teams = [team] if team is not None else []
    elif typed.key == "scenario":
        scenario, unit.problems = compile_scenario(typed, scope)
        unit.scenarios = [scenario] if scenario is not None else []
    elif typed.key == "persona":
        persona, unit.problems = compile_persona(typed, scope)
        unit.personas = [persona] if persona is not None else []
    return unit


def _compile_template_page(unit: Unit, kind: str, pages: _Pages, scope: Scope) -> None:
    typed = unit.typed
    template, seeds, unit.problems = compile_template(typed, kind, scope)
    unit.templates, unit.seeds = [template], list(seeds)
    if typed.key == "quest":
        workflow, more = compile_workflow(typed, scope, quest=True)
        unit.workflows = [workflow] if workflow is not None else []
        unit.problems += more
    elif typed.key == "agent":
        agent, more = compile_agent(typed, scope)
        unit.agents = [agent] if agent is not None else []
        unit.problems += more
    _compile_derived(unit, kind, scope)
    _compile_own_rules(unit, kind, pages, scope)
    if typed.key not in {"quest", "agent"}:
        # An NPC's voice is prose, which `agents.npcs` reads from the page.
        names = ("State", "Derived", "Rules", "Notes", *(("Voice",) if typed.key == "npc" else ()))
        for section in typed.page.sections:
            if section.heading and section.heading not in names:
                hint = suggest(section.heading, names) or f"It may have {', '.join(names)}."
                unit.problems.append(
                    problem("RB106", section.span, f"A {typed.key} has no section `{section.heading}`", hint)
                )


def _compile_own_rules(unit: Unit, kind: str | None, pages: _Pages, scope: Scope) -> None:
    rows, wordings = pages.rows.get(unit.typed.page.path, ([], []))
    unit.rules, more = compile_rows(unit.typed, kind, scope, rows, wordings)
    unit.problems += more


def _compile_kind(unit: Unit, pages: _Pages, world: World, scope: Scope) -> None:
    typed = unit.typed
    for key, entry in typed.page.front.entries.items():
        if key not in KIND_KEYS:
            hint = suggest(key, KIND_KEYS) or f"The keys are {', '.join(KIND_KEYS)}."
            unit.problems.append(problem("RB105", entry.key_span, f"A kind has no key `{key}`", hint))
    _compile_derived(unit, typed.id, scope)
    inner = scope.with_locals({typed.id.replace("-", "_"): Ref((typed.id,))})
    for section in typed.page.sections:
        if section.heading == "Invariants":
            conditions, more = compile_conditions(section, inner)
            unit.invariants[typed.id] = (*unit.invariants.get(typed.id, ()), *conditions)
            unit.problems += more
        elif section.heading and section.heading not in {"State", "Derived", "Notes"}:
            names = ("State", "Derived", "Invariants", "Notes")
            hint = suggest(section.heading, names) or f"A kind has {', '.join(names)}."
            unit.problems.append(problem("RB106", section.span, f"A kind has no section `{section.heading}`", hint))
    if typed.page.path in pages.data:
        templates, seeds, more = compile_data(pages.data[typed.page.path][0], typed.id, scope)
        unit.templates, unit.seeds = templates, seeds
        unit.problems += more


def _compile_derived(unit: Unit, kind: str, scope: Scope) -> None:
    """The derived fields that this page declares for the kind (another page may extend the same kind)."""
    from kb.compiler.kinds import derived_of

    for each in derived_of(unit.typed, kind):
        expr, more = compile_expression(each.source, each.span, scope.with_locals({each.self_name: Ref((kind,))}))
        unit.problems += more
        if expr is not None:
            if (kind, each.name) in expr.reads and _reads_self(expr, each.self_name, each.name):
                hint = "Say it without the field itself."
                unit.problems.append(problem("RB210", each.span, f"`{each.name}` is derived from itself", hint))
                continue
            unit.derived[kind, each.name] = Derived(each.name, expr, each.self_name, each.meaning, each.span)


def _reads_self(expr: Expr, self_name: str, name: str) -> bool:
    import re

    return re.search(rf"(?<![\w.]){re.escape(self_name)}\.{re.escape(name)}\b", expr.source) is not None


def _events(units: Iterable[Unit]) -> dict[str, dict[str, Type]]:
    events: dict[str, dict[str, Type]] = {}
    for unit in units:
        for event, values in unit.asked.emits.items():
            known = events.setdefault(event, {})
            for name, type_ in values.items():
                known[name] = joined(known.get(name), type_)
    return events


def _links(folder: Folder, world: World) -> list[Diagnostic]:
    """Wiki links of the experience's own pages that lead nowhere."""
    paths = {page.path for page in folder.pages}
    stems = {path.rsplit("/", 1)[-1].removesuffix(".md") for path in paths} | {p.removesuffix(".md") for p in paths}
    ids = {id for group in world.declarations.categories.values() for id in group}
    known = stems | ids | set(world.declarations.instances) | set(world.declarations.templates)
    dead = [
        link
        for page in folder.pages
        for link in page.links
        if link.target.split("#")[0].removesuffix(".md") not in known
    ]
    return [
        problem(
            "RB111",
            link.span,
            f"The link leads nowhere: no page is `{link.target}`",
            suggest(link.target, known if number < MAX_SUGGESTED else ()) or "Link a page by its id or file name.",
        )
        for number, link in enumerate(dead)
    ]


# --- The rulebook ---------------------------------------------------------------------------------


def _link(commit: str, units: Mapping[tuple[str, str], Unit], world: World) -> tuple[Rulebook | None, list[Diagnostic]]:
    everything = list(units.values())
    unknown = _unknown_fields(everything, world)
    tables = {each.id: each for unit in everything for each in unit.tables if _known(each, unknown)}
    flows = {each.id: each for unit in everything for each in unit.workflows if _known(each, unknown)}
    while broken := [id for id, each in tables.items() if not all(_leads(r.effects, tables, flows) for r in each.rows)]:
        for id in broken:
            del tables[id]
    rules = {
        rule.id: rule
        for unit in everything
        for rule in unit.rules
        if _leads(rule.then, tables, flows) and _known(rule, unknown)
    }
    order, problems = order_rules(rules, world.actions.ids())
    settings = next((unit.settings for unit in everything if unit.settings is not None), None)
    if settings is None:
        return None, problems
    agents = {agent.id: agent for unit in everything for agent in unit.agents if _known(agent, unknown)}
    problems += undone(agents.values(), rules)
    timed_agents = tuple(id for id, agent in agents.items() if agent.trigger.kind in {"every", "at"})
    derived = {key: value for unit in reversed(everything) for key, value in unit.derived.items()}
    kind_invariants: dict[str, tuple[Condition, ...]] = {}
    for unit in everything:
        for kind, conditions in unit.invariants.items():
            kind_invariants[kind] = (
                *kind_invariants.get(kind, ()),
                *(each for each in conditions if _known(each, unknown)),
            )
    declarations = world.declarations
    kinds = {
        id: Kind(
            id=id,
            plural=declared.plural,
            parent=declared.parent,
            fields=declarations.stored_fields(id),
            derived={
                name: derived[above.id, name]
                for above in reversed(list(declarations.ancestry(id)))
                for name in above.derived
                if (above.id, name) in derived
            },
            invariants=tuple(
                condition
                for above in declarations.ancestry(id)
                if above.id != "world"
                for condition in kind_invariants.get(above.id, ())
            ),
            span=declared.span,
            was=declared.was,
        )
        for id, declared in declarations.kinds.items()
    }
    return Rulebook(
        commit=commit,
        settings=settings,
        kinds=kinds,
        templates={each.id: each for unit in everything for each in unit.templates},
        seeds=tuple(seed for unit in everything for seed in unit.seeds),
        actions=world.actions.build(order.actions, order.after),
        rules=rules,
        tables=tables,
        workflows=flows,
        agents=agents,
        teams={each.id: each for unit in everything for each in unit.teams},
        scenarios=tuple(each for unit in everything for each in unit.scenarios),
        invariants=kind_invariants.get("world", ()),
        enters=order.enters,
        events=order.events,
        every_turn=order.every_turn,
        timed=(*order.timed, *timed_agents),
        indexed=frozenset(pair for unit in everything for pair in unit.searches),
        personas={each.id: each for unit in everything for each in unit.personas},
    ), problems


def _unknown_fields(units: Iterable[Unit], world: World) -> frozenset[str]:
    """Names of fields whose type or derivation did not compile: a partial rulebook leaves out what touches them."""
    derived = {key for unit in units for key in unit.derived}
    stored = {
        name
        for kind in world.declarations.kinds.values()
        for name, field_ in kind.fields.items()
        if field_.type == UNKNOWN
    }
    missing = {
        name for kind in world.declarations.kinds.values() for name in kind.derived if (kind.id, name) not in derived
    }
    unknown = stored | missing
    # What is derived from something unknown is unknown as well.
    while further := {
        derivation.name
        for unit in units
        for derivation in unit.derived.values()
        if derivation.name not in unknown and any(name in unknown for _, name in derivation.expr.reads)
    }:
        unknown |= further
    return frozenset(unknown)


def _known(value: Any, unknown: frozenset[str]) -> bool:
    """Whether nothing within a compiled value touches an unknown field."""
    return not unknown or not any(
        name in unknown
        for part in _walk(value)
        for name in ([part.field] if isinstance(part, Target) else [name for _, name in part.reads])
    )


def _leads(effects: Iterable[Effect], tables: Container[str], flows: Container[str]) -> bool:
    """Whether everything that effects lead to did compile; where not, a partial rulebook leaves them out."""
    return all(
        effect.table in tables if isinstance(effect, Decide) else effect.id in flows
        for effect in effects
        if isinstance(effect, Decide | Progress)
    )


def _searches(unit: Unit) -> Iterable[tuple[str, str]]:
    """(kind, field) pairs that the unit's expressions search by."""
    for value in _walk([unit.rules, unit.tables, unit.workflows, unit.agents, unit.derived, unit.invariants]):
        if isinstance(value, Expr):
            yield from value.searches


def _walk(value: Any) -> Iterable[Expr | Target]:
    """Every expression and target within compiled values."""
    inner: Iterable[Any] = ()
    if isinstance(value, Expr | Target):
        yield value
    if isinstance(value, Mapping):
        inner = cast("Mapping[Any, Any]", value).values()
    elif isinstance(value, tuple | list):
        inner = cast("Iterable[Any]", value)
    elif hasattr(value, "__dataclass_fields__") and not isinstance(value, Expr | Span | Type):
        inner = [getattr(value, name) for name in value.__dataclass_fields__]
    for each in inner:
        yield from _walk(each)
