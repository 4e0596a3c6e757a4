"""Owns `rulebound check` and `rulebound test`. It must not know how problems are found."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from agents.worlds import Where, World, open_location
from kb import report
from kb.check import Checked
from kb.check import check as check_source
from kb.diagnostics import Diagnostic
from kb.rulebook import Scenario
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


def test(where: Where, word: str, *, with_model: bool = False) -> int:
    """Runs examples and scenarios whose name or page holds the word; 0 all pass, 1 some fail or the rules are broken. Raises
    `NoModel`."""
    checked = _checked(where, run=False)
    if checked.errors:
        print(report.text(checked.errors))
        print(f"{_many(checked.errors)} to mend before anything can run.", file=sys.stderr)
        return 1
    results: list[Result] = []
    skipped = 0
    for rulebook in checked.rulebooks.values():
        session = Session(rulebook)
        results += (*run_examples(rulebook, session), *run_scenarios(rulebook, session))
        skipped += sum(_named(word, each) for each in left_to_models(rulebook))
    if with_model:
        results += asyncio.run(_by_model(where, list(checked.rulebooks)))
        skipped = 0
    run = [each for each in results if _named(word, each)]
    failed = [each for each in run if each.failure is not None]
    for each in failed:
        _show(each)
    if word and not run and not skipped:
        print(f"rulebound: no example or scenario has {word!r} in its name. Leave -k out to run all.", file=sys.stderr)
        return 2
    left = f", {skipped} skipped: `by: model` alone; `--with-model` plays them" if skipped else ""
    print(f"{len(run) - len(failed)} passed, {len(failed)} failed{left}")
    return 1 if failed else 0


async def _by_model(where: Where, experiences: Sequence[str]) -> list[Result]:
    """The scenarios that say `by: model`, by the model that is configured. Raises `NoModel`."""
    from agents.freeform import Freeform
    from agents.judging import Judging
    from agents.playtest import run_by_model
    from rulebound.app import open_model

    settings = Settings.from_environment()
    async with open_model(settings) as model:
        if model is None:
            raise NoModel
        worlds = [World.open(replace(where, experience=id), cache=settings.cache) for id in experiences]
        return [each for world in worlds for each in await run_by_model(world, Judging(model), Freeform(model))]


class NoModel(Exception):
    """`--with-model` without one."""

    hint = "See `rulebound models`."

    def __init__(self) -> None:
        super().__init__("No model is configured")


def _named(word: str, what: Result | Scenario) -> bool:
    """Whether an example's or scenario's name or page holds the word."""
    name = what.name if isinstance(what, Result) else what.id
    return word.casefold() in f"{name} {what.span.path}".casefold()


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
