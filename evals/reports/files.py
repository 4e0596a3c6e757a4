"""Owns reading a run's summary, whole or not at all: what other programs wrote may be anything.

`summary_of(folder)`; the rows are read by `evals.results.read`. It must not know how figures are computed or shown.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evals.results import SUMMARY, ResultsError
from storage.records import Json


@dataclass
class Share:
    """0 to 1, with its interval."""

    rate: float
    low: float
    high: float


@dataclass
class Stratum(Share):
    cases: int


@dataclass
class Failed:
    case: str
    epochs_failed: list[int]
    why: str


@dataclass
class Figures:
    sum: float
    mean: float


@dataclass
class Contender:
    """What is shown of one; there is more in the file."""

    cases: int
    attempts: int
    errors: int
    solved: Share
    pass_at: dict[str, float]
    pass_all: dict[str, float]
    figures: dict[str, Figures]
    by: dict[str, dict[str, Stratum]]
    failed: list[Failed]


@dataclass
class Head:
    suite: str
    cases: int
    epochs: int
    seed: int
    contenders: list[str]
    commits: dict[str, str]
    fingerprint: str
    version: str


@dataclass
class Summary:
    run: Head
    contenders: dict[str, Contender]
    left_out: list[str]


def summary_of(folder: Path) -> Json:
    """What `summary.json` says, as `evals.summary` writes it. Raises `ResultsError`."""
    from pydantic import TypeAdapter, ValidationError  # for those who read files

    file = folder / SUMMARY
    try:
        told: Any = json.loads(file.read_text("utf-8"))
        TypeAdapter(Summary).validate_python(told)
    except FileNotFoundError:
        raise ResultsError(f"{file}: there is no summary", "Name the folder that `eval run --out` made.") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise ResultsError(f"{file}: {where}: {first['msg']}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise ResultsError(f"{file}: {error}") from None
    return told
