"""Owns a run's summary: its rows as figures for each contender, and the file `summary.json`.

`summarise(head, rows, left_out)` gives it as data, `write_summary` writes it; the same rows give the same bytes. It must not know how
rows are made or how a summary is shown.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from evals.results import SUMMARY, Row, replace_file
from evals.statistics import Share, Tally, pass_all, pass_at, solved_share
from storage.records import Json

KS = (1, 2, 3, 5, 10, 20, 50, 100)
"""For which k pass@k and pass^k are told, as far as there are epochs, and for all epochs."""


def tallies(rows: Iterable[Row]) -> dict[str, Tally]:
    """By case, in the order of the rows: epochs played and solved. The rows are of one contender."""
    found: defaultdict[str, list[bool]] = defaultdict(list)
    for row in rows:
        found[row.case].append(row.solved)
    return {case: Tally(len(each), sum(each)) for case, each in found.items()}


def strata(row: Row) -> dict[str, str]:
    """By what a row is told apart from others: its world and its tags."""
    return {"world": row.world, **row.tags}


def grouped(rows: Iterable[Row], by: Callable[[Row], str]) -> dict[str, list[Row]]:
    """Rows by what `by` says of them, in their order."""
    found: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[by(row)].append(row)
    return dict(found)


def contender_of(row: Row) -> str:
    return row.contender


def summarise(head: Json, rows: Sequence[Row], left_out: Sequence[str] = ()) -> Json:
    """A run as figures: `run`, `contenders` by name, `left_out`. Rates are 0 to 1; figures are sums, and means of an attempt."""
    contenders = {name: _contender(own) for name, own in grouped(rows, contender_of).items()}
    return {"run": head, "contenders": contenders, "left_out": list(left_out)}


def write_summary(folder: Path, head: Json, rows: Sequence[Row], left_out: Sequence[str] = ()) -> Json:
    """Writes `summary.json`, whole or not at all, and gives what it says."""
    told = summarise(head, rows, left_out)
    replace_file(folder / SUMMARY, json.dumps(told, ensure_ascii=False, indent=1, sort_keys=True) + "\n")
    return told


def _contender(rows: Sequence[Row]) -> Json:
    played = list(tallies(rows).values())
    fewest = min(each.epochs for each in played)
    ks = sorted({k for k in KS if k <= fewest} | {fewest})
    acted = sum(row.figures.get("acted", 0) for row in rows)
    legal = sum(row.figures.get("legal", 0) for row in rows)
    return {
        "cases": len(played),
        "epochs": fewest,
        "attempts": len(rows),
        "errors": sum(bool(row.error) for row in rows),
        "solved": _share(solved_share(played)),
        "pass_at": {str(k): round(pass_at(played, k), 6) for k in ks},
        "pass_all": {str(k): round(pass_all(played, k), 6) for k in ks},
        "figures": figures(rows),
        "legal_rate": round(legal / acted, 6) if acted else None,
        "illegal": {
            name: int(sum(row.figures.get(f"illegal_{name}", 0) for row in rows)) for name in ("attempted", "executed")
        },
        "by": _by(rows),
        "failed": _failed(rows),
    }


def _share(share: Share) -> Json:
    return {name: round(value, 6) for name, value in share._asdict().items()}


def figures(rows: Sequence[Row]) -> Json:
    """By name `sum` and `mean`, which is that of the attempts that have the figure."""
    found: defaultdict[str, list[float]] = defaultdict(list)
    for row in rows:
        for name, value in row.figures.items():
            found[name].append(value)
    return {name: {"sum": round(sum(each), 6), "mean": round(sum(each) / len(each), 6)} for name, each in found.items()}


def _by(rows: Sequence[Row]) -> Json:
    found: defaultdict[str, defaultdict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        for tag, value in strata(row).items():
            found[tag][value].append(row)
    return {tag: {value: _stratum(own) for value, own in values.items()} for tag, values in found.items()}


def _stratum(rows: Sequence[Row]) -> Json:
    played = list(tallies(rows).values())
    return {"cases": len(played), **_share(solved_share(played))}


def _failed(rows: Sequence[Row]) -> list[Json]:
    """Cases that were not solved in every epoch, those that failed most often first; `why` is the first failure's."""
    cases = grouped((row for row in rows if not row.solved), lambda row: row.case)
    told: list[Json] = [
        {"case": case, "epochs_failed": [row.epoch for row in own], "why": own[0].why} for case, own in cases.items()
    ]
    return sorted(told, key=lambda each: -len(each["epochs_failed"]))
