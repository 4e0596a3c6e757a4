"""Owns how a run is shown in a terminal: its figures, its strata, what failed and why; a comparison; a bar while it goes on.

`show(summary, rows)`, `show_compared(compared)`, `with progress() as tell`. Where the output is no terminal it is plain text, a line a
row. It must not know how figures are computed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from evals.comparing import Compared, Comparison, Delta, Turned
from evals.reports.texts import decided, interval, line, money, number, percent
from evals.results import Row
from storage.records import Json

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from evals.running import Tell

MOST = 10
"""Failed cases, values of a tag, and turned cases that are shown of each contender."""
WIDE = 10_000
"""Columns where the output is no terminal: nothing is wrapped."""


def console(file: TextIO | None = None, *, stderr: bool = False) -> Console:
    """What to print on; it takes nothing in a text for markup."""
    from rich.console import Console

    made = Console(file=file, stderr=stderr, markup=False, emoji=False, highlight=False)
    return made if made.is_terminal else Console(file=made.file, markup=False, emoji=False, highlight=False, width=WIDE)


def show(summary: Json, rows: Sequence[Row] = (), on: Console | None = None, *, most: int = MOST) -> None:
    """Prints a run; with its rows also which lines of the rules decided what failed."""
    on = on or console()
    head, contenders = summary["run"], summary["contenders"]
    names = [name for name in head["contenders"] if name in contenders]
    epochs = head["epochs"]
    on.print(f"{line(head['suite'])}: {head['cases']} cases, epochs {epochs}, seed {head['seed']}", style="bold")
    _figures(on, {name: contenders[name] for name in names}, epochs)
    for name in names:
        if errors := contenders[name]["errors"]:
            told = f"{number(errors)} of {number(contenders[name]['attempts'])} attempts broke, or had no answer of the model"
            on.print(_text(f"{name}: {told}"), style="bold")
    if left_out := summary.get("left_out"):
        on.print(f"Left out: {len(left_out)}, which only a model can play (`--model`) or judge (`--judge`)")
    for tag in dict.fromkeys(tag for name in names for tag in contenders[name]["by"]):
        _stratum(on, tag, {name: contenders[name]["by"].get(tag, {}) for name in names}, most)
    deciding = {(row.contender, row.case): row for row in reversed(rows) if not row.solved}
    for name in names:
        _failed(on, name, contenders[name]["failed"], deciding, epochs, most)


def _figures(on: Console, contenders: dict[str, Json], epochs: int) -> None:
    """Two tables, that each fits a terminal of 80 columns."""
    kinds = {f"pass@{epochs}": "pass_at", f"pass^{epochs}": "pass_all"} if epochs > 1 else {}
    quality = _table(on, "Contender", "Cases", "Solved (95%)", *kinds)
    cost = _table(on, "Contender", "Illegal (done)", "Calls", "Tokens", "Cost", "In all")
    for name, told in contenders.items():
        passes = (percent(told[kind].get(str(epochs))) for kind in kinds.values())
        quality.add_row(_text(name), number(told["cases"]), interval(told["solved"]), *passes)
        means = defaultdict[str, float](float, {each: figure["mean"] for each, figure in told["figures"].items()})
        sums = defaultdict[str, float](float, {each: figure["sum"] for each, figure in told["figures"].items()})
        cost.add_row(
            _text(name),
            f"{number(sums['illegal_attempted'])} ({number(sums['illegal_executed'])})",
            number(means["calls"]),
            number(means["input_tokens"] + means["output_tokens"]),
            money(means["cost"]),
            money(sums["cost"]),
        )
    on.print(quality)
    on.print(cost)


def _stratum(on: Console, tag: str, told: dict[str, dict[str, Json]], most: int) -> None:
    values = list(dict.fromkeys(value for own in told.values() for value in own))
    if len(values) < 2:
        return
    wide = len(told) < 3 or not on.is_terminal
    table = _table(on, f"By {tag}", "Cases", *told)
    for value in values[:most]:
        own = [each.get(value) for each in told.values()]
        cases = max(each["cases"] for each in own if each)
        table.add_row(_text(value), number(cases), *(_rated(each, wide) for each in own))
    on.print(table)
    _more(on, len(values) - most)


def _rated(told: Json | None, wide: bool) -> str:
    return "-" if told is None else interval(told) if wide else percent(told["rate"])


def _failed(
    on: Console, name: str, failed: list[Json], rows: dict[tuple[str, str], Row], epochs: int, most: int
) -> None:
    if not failed:
        return
    on.print(_text(f"Not solved by {name}: {len(failed)}"), style="bold")
    for each in failed[:most]:
        times = f" ({len(each['epochs_failed'])} of {epochs} epochs)" if epochs > 1 else ""
        on.print(_text(f"{each['case']}{times}: {each['why']}", 2))
        row = rows.get((name, each["case"]))
        for deciding in decided(row) if row else ():
            on.print(_text(f"{deciding}", 4), style="dim")
    _more(on, len(failed) - most)


def show_compared(told: Compared, on: Console | None = None, *, most: int = MOST) -> None:
    """Prints what differs between two runs: for each contender how much, whether it can be chance, and which cases."""
    on = on or console()
    for each in told.comparisons:
        _compared(on, each, most)
    for names, where in ((told.only_before, "before"), (told.only_after, "now")):
        if names:
            on.print(_text(f"Only {where}: {', '.join(names)}"))


def _compared(on: Console, told: Comparison, most: int) -> None:
    name = told.after if told.before == told.after else f"{told.before} -> {told.after}"
    on.print(_text(f"{name}: {_delta(told.solved)}"), style="bold")
    shown = [
        _text(f"{tag} {value}: {_delta(own)}", 2)
        for tag, by in told.by.items()
        for value, own in by.items()
        if own.significant
    ]
    for each in shown[:most]:
        on.print(each)
    for name, figure in told.figures.items():
        if figure.before != figure.after:
            shown = money if name in ("cost", "judge_cost") else number
            on.print(_text(f"{name}: {shown(figure.before)} -> {shown(figure.after)} a case", 2))
    for what, turned in (("lost", told.lost), ("won", told.won)):
        for each in turned[:most]:
            on.print(_text(f"{what} {each.case} {_turned(each)}: {each.why}", 2))
        _more(on, len(turned) - most)
    if told.changed:
        on.print(f"  written anew between the runs and not compared: {len(told.changed)}")


def _delta(told: Delta) -> str:
    chance = "more than chance" if told.significant else "may be chance"
    points = f"{100 * told.difference:+.1f} points ({100 * told.low:+.1f} to {100 * told.high:+.1f})"
    return (
        f"{percent(told.before)} -> {percent(told.after)}, {points}, {chance} ({_chance(told.p)}), {told.cases} cases"
    )


def _chance(p: float) -> str:
    """The p-value, to two digits."""
    return f"p = {p:.2g}" if p >= 1e-4 else "p < 0.0001"


def _turned(each: Turned) -> str:
    return f"{each.before.solved}/{each.before.epochs} -> {each.after.solved}/{each.after.epochs}"


@contextmanager
def progress(on: Console | None = None) -> Generator[Tell]:
    """A bar that moves as rows come; where there is no terminal, a line for each tenth of the way."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    on = on or console(stderr=True)
    failed = 0
    shown = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=on,
    )
    bar = shown.add_task("Playing", total=None)

    def tell(row: Row, done: int, of: int) -> None:
        nonlocal failed
        failed += not row.solved
        if on.is_terminal:
            shown.update(bar, completed=done, total=of, description=f"Playing, {failed} not solved")
        elif done * 10 // of > (done - 1) * 10 // of:
            on.print(f"{done} of {of}, {failed} not solved")

    if not on.is_terminal:
        yield tell
        return
    with shown:
        yield tell


def _table(on: Console, first: str, *others: str) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD if on.is_terminal else None, pad_edge=False, header_style="bold")
    for each in (first, *others):
        table.add_column(_text(each), justify="left" if each is first else "right", overflow="fold")
    return table


def _text(told: str, indent: int = 0) -> Text:
    from rich.text import Text

    return Text(" " * indent + line(told))


def _more(on: Console, count: int) -> None:
    if count > 0:
        on.print(f"  … {count:,} more in report.html")
