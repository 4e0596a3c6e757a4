"""Owns workflows and quests: numbered steps of lines that wait, act, branch, ask or end.

`compile_workflow(typed, scope, quest=…)`. It must not know how positions are kept.
"""

from __future__ import annotations

import re

from kb.compiler.classify import Typed
from kb.compiler.effects import compile_effects, compile_target
from kb.compiler.scope import Scope
from kb.diagnostics import Diagnostic, problem
from kb.expressions import compile_expression, compile_text
from kb.pages.page import Bullet, Fragment, Section
from kb.rulebook import Act, Ask, Branch, End, Line, Step, Wait, Workflow
from kb.suggest import suggest
from kb.types import BOOL

_STEP = re.compile(r"(\d{1,3})\.\s*(.*)")
_WAIT = re.compile(r"[Ww]ait until `([^`]+)`\.?")
_THEN = re.compile(r"[Tt]hen\s+")
_BRANCH = re.compile(r"[Ii]f `([^`]+)`\s*(?:→|->)\s*(\d{1,3})\.?")
_ASK = re.compile(r'[Aa]sk the player "((?:[^"\\]|\\.)*)"\s*(?:→|->)\s*`([^`]+)`\.?')
_END = re.compile(r'[Ee]nd(?::\s*"((?:[^"\\]|\\.)*)")?\.?')
_KEYS = {"workflow": ("workflow", "begin"), "quest": ()}
FORMS = 'Write `Wait until `…``, `Then effect`, `if `…` → 2`, `Ask the player "…" → `field``, or `End: "…"`.'


def compile_workflow(typed: Typed, scope: Scope, *, quest: bool) -> tuple[Workflow | None, list[Diagnostic]]:
    """The workflow of a page."""
    problems: list[Diagnostic] = []
    entries = typed.page.front.entries
    for key, entry in entries.items():
        if not quest and key not in _KEYS["workflow"]:
            hint = suggest(key, _KEYS["workflow"]) or "The keys are workflow, begin."
            problems.append(problem("RB105", entry.key_span, f"A workflow has no key `{key}`", hint))
    sections: list[tuple[int, str, Section]] = []
    for section in typed.page.sections:
        match = _STEP.fullmatch(section.heading)
        if match:
            sections.append((int(match[1]), match[2].strip(), section))
        elif section.heading and section.heading not in {"Notes", "State", "Derived", "Rules"} and not quest:
            hint = "Number the steps: `## 1. Ask`."
            problems.append(problem("RB501", section.span, f"`{section.heading}` is not a numbered step", hint))
    numbers = [number for number, _, _ in sections]
    titles: set[str] = set()
    for index, (number, title, section) in enumerate(sections):
        if (slug := _slug(number, title)) in titles:
            what = f"Another step is headed `{title}` too, and positions are kept by the heading"
            problems.append(problem("RB501", section.span, what, "Give it a heading of its own."))
        titles.add(slug)
        if number != index + 1:
            hint = f"Number it {index + 1}."
            problems.append(problem("RB501", section.span, f"The step is numbered {number}", hint))
    if not sections and not quest:
        problems.append(problem("RB501", typed.span, "The workflow has no steps", "Add `## 1. First`."))
    steps: list[Step] = []
    for number, title, section in sections:
        lines: list[Line] = []
        inner = scope
        for block in section.blocks:
            if not isinstance(block, Bullet):
                problems.append(problem("RB501", block.span, "This line is not exact", FORMS))
                continue
            line, inner, more = _line(block, inner, numbers)
            problems += more
            lines += line
            if any(isinstance(each, Wait | Ask) for each in line):
                inner = scope  # what was rolled or created before a wait is gone when a later turn goes on
        steps.append(Step(number, _slug(number, title), tuple(lines), section.span))
    begin = entries["begin"].value if "begin" in entries else False
    if not isinstance(begin, bool):
        problems.append(
            problem("RB206", entries["begin"].value_span, "`begin` is not yes or no", "Write `begin: yes`.")
        )
    if problems:
        return None, problems
    return Workflow(typed.id, typed.page.title or typed.id, quest, begin is True, tuple(steps), typed.span), []


def _slug(number: int, title: str) -> str:
    """What a position is kept by: the step's heading without its number."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") or f"step-{number}"


def _line(bullet: Bullet, scope: Scope, numbers: list[int]) -> tuple[list[Line], Scope, list[Diagnostic]]:
    text = bullet.text
    if match := _WAIT.fullmatch(text):
        expr, problems = compile_expression(match[1], bullet.at(*match.span(1)), scope, BOOL)
        return ([Wait(expr, bullet.span)] if expr else []), scope, problems
    if match := _BRANCH.fullmatch(text):
        expr, problems = compile_expression(match[1], bullet.at(*match.span(1)), scope, BOOL)
        if int(match[2]) not in numbers:
            hint = f"The steps are {', '.join(map(str, numbers))}."
            problems.append(problem("RB502", bullet.at(*match.span(2)), f"There is no step {match[2]}", hint))
            return [], scope, problems
        return ([Branch(expr, numbers.index(int(match[2])), bullet.span)] if expr else []), scope, problems
    if match := _ASK.fullmatch(text):
        question, problems = compile_text(match[1], bullet.at(*match.span(1)), scope)
        target, more = compile_target(match[2], bullet.at(*match.span(2)), scope)
        problems += more
        return ([Ask(question, target, bullet.span)] if question and target else []), scope, problems
    if match := _END.fullmatch(text):
        if match[1] is None:
            return [End(None, bullet.span)], scope, []
        said, problems = compile_text(match[1], bullet.at(*match.span(1)), scope)
        return ([End(said, bullet.span)] if said else []), scope, problems
    if match := _THEN.match(text):
        part: Fragment = bullet.part(match.end(), len(text))
        effects, scope, problems = compile_effects(part, scope)
        return [Act(effect) for effect in effects], scope, problems
    return [], scope, [problem("RB501", bullet.span, "This line is no step of a workflow", FORMS)]
