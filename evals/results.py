"""Owns a run's files: one row for each case, epoch and contender; read and written so that the same run gives the same bytes.

`Journal` keeps rows while a run goes on, so that it can be resumed; `write` makes the final file. Nothing in a row was measured by a
clock of this machine: that is in `timings.json`. It must not know how rows are made.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from storage.records import Json

RESULTS, SUMMARY, REPORT, TIMINGS, JOURNAL = (
    "results.jsonl",
    "summary.json",
    "report.html",
    "timings.json",
    "journal.jsonl",
)
"""The files of a run's folder; the journal is gone when the run is over."""


class ResultsError(Exception):
    """A run's files cannot be used: `args[0]` says where and what, `hint` what to do."""

    def __init__(self, message: str, hint: str = "Run it again with another `--out`."):
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Row:
    """One attempt at a case by one contender (`solver:model`)."""

    case: str
    epoch: int
    """From 1."""
    contender: str
    solved: bool
    checks: tuple[Json, ...] = ()
    """`evals.scoring.Checked`."""
    figures: dict[str, float] = field(default_factory=dict[str, float])
    steps: tuple[Json, ...] = ()
    """`evals.attempts.Step`."""
    error: str = ""
    world: str = ""
    task: str = ""
    tags: dict[str, str] = field(default_factory=dict[str, str])
    at: str = ""
    fingerprint: str = ""
    """Of the case: rows with another are of another case, though it has the same id."""

    @property
    def key(self) -> tuple[str, str, int]:
        """What a run has one row for."""
        return self.contender, self.case, self.epoch

    @property
    def why(self) -> str:
        """Why it is not solved, in a line; empty: it is."""
        if self.solved:
            return ""
        unmet = [
            f"{each.get('kind', '')} {each.get('what', '')}: {each.get('why', '')}"
            for each in self.checks
            if not each["met"]
        ]
        return self.error or "; ".join(unmet)

    def line(self) -> str:
        """As JSON, keys in order."""
        told = {name: getattr(self, name) for name in self.__slots__}  # `asdict` would copy every step
        line = json.dumps(told, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        return line.encode("utf-8", "backslashreplace").decode()  # half a character is written as JSON does

    @staticmethod
    def load(data: Json) -> Row:
        """From its line. Raises `ValueError`, `TypeError` or `KeyError`."""
        given: Any = {**data, "checks": tuple(data["checks"]), "steps": tuple(data["steps"])}
        row, step, checked = _types()
        for each in given["steps"]:
            step.validate_python({"says": "", "answer": "", "status": "done", **each})
        for each in given["checks"]:
            checked.validate_python({"kind": "", "what": "", **each})
        found = Row(**given)
        if row.validate_python(data) != found:  # what was read for what it is not, as "false" for a yes
            raise ValueError("a value is of another type")
        return found


@cache
def _types() -> tuple[Any, Any, Any]:
    """What checks a row, its steps and its checks."""
    from pydantic import TypeAdapter  # for those who read files

    from evals.attempts import Step
    from evals.scoring import Checked

    return TypeAdapter(Row), TypeAdapter(Step), TypeAdapter(Checked)


def read(folder: Path) -> list[Row]:
    """The rows of a run that is over. Raises `ResultsError`."""
    file = folder / RESULTS if folder.is_dir() else folder
    if not file.exists():
        hint = "It was not run to the end: run it again with the same `--out`." if (folder / JOURNAL).exists() else ""
        raise ResultsError(f"{file}: there are no results", hint or "Name the folder that `eval run --out` made.")
    return list(_rows(file))


def _rows(file: Path) -> Iterable[Row]:
    try:
        lines = file.read_text("utf-8").split("\n")  # a text in a row may hold other ends of lines
    except (OSError, UnicodeDecodeError) as error:
        raise ResultsError(f"{file}: {error}") from None
    for number, line in enumerate(lines, 1):
        if not line:
            continue
        try:
            yield Row.load(json.loads(line))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise ResultsError(f"{file}:{number}: this is no row: {error!r}") from None


def write(folder: Path, rows: Sequence[Row]) -> None:
    """Writes the rows in the order given, whole or not at all."""
    replace_file(folder / RESULTS, (f"{row.line()}\n" for row in rows))


def replace_file(file: Path, text: str | Iterable[str]) -> None:
    """Writes a file whole or not at all."""
    new = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        # Half a character that a text came with is written as JSON does it.
        with new.open("w", encoding="utf-8", errors="backslashreplace") as out:
            out.writelines((text,) if isinstance(text, str) else text)
        os.replace(new, file)
    except BaseException:
        new.unlink(missing_ok=True)
        raise


def _spare(folder: Path, head: Json) -> None:
    """Answers of models were paid for: raises `ResultsError` where a run would replace their results by less than there is."""
    try:
        told = json.loads((folder / SUMMARY).read_text("utf-8"))
        was = told["run"]
        asked = [name for name, each in told["contenders"].items() if each["figures"].get("calls", {}).get("sum")]
        less = was["suite"] != head["suite"] or head["cases"] < was["cases"] or head["epochs"] < was["epochs"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return  # there is none, or none that can be read
    lost = [name for name in asked if less or name not in head["contenders"]]
    if lost:
        hint = "Name another `--out`, or remove the folder."
        raise ResultsError(
            f"{folder} holds results of {', '.join(lost)}, and this run would replace them by less", hint
        )


class Journal:
    """Rows of a run that goes on: a head that says which run it is, then a row a line, with the seconds it took."""

    def __init__(self, folder: Path, head: Json):
        folder.mkdir(parents=True, exist_ok=True)
        self.rows: dict[tuple[str, str, int], tuple[Row, float]] = {}
        self._file = folder / JOURNAL
        good = self._resumed(head)
        if good is None:
            _spare(folder, head)
            replace_file(self._file, json.dumps(head, sort_keys=True) + "\n")
        else:
            os.truncate(self._file, good)
        self._out = self._file.open("a", encoding="utf-8", errors="backslashreplace")

    def _resumed(self, head: Json) -> int | None:
        """Takes up what is there, and how many bytes of it are whole; a line that was cut off by a kill is not."""
        try:
            data = self._file.read_bytes()
        except FileNotFoundError:
            return None
        first, *lines = data.splitlines(keepends=True) or [b""]
        if not first.endswith(b"\n"):
            return None
        try:
            other = json.loads(first)
        except ValueError:
            other = None
        if other != json.loads(json.dumps(head)):
            raise ResultsError(f"{self._file}: another run began here", "Name another `--out`, or remove the folder.")
        good = len(first)
        for line in lines:
            try:
                told: Json = json.loads(line) if line.endswith(b"\n") else {}
                row, seconds = Row.load(told["row"]), float(told["seconds"])
            except (ValueError, TypeError, KeyError, RecursionError):
                break
            self.rows[row.key] = row, seconds
            good += len(line)
        return good

    def add(self, row: Row, seconds: float) -> None:
        """Keeps a row: it is on disk when this returns."""
        self.rows[row.key] = row, seconds
        self._out.write(f'{{"seconds":{seconds:.6f},"row":{row.line()}}}\n')
        self._out.flush()

    def close(self) -> None:
        self._out.close()

    def done(self) -> None:
        """The run is over and its files are written."""
        self.close()
        self._file.unlink(missing_ok=True)
