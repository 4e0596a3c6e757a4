"""Owns a knowledge base that is written with its cases: files, and `evals/cases.jsonl` beside them.

`save(files, cases, folder)`; `rulebound eval run FOLDER` plays it. It must not know where the cases come from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from evals.cases import Case, CaseError, write

CASES = "evals/cases.jsonl"
HERE = ".."
"""A case's world as that file names it: the folder above."""


def save(files: Mapping[str, str], cases: Sequence[Case], folder: Path) -> Path:
    """Writes to a new or empty folder, and gives it. Raises `CaseError`."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CaseError(f"{folder} is not an empty folder", "Name a new one.")
    for path, text in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    (folder / CASES).parent.mkdir(parents=True, exist_ok=True)
    write(folder / CASES, cases)
    return folder
