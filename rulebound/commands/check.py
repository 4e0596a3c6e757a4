"""Owns `rulebound check` and `rulebound test`. It must not know how problems are found."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from agents.worlds import Where, open_location
from kb import report
from kb.check import Checked
from kb.check import check as check_source
from kb.diagnostics import Diagnostic
from kb.session import Session
from kb.testing import Result, left_to_models, run_examples, run_scenarios
from rulebound.settings import Settings


def _checked(where: Where, *, run: bool) -> Checked:
    cache = Settings.from_environment().cache
    return check_source(open_location(where, cache), cache=cache, run=run)


def check(where: Where, form: str) -> int:
    """Prints every problem; 0 clean, 1 problems. Raises `WorldError` where there is nothing to read."""
    if form not in report.FORMS:
        print(f"rulebound: there is no format {form!r}. Use one of {', '.join(report.FORMS)}.", file=sys.stderr)
        return 2
    checked = _checked(where, run=True)
    hosted = form in ("github", "sarif")
    shown = report.render(_from_here(checked.problems, where) if hosted else checked.problems, form)
    if shown:
        print(shown)
    if form == "text":
        count, pages = len(checked.problems), len(checked.pages)
        print(f"{pages} page{'s' * (pages != 1)}, {count or 'no'} problem{'s' * (count != 1)}.", file=sys.stderr)
    return 1 if checked.problems else 0


def test(where: Where, word: str) -> int:
    """Runs examples and scenarios whose name or page holds the word; 0 all pass, 1 some fail or the rules are broken."""
    checked = _checked(where, run=False)
    if checked.errors:
        print(report.text(checked.errors))
        print(f"{_many(checked.errors)} to mend before anything can run.", file=sys.stderr)
        return 1
    passed, failed, skipped = 0, 0, 0
    for rulebook in checked.rulebooks.values():
        session = Session(rulebook)
        skipped += sum(word.casefold() in f"{each.id} {each.span.path}".casefold() for each in left_to_models(rulebook))
        for result in (*run_examples(rulebook, session), *run_scenarios(rulebook, session)):
            if word.casefold() not in f"{result.name} {result.span.path}".casefold():
                continue
            if result.failure is None:
                passed += 1
            else:
                failed += 1
                _show(result)
    if word and not passed + failed + skipped:
        print(f"rulebound: no example or scenario has {word!r} in its name. Leave -k out to run all.", file=sys.stderr)
        return 2
    left = f", {skipped} skipped: `by: model` alone, and no model plays here" if skipped else ""
    print(f"{passed} passed, {failed} failed{left}")
    return 1 if failed else 0


def _from_here(problems: Sequence[Diagnostic], where: Where) -> list[Diagnostic]:
    """The problems with paths from the working directory, by which a code host finds the lines."""
    root = Path(where.path)
    if not root.is_dir() or not root.resolve().is_relative_to(Path.cwd()):
        return list(problems)
    folder = root.resolve().relative_to(Path.cwd())
    return [
        replace(each, span=replace(each.span, path=(folder / each.span.path).as_posix()))
        if (root / each.span.path).exists()
        else each
        for each in problems
    ]


def _many(problems: Sequence[Diagnostic]) -> str:
    return f"{len(problems)} problem{'s' * (len(problems) != 1)}"


def _show(result: Result) -> None:
    """A failing example or scenario, with each line that took part and its value."""
    print(f"FAILED {result.name} ({result.span.path}:{result.span.line})")
    print(f"  {result.failure}")
    for line in result.trace:
        value = "" if line.value is None else "yes" if line.value else "NO"
        print(f"    {value:3} {line.kind:9} {line.text}  ({line.span.path}:{line.span.line})")
