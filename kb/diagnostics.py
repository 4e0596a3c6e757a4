"""Owns what a problem on a page is, and the register of every code that names one.

`check()`-like functions return lists of `Diagnostic`; `kb.report` renders them.
It must not know how pages are read, compiled or run.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Severity(StrEnum):
    """How bad a problem is: an `ERROR` keeps a commit from going live, a `WARNING` does not."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A place in a file: 1-based line, 1-based columns in code points, `end_column` exclusive."""

    path: str
    line: int
    column: int = 1
    end_column: int = 1

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"

    def part(self, start: int, end: int | None = None) -> Span:
        """The part of this span from offset `start` up to `end`, both counted from its column."""
        stop = self.end_column if end is None else self.column + end
        return Span(self.path, self.line, self.column + start, max(stop, self.column + start + 1))


@dataclass(frozen=True, slots=True, order=True)
class Diagnostic:
    """One problem: where it is, what is wrong (`message`) and what to do about it (`hint`)."""

    span: Span
    code: str
    message: str
    hint: str
    severity: Severity = Severity.ERROR

    def __post_init__(self) -> None:
        if self.code not in CODES:
            raise ValueError(f"{self.code!r} is not a registered diagnostic code")


def problem(code: str, span: Span, message: str, hint: str, severity: Severity = Severity.ERROR) -> Diagnostic:
    """A `Diagnostic` whose message and hint end in a full stop (or `?`), once."""
    return Diagnostic(span, code, _sentence(message), _sentence(hint), severity)


def _sentence(text: str) -> str:
    text = text.strip()
    return text if text.endswith((".", "?", "!")) else text + "."


CODES: Final[dict[str, str]] = {
    # Files and pages
    "RB101": "The file is not UTF-8 text",
    "RB102": "The file or page is too large, too deep or too long",
    "RB103": "The link leaves the knowledge base, or the entry is not a plain file",
    "RB104": "The front matter is not valid YAML",
    "RB105": "The front matter has an unknown or missing key",
    "RB106": "The page has an unknown or doubled section",
    "RB107": "A table row does not fit its header",
    "RB108": "`||` inside a table cell splits the cell",
    "RB109": "The id is not kebab-case or is reserved",
    "RB110": "The id is used twice",
    "RB111": "A wiki link leads nowhere",
    # Names, types, expressions
    "RB201": "The expression is not valid CEL",
    "RB202": "The name is not known here",
    "RB203": "The field is not known",
    "RB204": "The types do not fit",
    "RB205": "The type is not valid",
    "RB206": "The value does not fit its type",
    "RB207": "Nothing has this id",
    "RB208": "The function is not known or its arguments do not fit",
    "RB209": "The collection cannot be bounded",
    "RB210": "The derived field goes round in a circle",
    "RB211": "The text holds braces that are not an expression",
    # Rules and effects
    "RB301": "A line in a rule section is not exact",
    "RB302": "The effect is not known",
    "RB303": "The effect's parts do not fit",
    "RB304": "The action pattern is not valid",
    "RB305": "Two rules clash",
    "RB306": "`instead of` names no rule, or goes round in a circle",
    "RB307": "The trigger is not valid",
    "RB308": "No action is like this",
    "RB309": "The rule can never apply",
    "RB310": "The event is never emitted",
    # Tables
    "RB401": "The decision table has a gap",
    "RB402": "Two rows of the decision table overlap",
    "RB403": "The cell is not valid",
    "RB404": "The column is not valid",
    "RB405": "The row can never be reached",
    # Workflows, quests, agents
    "RB501": "The step is not valid",
    "RB502": "The step leads nowhere",
    "RB503": "The workflow or quest can never end",
    "RB504": "The step is never reached",
    "RB505": "The agent may not do this",
    "RB506": "The judgement is not complete",
    "RB507": "Free form names a field that is not there, or that nobody may change",
    "RB508": "The team's member is not complete",
    "RB509": "The team's line is not exact",
    "RB510": "The team's limit is not valid",
    "RB511": "The budget cannot be read",
    "RB515": "The persona names what is not there",
    # The world as a whole
    "RB601": "There is no experience, or it does not say where it starts",
    "RB602": "`uses` names no library",
    "RB603": "The place cannot be reached",
    "RB604": "The exit leads nowhere",
    "RB605": "The item is nowhere, or in something that cannot hold it",
    "RB606": "An invariant does not hold at the start",
    # Examples, scenarios, data
    "RB701": "The example fails",
    "RB702": "The scenario fails",
    "RB703": "The example or scenario is not valid",
    "RB801": "The data file cannot be read",
    "RB802": "The data row does not fit the fields",
}
"""Every code and its title. Each has a page `docs/diagnostics/<code>.md` with examples."""


def causes_first(problems: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Those of a page that cannot be read as one (RB1…) before all others, which may come of them."""
    return sorted(problems, key=lambda each: not each.code.startswith("RB1"))
