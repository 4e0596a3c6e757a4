"""Owns `rulebound check` and `rulebound test`."""

from __future__ import annotations

import sys

from agents.worlds import located
from kb import report
from kb.check import Checked
from kb.check import check as check_source
from kb.pages.source import SourceError, open_source
from kb.session import Session
from kb.testing import Result, run_examples, run_scenarios
from rulebound.settings import Settings


def _checked(path: str, at: str | None) -> Checked | None:
    cache = Settings.from_environment().cache
    try:
        return check_source(open_source(located(path), at, cache=cache), cache=cache)
    except SourceError as error:
        print(
            f"rulebound: {error} {error.hint}" if str(error).endswith(".") else f"rulebound: {error}. {error.hint}",
            file=sys.stderr,
        )
        return None


def check(path: str, at: str | None, form: str) -> int:
    """Prints every problem; 0 clean, 1 problems, 2 unusable."""
    if form not in report.FORMS:
        print(f"rulebound: there is no format {form!r}. Use one of {', '.join(report.FORMS)}.", file=sys.stderr)
        return 2
    checked = _checked(path, at)
    if checked is None:
        return 2
    shown = report.render(checked.problems, form)
    if shown:
        print(shown)
    if form == "text":
        count, pages = len(checked.problems), len(checked.pages)
        print(f"{pages} pages, {count} problem{'s' * (count != 1)}.", file=sys.stderr)
    return 1 if checked.problems else 0


def test(path: str, at: str | None, word: str) -> int:
    """Runs examples and scenarios whose name holds the word; 0 all pass, 1 some fail, 2 unusable."""
    checked = _checked(path, at)
    if checked is None:
        return 2
    broken = [p for p in checked.errors if p.code not in {"RB701", "RB702"}]
    if broken:
        print(report.text(broken))
        return 1
    failed = passed = 0
    for compiled in checked.compiled.values():
        rulebook = compiled.rulebook
        if rulebook is None:
            continue
        session = Session(rulebook)
        for result in (*run_examples(rulebook, session), *run_scenarios(rulebook, session)):
            if word.casefold() not in f"{result.name} {result.span.path}".casefold():
                continue
            if result.failure is None:
                passed += 1
            else:
                failed += 1
                _show(result)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


def _show(result: Result) -> None:
    """A failing example or scenario, with each line that took part and its value."""
    print(f"FAILED {result.name} ({result.span})")
    print(f"  {result.failure}")
    for line in result.trace:
        value = "" if line.value is None else " yes" if line.value else " NO"
        print(f"    {line.span.path}:{line.span.line} {line.kind}{value}: {line.text}")
