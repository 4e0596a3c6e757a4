"""Owns how foreign text, figures and failures are written: without control characters, bounded, numbers as people read them.

`clean` is for whatever a player, a page or a model said. It must not know where it is shown.
"""

from __future__ import annotations

import re
from typing import Any

from evals.results import Row

_CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff\ud800-\udfff]"
)
"""What a terminal or XML cannot hold, and what turns text around or hides it. Tab and newline are not among it."""


def clean(text: str, most: int = 300) -> str:
    """The text with each such character as its code (`\\x1b`), and cut."""
    rest = len(text) - most
    shown = _CONTROL.sub(lambda found: ascii(found[0])[1:-1], text[:most])
    return f"{shown}… ({rest:,} more characters)" if rest > 0 else shown


def line(text: str, most: int = 300) -> str:
    """The same on one line."""
    return clean(" ".join(text.split()), most)


def percent(rate: float | None) -> str:
    """Of 0 to 1; `-`: there is none."""
    return "-" if rate is None else f"{100 * rate:.1f}%"


def interval(told: dict[str, Any]) -> str:
    """`rate (low-high)`, in percent."""
    return f"{percent(told['rate'])} ({100 * told['low']:.1f}-{100 * told['high']:.1f})"


def money(dollars: float) -> str:
    """US dollars: cents, or two digits where it is less than one."""
    return (
        f"${dollars:,.2f}"
        if dollars == 0 or dollars >= 0.1
        else f"${dollars:.2g}"
        if dollars >= 1e-4
        else f"${dollars:.1e}"
    )


def number(value: float) -> str:
    """Whole, or with one decimal."""
    return f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"


def decided(row: Row, most: int = 3) -> list[str]:
    """The lines of the rules (`path:line kind: text`) that decided that it is not solved: of what is unmet, else of its last turn."""
    unmet = [each for check in row.checks if not check["met"] for each in check.get("lines", ())]
    last = [step["lines"] for step in row.steps if step.get("lines")][-1:]
    return [line(each) for each in unmet[:most] or [each for lines in last for each in lines[-most:]]]
