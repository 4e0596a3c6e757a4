"""Owns what one page may name while it is compiled: the declarations of all pages and its own local names.

Each answer that a scope gives is recorded, so that after an edit a page is compiled again only where an answer that it
was given has changed. It must not know how expressions or effects are compiled.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kb.compiler.builtin import DIRECTION, PLACE
from kb.compiler.declarations import Declarations
from kb.compiler.patterns import ActionTable, Matched, RawPattern, Resolved
from kb.diagnostics import Span
from kb.expressions.names import FieldInfo
from kb.rulebook import Field, Role
from kb.types import TEXT, TIME, Record, Ref, Type, joined


@dataclass(frozen=True)
class World:
    """Declarations, actions and events of one compilation, and every question a page may put to them."""

    declarations: Declarations
    actions: ActionTable
    events: Mapping[str, Mapping[str, Type]] = field(default_factory=dict[str, Mapping[str, Type]])

    def ask(self, question: str, *args: Any) -> Any:
        """The answer to a question named as the method below it."""
        return getattr(self, f"_{question}")(*args)

    def _instance(self, name: str) -> tuple[str, str] | None:
        return self.declarations.instance(name)

    def _instance_names(self) -> tuple[str, ...]:
        return tuple(self.declarations.instance_names())

    def _collection(self, name: str) -> str | None:
        return self.declarations.collection(name)

    def _field(self, kind: str, name: str) -> FieldInfo | None:
        return self.declarations.field(kind, name)

    def _stored(self, kind: str, name: str) -> Field | None:
        return self.declarations.stored(kind, name)

    def _fields(self, kind: str) -> tuple[str, ...]:
        return tuple(self.declarations.fields(kind))

    def _kinds_within(self, kind: str) -> frozenset[str]:
        return self.declarations.kinds_within(kind)

    def _kind_of_id(self, id: str) -> str | None:
        return self.declarations.kind_of_id(id)

    def _ids(self, kinds: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(self.declarations.ids(kinds))

    def _open_kind(self, kind: str) -> bool:
        return self.declarations.open_kind(kind)

    def _is_kind(self, kind: str) -> bool:
        return self.declarations.is_kind(kind)

    def _template(self, id: str) -> str | None:
        return self.declarations.templates.get(id)

    def _single(self, id: str) -> str | None:
        return self.declarations.instances.get(id)

    def _has(self, category: str, id: str) -> bool:
        return id in self._known(category)

    def _known(self, category: str) -> tuple[str, ...]:
        if category == "event":
            return tuple(self.events)
        if category == "action":
            return tuple(self.actions.ids())
        return tuple(self.declarations.categories.get(category, {}))

    def _table_takes(self, id: str) -> Mapping[str, Type]:
        return self.declarations.table_takes.get(id, {})

    def _match_action(self, text: str) -> tuple[Matched, ...]:
        return self.actions.match(text)

    def _resolve(self, pattern: RawPattern) -> Resolved | None:
        return self.actions.resolve(pattern)

    def _roles(self, action: str) -> dict[str, Role]:
        return dict(self.actions.roles(action))

    def _every_role(self) -> dict[str, Type]:
        return self.actions.every_role

    def _event(self, name: str) -> Mapping[str, Type]:
        return self.events.get(name, {})

    def _every_event(self) -> dict[str, Type]:
        merged: dict[str, Type] = {}
        for values in self.events.values():
            for name, type_ in values.items():
                merged[name] = joined(merged.get(name), type_)
        return merged


@dataclass
class Asked:
    """What one page asked and was answered, and what it emits."""

    answers: dict[tuple[Any, ...], Any] = field(default_factory=dict[tuple[Any, ...], Any])
    emits: dict[str, dict[str, Type]] = field(default_factory=dict[str, dict[str, Type]])
    emit_spans: dict[str, Span] = field(default_factory=dict[str, Span])

    def holds(self, world: World, settled: dict[tuple[Any, ...], bool]) -> bool:
        """Whether `world` would answer every question as before; `settled` keeps what was found for other pages."""
        for question, answer in self.answers.items():
            same = settled.get(question)
            if same is None:
                same = settled[question] = world.ask(*question) == answer
            if not same:
                return False
        return True


class Scope:
    """Implements `kb.expressions.Names` for one page, with its local names."""

    def __init__(self, world: World, record: Asked, locals_: Mapping[str, Type]):
        self._world = world
        self._record = record
        self._locals = dict(locals_)

    def with_locals(self, more: Mapping[str, Type] | None = None, **named: Type) -> Scope:
        """A scope that knows these local names too."""
        return Scope(self._world, self._record, {**self._locals, **(more or {}), **named})

    def _ask(self, question: str, *args: Any) -> Any:
        key = (question, *args)
        answers = self._record.answers
        if key not in answers:
            answers[key] = self._world.ask(question, *args)
        return answers[key]

    # --- kb.expressions.Names

    def local(self, name: str) -> Type | None:
        return self._locals.get(name)

    def locals(self) -> Iterable[str]:
        return self._locals

    def instance(self, name: str) -> tuple[str, str] | None:
        return self._ask("instance", name)

    def instance_names(self) -> Iterable[str]:
        return self._ask("instance_names")

    def collection(self, name: str) -> str | None:
        return self._ask("collection", name)

    def field(self, kind: str, name: str) -> FieldInfo | None:
        return self._ask("field", kind, name)

    def fields(self, kind: str) -> Iterable[str]:
        return self._ask("fields", kind)

    def kinds_within(self, kind: str) -> frozenset[str]:
        return self._ask("kinds_within", kind)

    def kind_of_id(self, id: str) -> str | None:
        return self._ask("kind_of_id", id)

    def ids(self, kinds: tuple[str, ...]) -> Iterable[str]:
        return self._ask("ids", kinds)

    def open_kind(self, kind: str) -> bool:
        return self._ask("open_kind", kind)

    # --- what compiling pages asks besides

    def is_kind(self, kind: str) -> bool:
        return self._ask("is_kind", kind)

    def stored(self, kind: str, name: str) -> Field | None:
        """The stored field, with its start; None for a derived one."""
        return self._ask("stored", kind, name)

    def template(self, id: str) -> str | None:
        """The kind of the template with this id."""
        return self._ask("template", id)

    def single(self, id: str) -> str | None:
        """The kind of the instance with exactly this id that exists from the start."""
        return self._ask("single", id)

    def has(self, category: str, id: str) -> bool:
        """Whether a rule, table, workflow, quest, event, action, place, agent … has this id."""
        return self._ask("has", category, id)

    def known(self, category: str) -> Iterable[str]:
        return self._ask("known", category)

    def table_takes(self, id: str) -> Mapping[str, Type]:
        return self._ask("table_takes", id)

    def match_action(self, text: str) -> tuple[Matched, ...]:
        """Which actions `take {item}` or `go north` can be, the likelier first."""
        return self._ask("match_action", text)

    def roles(self, action: str) -> Mapping[str, Role]:
        return self._ask("roles", action)

    def resolve(self, pattern: RawPattern) -> Resolved | None:
        return self._ask("resolve", pattern)

    def every_role(self) -> Mapping[str, Type]:
        return self._ask("every_role")

    def event(self, name: str) -> Mapping[str, Type]:
        return self._ask("event", name)

    def every_event(self) -> Mapping[str, Type]:
        return self._ask("every_event")

    def note_emit(self, event: str, values: Mapping[str, Type], span: Span) -> None:
        """An effect of this page emits or schedules the event with these values."""
        known = self._record.emits.setdefault(event, {})
        for name, type_ in values.items():
            known[name] = joined(known.get(name), type_)
        self._record.emit_spans.setdefault(event, span)


def page_scope(world: World, record: Asked) -> Scope:
    """The scope of a page: who acts, where, when and what; rules add their roles."""
    scope = Scope(world, record, {})
    action = {**dict(scope.every_role()), "verb": TEXT, "text": TEXT, "direction": DIRECTION}
    return scope.with_locals(
        player=Ref(("player",)),
        room=PLACE,
        now=TIME,
        action=Record(tuple(action.items())),
        event=Record(tuple(scope.every_event().items())),
    )
