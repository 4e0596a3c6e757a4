"""Owns how errors are told at the command line: what, where, what to do, in one or two lines.

`explain(error)` knows the typed errors of all packages. It must not end the process.
"""

from __future__ import annotations

import importlib.metadata


def explain(error: Exception) -> str | None:
    """The message of an error that is the user's to mend; None for one that is ours."""
    hint = getattr(error, "hint", None)
    if isinstance(hint, str):
        lines = [f"rulebound: {error}. {hint}" if not str(error).endswith((".", "?")) else f"rulebound: {error} {hint}"]
        problems = getattr(error, "problems", ())
        if problems:
            from kb import report

            lines += report.text(list(problems)[:10]).split("\n")
        return "\n".join(lines)
    if isinstance(error, OSError) and error.filename:
        return f"rulebound: {error.filename}: {error.strerror}."
    return None


def clash() -> str | None:
    """Another distribution that owns one of our flat package names, and what to do about it."""
    owners = importlib.metadata.packages_distributions()
    for package in ("agents", "evals", "router", "storage", "kb", "mcp_server"):
        others = sorted(set(owners.get(package, ())) - {"rulebound"})
        if others:
            return (
                f"rulebound: the package {others[0]!r} in this environment also has a module {package!r}, and one overwrites "
                "the other. Install rulebound in an environment of its own: `uv tool install rulebound`."
            )
    return None
