"""Owns workflows that cannot end and steps that are never reached.

A small walk over steps and lines. It must not run them.
"""

from __future__ import annotations

from kb.diagnostics import Diagnostic, Severity, problem
from kb.expressions.nodes import Literal
from kb.rulebook import Branch, End, Wait, Workflow


def workflow_problems(flow: Workflow) -> list[Diagnostic]:
    """RB503 and RB504 of one workflow or quest."""
    if not flow.steps:
        return []
    reached: set[tuple[int, int]] = set()
    ends = False
    waiting = [(0, 0)]
    while waiting:
        step, line = waiting.pop()
        if (step, line) in reached:
            continue
        if step >= len(flow.steps):
            ends = True
            continue
        reached.add((step, line))
        lines = flow.steps[step].lines
        if line >= len(lines):
            waiting.append((step + 1, 0))
            continue
        current = lines[line]
        if isinstance(current, End):
            ends = True
        elif isinstance(current, Branch):
            waiting.append((current.step, 0))
            if not (isinstance(current.condition.tree, Literal) and current.condition.tree.value is True):
                waiting.append((step, line + 1))
        elif not (
            isinstance(current, Wait) and isinstance(current.until.tree, Literal) and current.until.tree.value is False
        ):
            waiting.append((step, line + 1))
    problems = [
        problem(
            "RB504",
            step.span,
            f"The step `{step.number}` is never reached",
            "Branch to it, or leave it out.",
            Severity.WARNING,
        )
        for index, step in enumerate(flow.steps)
        if (index, 0) not in reached
    ]
    if not ends:
        kind = "quest" if flow.quest else "workflow"
        problems.append(
            problem("RB503", flow.span, f"The {kind} can never end", 'Add a line `End: "…"` that is reached.')
        )
    return problems
