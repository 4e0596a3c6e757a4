"""Owns scenario pages: a played session with checks.

`compile_scenario(typed, scope)`; `kb.testing` runs them. It must not know how lines are understood.
"""

from __future__ import annotations

from kb.compiler.builtin import ROLES
from kb.compiler.classify import Typed
from kb.compiler.conditions import exact_code
from kb.compiler.effects import compile_block
from kb.compiler.scope import Scope
from kb.diagnostics import Diagnostic, problem
from kb.pages.page import Bullet, Cell, Table
from kb.rulebook import Effect, Scenario, ScenarioTurn
from kb.suggest import suggest
from kb.types import BOOL

KEYS = ("scenario", "by", "seed", "role", "experience")
COLUMNS = ("player says", "answer holds", "check", "refused")
SECTIONS = ("", "Given", "Notes")
BY = ("rules", "model")


def compile_scenario(typed: Typed, scope: Scope) -> tuple[Scenario | None, list[Diagnostic]]:
    """The scenario of a page."""
    problems: list[Diagnostic] = []
    entries = typed.page.front.entries
    for key, entry in entries.items():
        if key not in KEYS:
            hint = suggest(key, KEYS) or f"The keys are {', '.join(KEYS)}."
            problems.append(problem("RB105", entry.key_span, f"A scenario has no key `{key}`", hint))
    by = (
        tuple(part.strip() for part in str(entries["by"].value).strip("[]").split(","))
        if "by" in entries
        else ("rules",)
    )
    if "by" in entries and isinstance(entries["by"].value, list):
        by = tuple(str(item.value) for item in entries["by"].items)
    for each in by:
        if each not in BY:
            hint = suggest(each, BY) or "Write `by: rules`, `by: model` or both."
            problems.append(problem("RB703", entries["by"].value_span, f"`{each}` plays no scenarios", hint))
    role = str(entries["role"].value) if "role" in entries else "player"
    if role not in ROLES:
        hint = suggest(role, ROLES) or f"The roles are {', '.join(ROLES)}."
        problems.append(problem("RB703", entries["role"].value_span, f"No role is `{role}`", hint))
    seed = entries["seed"].value if "seed" in entries else 0
    if not isinstance(seed, int) or isinstance(seed, bool):
        problems.append(problem("RB703", entries["seed"].value_span, "`seed` is not a number", "Write `seed: 7`."))
        seed = 0
    given: list[Effect] = []
    turns: list[ScenarioTurn] = []
    for section in typed.page.sections:
        if section.heading not in SECTIONS:
            hint = suggest(section.heading, SECTIONS) or "A scenario may have Given and Notes."
            problems.append(problem("RB106", section.span, f"A scenario has no section `{section.heading}`", hint))
            continue
        if section.heading == "Notes":
            continue
        if section.heading == "Given":
            effects, scope, more = compile_block([b for b in section.blocks if isinstance(b, Bullet)], scope)
            given += effects
            problems += more
            problems += [
                problem("RB301", block.span, "This line is not exact", "Write effects: `- set `lamp.lit` to yes`.")
                for block in section.blocks
                if not isinstance(block, Bullet | Table)
            ]
        for block in section.blocks:
            if isinstance(block, Table):
                found, more = _turns(block, scope)
                turns += found
                problems += more
    if not turns and not problems:
        hint = "Add a table with the columns Player says, Answer holds, Check."
        problems.append(problem("RB703", typed.span, "The scenario has no turns", hint))
    if problems:
        return None, problems
    title = typed.page.title or typed.id.replace("-", " ")
    return Scenario(typed.id, title, by, tuple(given), tuple(turns), seed, role, typed.span), []


def _turns(table: Table, scope: Scope) -> tuple[list[ScenarioTurn], list[Diagnostic]]:
    problems: list[Diagnostic] = []
    names = [cell.text.lower() for cell in table.header]
    for cell in table.header:
        if cell.text.lower() not in COLUMNS:
            hint = suggest(cell.text.lower(), COLUMNS) or f"The columns are {', '.join(COLUMNS)}."
            problems.append(problem("RB703", cell.span, f"There is no column `{cell.text}` here", hint))
    if "player says" not in names:
        hint = "Add a column Player says."
        return [], [*problems, problem("RB703", table.span, "Nobody says anything", hint)]
    turns: list[ScenarioTurn] = []
    for row in table.rows:
        cells = dict(zip(names, row.cells, strict=False))
        check: Cell | None = cells.get("check")
        expr = None
        if check is not None and check.text not in {"", "-"}:
            expr, more = exact_code(check, scope, BOOL)
            problems += more
        refused = cells["refused"].text.lower() if "refused" in cells else ""
        if refused not in {"", "-", "yes", "no"}:
            problems.append(
                problem("RB703", cells["refused"].span, f"`{refused}` is not yes or no", "Write yes or no.")
            )
        holds = cells["answer holds"].text if "answer holds" in cells else ""
        says = cells["player says"].text
        if len(says) > 2 and says[0] == says[-1] == "`":
            says = says[1:-1]
        turns.append(ScenarioTurn(says, holds, expr, {"yes": True, "no": False}.get(refused), row.span))
    return turns, problems
