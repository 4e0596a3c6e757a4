"""Owns cases that are made up: worlds with known solutions, policies with an oracle, paraphrases, actions that must be refused.

`generate("worlds", 20, 7, folder)` writes a knowledge base with its cases, which `rulebound eval run FOLDER` plays; the same seed
gives the same bytes. What is right is known from how a case was made: nothing here may ask the compiler or the referee.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol

from evals.bases import save
from evals.cases import Case, CaseError
from kb.suggest import suggest

MAX_CASES = 100_000


@dataclass(frozen=True)
class Made:
    """A knowledge base's files by path, and cases that are played in it."""

    files: Mapping[str, str]
    cases: tuple[Case, ...]


class Make(Protocol):
    """Makes `n` cases; `size` is how large each world or policy is, 0: as is usual."""

    def __call__(self, n: int, seed: int, size: int) -> Made: ...


KINDS: dict[str, tuple[str, str]] = {
    "worlds": (
        "evals.generators.worlds",
        "text adventures of --size places with doors, keys and boxes: reach the goal",
    ),
    "paraphrases": ("evals.generators.paraphrases", "one command of such a world, said politely, tersely, mistyped, …"),
    "mutations": ("evals.generators.mutations", "a step of a solution, changed so that it must be refused"),
    "policies": ("evals.generators.policies", "policies of --size conditions: allowed, or refused and why"),
}
"""By name: the module, whose `make` it is, and what it makes."""


def generate(kind: str, n: int, seed: int, folder: Path, size: int = 0) -> Path:
    """Writes a knowledge base and `evals/cases.jsonl` with `n` cases to a new or empty folder, and gives it. Raises `CaseError`."""
    if kind not in KINDS:
        raise CaseError(f"There is no generator {kind!r}", suggest(kind, KINDS) or f"There are {', '.join(KINDS)}.")
    if not 1 <= n <= MAX_CASES:
        raise CaseError(f"{n} cases cannot be made", f"Ask for 1 to {MAX_CASES:,}.")
    make: Make = import_module(KINDS[kind][0]).make
    made = make(n, seed, size)
    return save(made.files, made.cases, folder)
