"""Owns how problems are shown: as text, JSON, SARIF or GitHub workflow commands.

`render(problems, form)`. It must not find problems.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, Final

from kb.diagnostics import CODES, Diagnostic, Severity


def text(problems: Sequence[Diagnostic]) -> str:
    """`path:line:column CODE what is wrong. What to do.`, a line each."""
    return "\n".join(
        f"{p.span} {p.code} {'warning: ' if p.severity is Severity.WARNING else ''}{p.message} {p.hint}"
        for p in problems
    )


def as_data(problem: Diagnostic) -> dict[str, Any]:
    """One problem as JSON data."""
    return {
        "path": problem.span.path,
        "line": problem.span.line,
        "column": problem.span.column,
        "end_column": problem.span.end_column,
        "code": problem.code,
        "severity": problem.severity.value,
        "message": problem.message,
        "hint": problem.hint,
    }


def json_list(problems: Sequence[Diagnostic]) -> str:
    """A JSON list of objects."""
    return json.dumps([as_data(p) for p in problems], indent=2, ensure_ascii=False)


def sarif(problems: Sequence[Diagnostic]) -> str:
    """SARIF 2.1.0, as code hosts take it."""
    rules = [{"id": code, "shortDescription": {"text": CODES[code]}} for code in sorted({p.code for p in problems})]
    results = [
        {
            "ruleId": p.code,
            "level": p.severity.value,
            "message": {"text": f"{p.message} {p.hint}"},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": p.span.path},
                        "region": {
                            "startLine": p.span.line,
                            "startColumn": p.span.column,
                            "endColumn": p.span.end_column,
                        },
                    }
                }
            ],
        }
        for p in problems
    ]
    run = {
        "tool": {"driver": {"name": "rulebound", "rules": rules}},
        "columnKind": "unicodeCodePoints",
        "results": results,
    }
    schema = "https://json.schemastore.org/sarif-2.1.0.json"
    return json.dumps({"$schema": schema, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False)


def github(problems: Sequence[Diagnostic]) -> str:
    """Workflow commands that mark the lines of a pull request."""

    def data(value: str) -> str:
        return value.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")

    def attribute(value: str) -> str:
        return data(value).replace(":", "%3A").replace(",", "%2C")

    return "\n".join(
        f"::{p.severity.value} file={attribute(p.span.path)},line={p.span.line},col={p.span.column},"
        f"endColumn={p.span.end_column},title={p.code}::{data(f'{p.message} {p.hint}')}"
        for p in problems
    )


FORMS: Final[dict[str, Callable[[Sequence[Diagnostic]], str]]] = {
    "text": text,
    "json": json_list,
    "sarif": sarif,
    "github": github,
}


def render(problems: Sequence[Diagnostic], form: str) -> str:
    """The problems in one of `FORMS`, in order of place, each once."""
    return FORMS[form](sorted(set(problems)))
