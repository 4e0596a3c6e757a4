"""Owns docs/reference/functions.md, effects.md and commands.md: made from the registers of the code.

`python docs/tools/reference.py` rewrites them; `--check` fails when one is out of date.
"""

from __future__ import annotations

import sys
from pathlib import Path

import commands

from kb.compiler.effects import FORMS
from kb.expressions.functions import FUNCTIONS

FOLDER = Path(__file__).parents[1] / "reference"


def functions() -> str:
    """The page of functions, a row each."""
    rows = [f"| `{f.name}` | {f.takes} | {f.says} | `{f.example}` |" for f in FUNCTIONS.values()]
    head = (
        "# Functions of expressions\n\nEach may be called as a function or as a method of its first argument; each example is true and "
        "runs as a test.\nBeside them stand CEL's `has(x.f)` and the list macros `all`, `exists`, `exists_one`, `filter`, `map`.\n\n"
        "| Function | Takes | Gives | Example |\n|---|---|---|---|\n"
    )
    return head + "\n".join(rows) + "\n"


def effects() -> str:
    """The page of effects, a row each."""
    rows = [f"| {form.replace('|', chr(92) + '|')} |" for form in FORMS.values()]
    return (
        "# Effects\n\nThe closed vocabulary; [the language](../designers/language.md#effects) says what each does.\n\n"
        "| Write |\n|---|\n" + "\n".join(rows) + "\n"
    )


def main() -> int:
    """Rewrites or checks the pages; returns the exit status."""
    status = 0
    for name, text in {"functions.md": functions(), "effects.md": effects(), "commands.md": commands.render()}.items():
        path = FOLDER / name
        if "--check" in sys.argv:
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                print(f"docs/reference/{name} is out of date. Run: python docs/tools/reference.py")
                status = 1
        else:
            FOLDER.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
    return status


if __name__ == "__main__":
    sys.exit(main())
