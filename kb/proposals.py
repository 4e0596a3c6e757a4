"""Owns what a model may propose under `freeform`: effects of the closed vocabulary on the experience's named fields alone.

`Proposals(rulebook).compile(lines)` gives the effects, or raises `Refused` with the reason. It must not ask any model, nor know
what becomes of the effects: the referee runs them.
"""

from __future__ import annotations

from collections.abc import Sequence

from kb.compiler.declarations import Declarations, KindDecl
from kb.compiler.effects import compile_effects
from kb.compiler.patterns import ActionTable, Kinds
from kb.compiler.scope import Asked, World, page_scope
from kb.expressions import Expr
from kb.pages.page import Fragment
from kb.referee import Refused
from kb.referee.referee import NOTHING_COMES
from kb.rulebook import Add, Effect, Put, Rulebook, Set, Take

MAX_EFFECTS = 10
MAX_LINE = 500
"""Characters of a proposed line."""
MAX_WORDS = 4_000
"""Characters of what a model tells."""


class Proposals:
    """A rulebook's freeform made ready. In its scope there is nothing else: no other field, no collection, action or table."""

    def __init__(self, rulebook: Rulebook):
        self._settings = rulebook.settings
        self._fields = frozenset(rulebook.settings.freeform)
        kinds = {
            kind.id: KindDecl(
                kind.id,
                "",  # a plural would name every instance, other players too
                kind.parent,
                {name: kind.fields[name] for of, name in rulebook.settings.freeform if of == kind.id},
                {},
            )
            for kind in rulebook.kinds.values()
        }
        instances = {seed.id: rulebook.templates[seed.template].kind for seed in rulebook.seeds} | {"world": "world"}
        declarations = Declarations(kinds, {}, instances, {}, frozenset())
        world = World(declarations, ActionTable((), Kinds(kinds, {}, {})))
        self._scope = page_scope(world, Asked())

    def compile(self, lines: Sequence[str], words: str = "") -> tuple[Effect, ...]:
        """The effects of all lines. Raises `Refused` where one of them is not allowed: then none is."""
        if not self._fields:
            raise Refused(NOTHING_COMES, "the experience has no `freeform`")
        if len(words) > MAX_WORDS:
            raise Refused(NOTHING_COMES, f"more than {MAX_WORDS} characters are told")
        effects: list[Effect] = []
        for line in lines:
            if len(line) > MAX_LINE or "\n" in line:
                raise Refused(NOTHING_COMES, f"a proposal is not one line of at most {MAX_LINE} characters")
            found, _, problems = compile_effects(Fragment(line, self._settings.freeform_span), self._scope)
            if problems:
                raise Refused(NOTHING_COMES, f"{line}: {problems[0].message} {problems[0].hint}")
            effects += found
        if len(effects) > MAX_EFFECTS:
            raise Refused(NOTHING_COMES, f"more than {MAX_EFFECTS} effects are proposed")
        for effect in effects:
            self._check(effect)
        return tuple(effects)

    def _check(self, effect: Effect) -> None:
        """Only fields change, and what a value or condition reads is itself free: nothing else of the world is told by it."""
        match effect:
            case Set(target=target, value=value) | Put(target=target, value=value) | Take(target=target, value=value):
                parts = [target.root, *target.steps, value]
            case Add(target=target, amount=amount):
                parts = [target.root, *target.steps, amount]
            case _:
                raise Refused(
                    NOTHING_COMES, f"{effect.source}: only `set`, `add`, `subtract`, `put` and `take` are free"
                )
        for part in (*parts, effect.when):
            if isinstance(part, Expr) and (read := part.reads - self._fields):
                kind, name = sorted(read)[0]
                raise Refused(NOTHING_COMES, f"{effect.source}: it reads `{kind}.{name}`, which is not free")
