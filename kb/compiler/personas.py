"""Owns persona pages: prose that a model speaks by, what it may use then, and for whom it is.

`compile_persona(typed, scope)`. A persona allows nothing that its user may not. It must not call any model.
"""

from __future__ import annotations

from kb.compiler.classify import Typed
from kb.compiler.scope import Scope
from kb.diagnostics import Diagnostic, problem
from kb.rulebook import Persona
from kb.suggest import suggest

KEYS = ("persona", "tools", "may", "for", "experience")
TOOLS = ("act", "search", "read", "team")
"""Besides rules by their ids."""
AUDIENCE = ("player", "designer", "gm", "admin", "owner")
"""The roles of whoever asks (`agents.access`)."""


def compile_persona(typed: Typed, scope: Scope) -> tuple[Persona | None, list[Diagnostic]]:
    """The persona of a page."""
    problems: list[Diagnostic] = []
    entries = typed.page.front.entries
    for key, entry in entries.items():
        if key not in KEYS:
            hint = suggest(key, KEYS) or f"The keys are {', '.join(KEYS)}."
            problems.append(problem("RB105", entry.key_span, f"A persona has no key `{key}`", hint))
    limits: dict[str, tuple[str, ...]] = {}
    for key in ("tools", "may", "for"):
        if key not in entries:
            continue
        if not isinstance(entries[key].value, list):
            problems.append(problem("RB515", entries[key].value_span, f"`{key}` is not a list", f"Write `{key}: […]`."))
            continue
        limits[key] = tuple(str(item.value) for item in entries[key].items)
        known = AUDIENCE if key == "for" else TOOLS
        for item in entries[key].items:
            name = str(item.value)
            if name in known or (key != "for" and scope.has("rule", name)):
                continue
            what = f"No role is `{name}`" if key == "for" else f"Nothing that a persona may use is `{name}`"
            names = known if key == "for" else [*known, *scope.known("rule")]
            ids = "" if key == "for" else ", or a rule's id"
            hint = suggest(name, names) or f"Name {', '.join(known)}{ids}."
            problems.append(problem("RB515", item.span, what, hint))
    blocks = [block.source for each in typed.page.sections if each.heading != "Notes" for block in each.blocks]
    if problems:
        return None, problems
    tools = None if not {"tools", "may"} & set(limits) else frozenset((*limits.get("tools", ()), *limits.get("may", ())))
    title = typed.page.title or typed.id.replace("-", " ")
    return Persona(typed.id, title, "\n\n".join(blocks), tools, frozenset(limits.get("for", ())), typed.span), []
