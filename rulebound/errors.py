"""Owns how errors are told at the command line: what, where, what to do, in one or two lines.

`explain(error)` knows the typed errors of all packages. It must not end the process.
"""

from __future__ import annotations

import importlib.metadata
import traceback
from pathlib import Path

MODULES = ("agents", "evals", "kb", "mcp_server", "router", "storage")


def explain(error: BaseException) -> str | None:
    """The message of an error that is the user's to mend; None for one that is ours."""
    hint = getattr(error, "hint", None)
    if isinstance(hint, str):
        message = str(error)
        shown = f"rulebound: {message}{'' if message.endswith(('.', '?')) else '.'} {hint}"
        hint_end = "" if hint.endswith((".", "?", "!")) else "."
        lines = [f"{shown}{hint_end}"]
        problems = list(getattr(error, "problems", ()))
        if problems:
            from kb import report

            lines.append(report.text(problems[:10]))
        return "\n".join(lines)
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"rulebound: {where}{error.strerror}. Check the name and its permissions."
    return None


def unexpected(error: BaseException, crash: Path) -> str:
    """One line for an error that is ours; its traceback is kept in a file."""
    what = f"rulebound: an unexpected error, {type(error).__name__}: {error}".split("\n")[0]
    try:
        crash.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        crash.write_text("".join(traceback.format_exception(error)), encoding="utf-8", errors="replace")
    except OSError:
        return f"{what}. Set RULEBOUND_DEBUG=1 to see where, and report it."
    return f"{what}. Please report it with {crash}."


def clash() -> str | None:
    """Another distribution that owns one of our flat package names, and what to do about it."""
    owners = importlib.metadata.packages_distributions()
    for module in MODULES:
        others = sorted(set(owners.get(module, ())) - {"rulebound"})
        if others:
            return (
                f"rulebound: the package {others[0]!r} in this environment also has a module {module!r}, and one "
                "overwrites the other. Install rulebound in an environment of its own: `uv tool install rulebound`."
            )
    return None
