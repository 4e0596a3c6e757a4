"""Owns what only the whole rulebook shows: gaps, overlaps, clashes, unreachable places, workflows without an end.

`analyse(rulebook, own)` gives the problems of the pages in `own`. It must not run turns.
"""

from __future__ import annotations

from collections.abc import Container

from kb.analysis.clashes import clashes
from kb.analysis.tables import table_problems
from kb.analysis.workflows import workflow_problems
from kb.analysis.world import unreachable
from kb.diagnostics import Diagnostic
from kb.rulebook import Rulebook


def analyse(rulebook: Rulebook, own: Container[str]) -> list[Diagnostic]:
    """All findings whose place is a page of `own` (a library's pages are checked where they are made)."""
    found = [
        *(each for table in rulebook.tables.values() for each in table_problems(table)),
        *clashes(rulebook),
        *(each for flow in rulebook.workflows.values() for each in workflow_problems(flow)),
        *unreachable(rulebook),
    ]
    return [each for each in found if each.span.path in own]
