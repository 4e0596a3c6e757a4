"""Owns docs/reference/functions.md, effects.md and commands.md: made from the registers of the code.

`python docs/tools/reference.py` rewrites them; `--check` fails when one is out of date.
"""

from __future__ import annotations

import sys
from pathlib import Path

import commands

from kb.compiler.effects import FORMS
from kb.expressions.functions import FUNCTIONS

DIFFERENCES = """
| `1 + 1.5` | `2.5` | `refused` | Whole numbers stand among numbers, and become such. |
| `a == x` | `False` | `refused` | So they are compared, exactly. |
| `[1, 2.5]` | `[1.0, 2.5]` | `[1, 2.5]` | A list is of one type. |
| `[1, "a"]` | `refused` | `[1, 'a']` | And never mixed. |
| `m["nothing"]` | `0` | `error` | What a map lacks reads as its start, as a field does; ask `"nothing" in m`. |
| `m.a` | `refused` | `1` | A map's entries are written `m["a"]`: a name after a point is a field. |
| `{1: 2}` | `refused` | `{1: 2}` | A map's keys are texts. |
| `null` | `refused` | `None` | Nothing is `""`, 0 or no: there is no `null`. |
| `1u` | `refused` | `1` | There are no unsigned numbers, bytes, `type`, `dyn` or `bool`. |
| `'''a'''` | `refused` | `'a'` | A text stands in one line, between `"` or `'`; `r"…"` takes a backslash as it is. |
| `"a\\x00b"` | `refused` | `'a\\x00b'` | No text holds the character 0. |
| `string(x / 3.0)` | `'0.833333333333333'` | `'0.8333333333333334'` | `string` writes what a player reads: 15 digits, |
| `string(e)` | `'2026-02-28 23:59'` | `'2026-02-28T23:59:58.123456Z'` | times to the minute, |
| `string(d)` | `'1 hour 30 minutes'` | `'5400.000005s'` | lengths of time in words. |
| `timestamp("2026-01-31").getHours()` | `0` | `error` | A day is a time, and a time without a zone is UTC. |
| `e.getHours("Europe/Berlin")` | `refused` | `0` | All times are UTC, so that a replay needs no table of zones. |
| `-d == duration("0s") - d` | `True` | `refused` | A length of time may be turned round. |
| `p ? q ? 1 : 2 : 3` | `2` | `refused` | A choice may stand within another without parentheses. |
| `timestamp("9999-01-01") - timestamp("0001-01-01") > d` | `True` | `error` | Lengths of time reach 10,000 years, to the microsecond. |
"""
FOLDER = Path(__file__).parents[1] / "reference"


def functions() -> str:
    """The page of functions, a row each."""
    rows = [f"| `{f.name}` | {f.takes} | {f.says} | `{f.example}` |" for f in FUNCTIONS.values()]
    head = (
        "# Functions of expressions\n\nEach may be called as a function or as a method of its first argument; each example is true and "
        "runs as a test.\nBeside them stand CEL's `has(x.f)` and the list macros `all`, `exists`, `exists_one`, `filter`, `map`.\n\n"
        "| Function | Takes | Gives | Example |\n|---|---|---|---|\n"
    )
    differ = (
        "\n\n## What differs from CEL\n\nExpressions give what Google's CEL engine gives, and fail where it fails, save for these. Each row runs as a test, "
        'with `a` = 3, `x` = 2.5, `p` = yes, `q` = no, `m` = `{"a": 1, "b": 2}`,\n`d` = 1.5 hours and 5 microseconds, `e` = 2026-02-28 23:59:58.123456; '
        "`refused` is told when the page is checked, `error` when it runs. A map is gone through in the order in which it was filled; CEL has none.\n\n"
        "| Expression | Here | CEL | Why |\n|---|---|---|---|"
    )
    return head + "\n".join(rows) + differ + DIFFERENCES


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
