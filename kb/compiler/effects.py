"""Owns the closed vocabulary of effects: one line or cell of a page in, compiled effects out.

`compile_effects(fragment, scope)` for one bullet or cell, `compile_block(bullets, scope)` for a section; both give the scope
that knows the names which `create … as` and `roll … as` add. It must not know what happens when effects run.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Final

from kb.compiler.builtin import RESERVED
from kb.compiler.patterns import Given
from kb.compiler.scope import Scope
from kb.compiler.values import read_value
from kb.diagnostics import Diagnostic, Span, problem
from kb.expressions import Expr, TextTemplate, compile_expression, compile_text, constant, fits
from kb.expressions.nodes import Index, Literal, Member, Name, Node
from kb.expressions.parser import SyntaxProblem, parse
from kb.pages.page import Fragment, find_code
from kb.rulebook import (
    Add,
    Award,
    Create,
    Decide,
    Do,
    Effect,
    Emit,
    EndGame,
    Move,
    Progress,
    Put,
    Refuse,
    Remove,
    Roll,
    Say,
    Schedule,
    Set,
    Take,
    Target,
    Tell,
)
from kb.suggest import suggest
from kb.types import (
    BOOL,
    DURATION,
    INT,
    NUMBER,
    TEXT,
    TIME,
    Int,
    ListOf,
    MapOf,
    Number,
    Record,
    Ref,
    Type,
    Unknown,
)

FORMS: Final[dict[str, str]] = {
    "set": "set `thing.field` to value",
    "add": "add 1 to `thing.field`",
    "subtract": "subtract 1 from `thing.field`",
    "put": "put `value` in `thing.list`",
    "take": "take `value` out of `thing.list`",
    "move": "move `thing` to `place`",
    "create": "create [[template]] in `place` as `name`",
    "remove": "remove `thing`",
    "say": 'say "text"',
    "tell": 'tell `player or place` "text", or tell others "text"',
    "emit": "emit event-name with `a` = value",
    "start": "start [[quest-or-workflow]]",
    "end": 'end [[quest-or-workflow]], or end the game "text"',
    "fail": "fail [[quest]]",
    "advance": "advance [[workflow]]",
    "award": 'award 1 for "reason"',
    "schedule": "schedule event-name in 3 hours",
    "roll": "roll 2d6 as `name`",
    "decide": "decide [[table]]",
    "do": "do `take lamp`",
    "refuse": 'refuse "text"',
}
"""Every effect and how it is written."""

_WHEN = re.compile(r"when\s+(`+)(.+?)\1\s*(?:→|->)\s*")
_BALANCED = r'(?:[^"\\{]|\\.|\{\{|\{[^{}"]*(?:"[^"]*"[^{}"]*)*\})*'
_QUOTED = rf'(?:{_BALANCED}|(?:[^"\\]|\\.)*)'
_SPAN = rf'`[^`]+`|"{_QUOTED}"|\[\[[^\[\]]+\]\]|-?\d+(?:\.\d+)?|yes|no|true|false'
_NAME = r"`?(?P<name>[a-z][a-z0-9_]*)`?"
_PAGE = r"(?:\[\[(?P<link>[^\[\]|#]+)[^\[\]]*\]\]|`(?P<code>[a-z][a-z0-9-]*)`|(?P<word>[a-z][a-z0-9-]*))"
_WITH = r"(?:\s+with\s+(?P<with>.+))?"
_UNIT = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
_GRAMMAR: Final[dict[str, re.Pattern[str]]] = {
    verb: re.compile(pattern)
    for verb, pattern in {
        "set": rf"set\s+`(?P<target>[^`]+)`\s+to\s+(?P<value>{_SPAN})",
        "add": rf"add\s+(?P<value>{_SPAN})\s+to\s+`(?P<target>[^`]+)`",
        "subtract": rf"subtract\s+(?P<value>{_SPAN})\s+from\s+`(?P<target>[^`]+)`",
        "put": rf"put\s+(?P<value>{_SPAN})\s+in\s+`(?P<target>[^`]+)`",
        "take": rf"take\s+(?P<value>{_SPAN})\s+out of\s+`(?P<target>[^`]+)`",
        "move": rf"move\s+(?P<what>{_SPAN})\s+to\s+(?P<to>{_SPAN}|nowhere)",
        "create": rf"create\s+{_PAGE}(?:\s+in\s+(?P<to>{_SPAN}))?(?:\s+as\s+{_NAME})?",
        "remove": rf"remove\s+(?P<what>{_SPAN})",
        "say": rf'say\s+"(?P<text>{_QUOTED})"',
        "tell": rf'tell\s+(?:others|(?P<to>{_SPAN}))\s+"(?P<text>{_QUOTED})"',
        "emit": rf"emit\s+`?(?P<event>[a-z][a-z0-9-]*)`?{_WITH}",
        "start": rf"start\s+{_PAGE}",
        "end": rf'end\s+(?:the game(?:\s+"(?P<text>{_QUOTED})")?|{_PAGE})',
        "fail": rf"fail\s+{_PAGE}",
        "advance": rf"advance\s+{_PAGE}",
        "award": rf'award\s+(?P<value>{_SPAN})\s+for\s+"(?P<text>{_QUOTED})"',
        "schedule": (
            r"schedule\s+`?(?P<event>[a-z][a-z0-9-]*)`?\s+(?:in\s+(?:(?P<count>\d{1,6})\s+(?P<unit>second|minute|hour|day)s?"
            rf"|`(?P<delay>[^`]+)`)|at\s+`(?P<at>[^`]+)`){_WITH}"
        ),
        "roll": rf"roll\s+`?(?:(?P<dice>\d{{1,3}})d(?P<sides>\d{{1,6}})|(?P<low>-?\d{{1,9}})\.\.(?P<high>-?\d{{1,9}}))`?\s+as\s+{_NAME}",
        "decide": rf"decide\s+{_PAGE}",
        "do": r"do\s+`(?P<words>[^`]+)`",
        "refuse": rf'refuse\s+"(?P<text>{_QUOTED})"',
    }.items()
}
_SEPARATOR = re.compile(rf'"{_QUOTED}"|`[^`]*`|["`].*|[;,]')
"""Quoted text and code (also where it is never closed), which are passed over, or what may end an effect."""
_STRING = re.compile(rf'"{_BALANCED}"')
_HOLES = re.compile(r"(\{[^{}]*\})")
WHEN_FORM: Final = 'when `condition` → say "text"'
SPEECH: Final = frozenset({"say", "tell"})
READ_ONLY: Final = frozenset({"id", "kind", "role", "turns", "ended"})


@dataclass
class _Work:
    """One effect being compiled: its text, where it stands, and what was found wrong."""

    fragment: Fragment
    match: re.Match[str]
    scope: Scope
    when: Expr | None
    problems: list[Diagnostic] = field(default_factory=list[Diagnostic])
    added: dict[str, Type] = field(default_factory=dict[str, Type])

    def span(self, group: str) -> Span:
        return self.fragment.at(*self.match.span(group))

    def has(self, group: str) -> bool:
        return self.match.groupdict().get(group) is not None

    @property
    def common(self) -> dict[str, Any]:
        return {"span": self.fragment.span, "source": self.fragment.text, "when": self.when}

    def wrong(self, group: str, code: str, message: str, hint: str) -> None:
        self.problems.append(problem(code, self.span(group), message, hint))

    def code(self, group: str, expected: Type | None = None) -> Expr | None:
        """The expression that a group's text is."""
        expr, more = compile_expression(self.match[group], self.span(group), self.scope, expected)
        self.problems += more
        return expr

    def value(self, group: str, expected: Type | None) -> Expr | None:
        """A value: an expression in backticks, a number, yes/no, "text" or [[page]]."""
        text, (start, end) = self.match[group], self.match.span(group)
        if text[0] == "`":
            place = self.fragment.at(start + 1, end - 1)
            expr, more = compile_expression(text[1:-1], place, self.scope, expected)
            self.problems += more
            return expr
        place = self.fragment.at(start, end)
        if text[0] == '"':
            template, more = compile_text(_unquoted(text[1:-1]), self.fragment.at(start + 1, end - 1), self.scope)
            self.problems += more
            if template is None:
                return None
            if expected is not None and len(template.parts) == 1 and isinstance(template.parts[0], str):
                return self._plain(template.parts[0], expected, place, text)
            return _template_expr(template)
        if text.startswith("[["):
            id = text[2:-2].split("|")[0].split("#")[0].strip()
            kind = self.scope.single(id)
            if kind is None:
                hint = suggest(id, self.scope.ids(("thing",))) or "Name a page that has one instance."
                self.problems.append(problem("RB207", place, f"Nothing has the id `{id}`", hint))
                return None
            expr = constant(id, Ref((kind,)), place, text)
            if expected is not None and not fits(expr.type, expected, self.scope):
                why = f"This must be {expected}, and is {expr.type}"
                self.problems.append(problem("RB204", place, why, f"Give {expected}."))
            return expr
        plain = BOOL if text in {"yes", "no", "true", "false"} else NUMBER if "." in text else INT
        return self._plain(text, expected or plain, place, text)

    def _plain(self, text: str, expected: Type, place: Span, source: str) -> Expr | None:
        value, more = read_value(text, expected, place, self.scope)
        self.problems += more
        return None if more else constant(value, expected, place, source)

    def text(self, group: str = "text") -> TextTemplate | None:
        template, more = compile_text(_unquoted(self.match[group] or ""), self.span(group), self.scope)
        self.problems += more
        return template

    def page(self, *categories: str) -> str | None:
        """The id of a page of one of the categories."""
        group = next(name for name in ("link", "code", "word") if self.has(name))
        id = self.match[group].strip()
        if any(self.scope.has(category, id) for category in categories):
            return id
        known = [each for category in categories for each in self.scope.known(category)]
        words = " or ".join(categories)
        hint = suggest(id, known) or (f"Make a page with `{categories[0]}: {id}`.")
        self.wrong(group, "RB207", f"No {words} has the id `{id}`", hint)
        return None


def _unquoted(text: str) -> str:
    return text.replace('\\"', '"').replace("\\n", "\n") if "\\" in text else text


def _template_expr(template: TextTemplate) -> Expr:
    """A text with holes as an expression."""
    expr = constant("", TEXT, template.span, template.source)
    expr.reads = template.reads
    expr._run = template  # pyright: ignore[reportPrivateUsage]
    return expr


# --- Targets --------------------------------------------------------------------------------------


def compile_target(source: str, span: Span, scope: Scope) -> tuple[Target | None, list[Diagnostic]]:
    """The stored field that `thing.field`, `thing.map[key]` or `thing.list[0].part` names."""
    try:
        node = parse(source)
    except SyntaxProblem as error:
        place = span.part(error.start, max(error.end, error.start + 1))
        return None, [problem("RB201", place, error.what, error.hint)]
    steps: list[tuple[str, Node]] = []
    current = node
    while True:
        if isinstance(current, Index):
            steps.insert(0, ("index", current))
            current = current.of
            continue
        if not isinstance(current, Member):
            hint = "Name a field: `player.score`."
            return None, [problem("RB303", span, f"`{source}` is not a field", hint)]
        before = current.of
        root, more = compile_expression(source[before.start : before.end], span.part(before.start, before.end), scope)
        if more:
            return None, more
        assert root is not None
        if isinstance(root.type, Ref):
            return _field_target(source, span, root, root.type, current, steps, scope)
        if isinstance(before, Name) and isinstance(root.type, Record):
            hint = "Only fields of things can change."
            return None, [problem("RB303", span, f"`{source}` cannot be changed", hint)]
        steps.insert(0, ("part", current))
        current = before


def _field_target(
    source: str, span: Span, root: Expr, ref: Ref, member: Member, steps: list[tuple[str, Node]], scope: Scope
) -> tuple[Target | None, list[Diagnostic]]:
    name = member.name
    place = span.part(member.end - len(name), member.end)
    kinds = [
        kind
        for above in ref.kinds
        for kind in (above, *sorted(scope.kinds_within(above) - {above}))
        if scope.stored(kind, name) is not None
    ]
    if not kinds or name in READ_ONLY:
        _, more = compile_expression(source[: member.end], span.part(0, member.end), scope)
        if more:
            return None, more
        why = f"`{name}` is derived and cannot be set" if not kinds else f"`{name}` is kept by the referee"
        return None, [problem("RB303", place, why, "Change the fields that it comes from.")]
    stored = scope.stored(kinds[0], name)
    assert stored is not None
    type_: Type = stored.type
    compiled: list[str | Expr] = []
    for how, node in steps:
        if how == "part" and isinstance(node, Member):
            part = type_.field(node.name) if isinstance(type_, Record) else None
            if part is None:
                here = span.part(node.end - len(node.name), node.end)
                return None, [problem("RB203", here, f"{type_} has no part `{node.name}`", f"It is {type_}.")]
            compiled.append(node.name)
            type_ = part
        elif isinstance(node, Index):
            wanted = type_.key if isinstance(type_, MapOf) else INT if isinstance(type_, ListOf) else None
            if wanted is None:
                return None, [problem("RB204", span, f"{type_} has no entries", "Only lists and maps are indexed.")]
            inside = source[node.key.start : node.key.end]
            key, more = compile_expression(inside, span.part(node.key.start, node.key.end), scope, wanted)
            if key is None:
                return None, more
            compiled.append(key)
            type_ = type_.value if isinstance(type_, MapOf) else type_.item if isinstance(type_, ListOf) else type_
    return Target(root, kinds[0], name, tuple(compiled), type_, source), []


def _target(work: _Work) -> Target | None:
    target, more = compile_target(work.match["target"], work.span("target"), work.scope)
    work.problems += more
    return target


# --- Each effect ----------------------------------------------------------------------------------


def _set(work: _Work) -> Effect | None:
    target = _target(work)
    value = work.value("value", target.type if target else None)
    if target is None or value is None:
        return None
    _in_range(work, value, target.type)
    return Set(target=target, value=value, **work.common)


def _in_range(work: _Work, value: Expr, type_: Type) -> None:
    tree = value.tree
    number = tree.value if isinstance(tree, Literal) else None
    if isinstance(type_, Int) and isinstance(number, int) and not type_.low <= number <= type_.high:
        why = f"{number} is not within {type_.low}..{type_.high}"
        work.problems.append(problem("RB206", value.span, why, f"Use {type_}."))


def _add(work: _Work) -> Effect | None:
    target = _target(work)
    amount = work.value("value", None)
    if target is None or amount is None:
        return None
    if isinstance(target.type, ListOf):
        work.wrong("target", "RB303", f"`{target.source}` is a list", "Write `put … in` or `take … out of`.")
        return None
    wanted = DURATION if target.type in (TIME, DURATION) else target.type
    if not isinstance(target.type, Int | Number | type(TIME) | type(DURATION) | Unknown):
        work.wrong("target", "RB204", f"Nothing can be added to {target.type}", "Only numbers and times grow.")
        return None
    if not fits(amount.type, INT if isinstance(wanted, Int) else wanted, work.scope):
        work.wrong("value", "RB204", f"This must be {wanted}, and is {amount.type}", f"Give {wanted}.")
        return None
    return Add(target=target, amount=amount, sign=1 if work.match[0].startswith("add") else -1, **work.common)


def _put(work: _Work) -> Effect | None:
    target = _target(work)
    if target is not None and not isinstance(target.type, ListOf | Unknown):
        work.wrong("target", "RB204", f"`{target.source}` is no list", "Write `set … to`.")
        return None
    item = target.type.item if target is not None and isinstance(target.type, ListOf) else None
    value = work.value("value", item)
    if target is None or value is None:
        return None
    return (Put if work.match[0].startswith("put") else Take)(target=target, value=value, **work.common)


def _thing(work: _Work, group: str, kinds: tuple[str, ...] = (), words: str = "a thing") -> Expr | None:
    """A reference; where `kinds` are given, one that may be of one of them (`words` say which)."""
    expr = work.value(group, None)
    if expr is None or isinstance(expr.type, Unknown):
        return expr
    if isinstance(expr.type, Ref) and (not kinds or _overlap(expr.type.kinds, kinds, work.scope)):
        return expr
    work.wrong(group, "RB204", f"This must be {words}, and is {expr.type}", f"Name {words}: `item` or [[a-page]].")
    return None


def _overlap(some: Iterable[str], others: Iterable[str], scope: Scope) -> bool:
    """Whether an instance can be of one of `some` kinds and one of `others`."""
    below = {inner for kind in others for inner in scope.kinds_within(kind)}
    return any(below & scope.kinds_within(kind) for kind in some)


def _destination(work: _Work) -> Expr | None:
    return _thing(work, "to", ("thing",), "a thing or a place")


def _named(work: _Work, type_: Type) -> None:
    """Makes the effect's `as` name known below, unless the name means something else here already."""
    name = work.match["name"]
    before = work.scope.local(name)
    taken = work.scope.instance(name) is not None or work.scope.collection(name) is not None or name in RESERVED
    if taken or (before is not None and before != type_):
        work.wrong("name", "RB303", f"`{name}` already means something else here", "Choose another name.")
        return
    work.added[name] = type_


def _move(work: _Work) -> Effect | None:
    what = _thing(work, "what")
    if what is not None and isinstance(what.type, Ref):
        located = any(
            work.scope.stored(k, "location") for each in what.type.kinds for k in work.scope.kinds_within(each)
        )
        if not located:
            work.wrong("what", "RB303", f"{what.type} is never anywhere", "Move an item, an NPC or a player.")
    to = constant("", Ref(("thing",)), work.span("to")) if work.match["to"] == "nowhere" else _destination(work)
    return Move(what=what, to=to, **work.common) if what is not None and to is not None else None


def _create(work: _Work) -> Effect | None:
    group = next(name for name in ("link", "code", "word") if work.has(name))
    id = work.match[group].strip()
    kind = work.scope.template(id) or (id if work.scope.has("kind", id) else None)
    if kind is None:
        hint = suggest(id, work.scope.ids(("thing",))) or f"Make a page with `item: {id}`."
        work.wrong(group, "RB207", f"No template has the id `{id}`", hint)
        return None
    if work.has("name"):
        _named(work, Ref((kind,)))
    to = _destination(work) if work.has("to") else None
    return Create(template=id, to=to, name=work.match["name"], **work.common)


def _remove(work: _Work) -> Effect | None:
    what = _thing(work, "what")
    return Remove(what=what, **work.common) if what is not None else None


def _say(work: _Work) -> Effect | None:
    text = work.text()
    return Say(text=text, **work.common) if text is not None else None


def _tell(work: _Work) -> Effect | None:
    text = work.text()
    if work.match["to"] is None:
        return Tell(to=None, text=text, **work.common) if text is not None else None
    to = _thing(work, "to", ("player", "place"), "a player or a place")
    return Tell(to=to, text=text, **work.common) if to is not None and text is not None else None


def _values(work: _Work) -> dict[str, Expr]:
    """`a` = value, `b` = value"""
    values: dict[str, Expr] = {}
    if not work.has("with"):
        return values
    start, end = work.match.span("with")
    pattern = re.compile(rf"\s*{_NAME}\s*=\s*(?P<value>{_SPAN})\s*(?:,|and|$)")
    while start < end:
        match = pattern.match(work.fragment.text, start, end)
        if match is None:
            place = work.fragment.at(start, end)
            work.problems.append(problem("RB303", place, "These are not values", "Write `with `a` = 1, `b` = `item``."))
            break
        inner = replace(work, match=match, problems=[])
        value = inner.value("value", None)
        work.problems += inner.problems
        if value is not None:
            values[match["name"]] = value
        start = match.end()
    return values


def _emit(work: _Work) -> Effect | None:
    values, event = _values(work), work.match["event"]
    work.scope.note_emit(event, {name: value.type for name, value in values.items()}, work.span("event"))
    return Emit(event=event, values=values, **work.common)


def _schedule(work: _Work) -> Effect | None:
    values, event = _values(work), work.match["event"]
    work.scope.note_emit(event, {name: value.type for name, value in values.items()}, work.span("event"))
    delay = at = None
    if work.has("count"):
        from datetime import timedelta

        length = timedelta(seconds=int(work.match["count"]) * _UNIT[work.match["unit"]])
        delay = constant(length, DURATION, work.span("count"))
    elif work.has("delay"):
        delay = work.code("delay", DURATION)
    else:
        at = work.code("at", TIME)
    if delay is None and at is None:
        return None
    return Schedule(event=event, values=values, delay=delay, at=at, **work.common)


def _progress(work: _Work) -> Effect | None:
    verb = work.match[0].split()[0]
    if verb == "end" and work.match[0].split()[1] == "the":
        if not work.has("text"):
            return EndGame(
                text=TextTemplate("The game is over.", work.fragment.span, ("The game is over.",)),
                **work.common,
            )
        text = work.text()
        return EndGame(text=text, **work.common) if text is not None else None
    id = work.page("quest", "workflow")
    return Progress(verb=verb, id=id, **work.common) if id is not None else None  # pyright: ignore[reportArgumentType]


def _award(work: _Work) -> Effect | None:
    amount, reason = work.value("value", INT), work.text()
    return Award(amount=amount, reason=reason, **work.common) if amount is not None and reason is not None else None


def _roll(work: _Work) -> Effect | None:
    _named(work, INT)
    if work.has("dice"):
        dice, low, high = int(work.match["dice"]), 1, int(work.match["sides"])
    else:
        dice, low, high = 1, int(work.match["low"]), int(work.match["high"])
    if not 1 <= dice <= 100 or low > high:
        work.problems.append(problem("RB303", work.fragment.span, "These dice cannot be rolled", "Write 2d6 or 1..6."))
        return None
    return Roll(dice=dice, low=low, high=high, name=work.match["name"], **work.common)


def _decide(work: _Work) -> Effect | None:
    id = work.page("table")
    if id is None:
        return None
    for name, type_ in work.scope.table_takes(id).items():
        mine = work.scope.local(name)
        if mine is None or not fits(mine, type_, work.scope):
            why = f"The table takes `{name}` ({type_}), which " + (
                "is not known here" if mine is None else f"is {mine} here"
            )
            work.problems.append(problem("RB303", work.fragment.span, why, f"Decide it where `{name}` is known."))
            return None
    return Decide(table=id, **work.common)


def _do(work: _Work) -> Effect | None:
    candidates = work.scope.match_action(work.match["words"])
    if not candidates:
        hint = "Write it as a player would, with `{role}` to pass one on: `do `take {item}``."
        work.wrong("words", "RB308", f"No action is like `{work.match['words']}`", hint)
        return None
    found = [_do_roles(work, action, given) for action, given in candidates]
    action, roles, problems = next((each for each in found if not each[2]), found[0])
    work.problems += problems
    return Do(action=action, roles=roles, **work.common) if not problems else None


def _do_roles(work: _Work, action: str, given: Given) -> tuple[str, dict[str, Expr], list[Diagnostic]]:
    """The roles of an action from an effect's words, and what does not fit them."""
    roles: dict[str, Expr] = {}
    problems: list[Diagnostic] = []
    known = work.scope.roles(action)
    for name, (how, source) in given.items():
        type_ = known[name].type
        start = work.match.start("words") + work.match["words"].find(source)
        place = work.fragment.at(start, start + len(source))
        if how == "expr":
            expr, more = compile_expression(source, place, work.scope, type_)
        else:
            value, more = read_value(source.strip("[]"), type_, place, work.scope)
            expr = constant(value, type_, place, source)
        problems += more
        if expr is not None and not more:
            roles[name] = expr
    return action, roles, problems


def _refuse(work: _Work) -> Effect | None:
    text = work.text()
    return Refuse(text=text, **work.common) if text is not None else None


_COMPILE: Final[dict[str, Callable[[_Work], Effect | None]]] = {
    "set": _set, "add": _add, "subtract": _add, "put": _put, "take": _put, "move": _move, "create": _create,
    "remove": _remove, "say": _say, "tell": _tell, "emit": _emit, "start": _progress, "end": _progress,
    "fail": _progress, "advance": _progress, "award": _award, "schedule": _schedule, "roll": _roll, "decide": _decide,
    "do": _do, "refuse": _refuse,
}  # fmt: skip


# --- Lines ----------------------------------------------------------------------------------------


def compile_effects(
    fragment: Fragment, scope: Scope, *, speech_only: bool = False
) -> tuple[list[Effect], Scope, list[Diagnostic]]:
    """The effects of one bullet or cell: `effect; effect` or `when `cond` → effect, effect`.

    What a line with a condition names is known on that line alone: below, it may not be there.
    """
    problems: list[Diagnostic] = []
    outer = scope
    when: Expr | None = None
    start = len(fragment.text) - len(fragment.text.lstrip())
    if match := _WHEN.match(fragment.text, start):
        place = fragment.at(match.start(2), match.end(2))
        when, more = compile_expression(match[2], place, scope, BOOL)
        problems += more
        start = match.end()
    effects: list[Effect] = []
    parts = _split(fragment.text, start)
    if match and not parts:
        problems.append(problem("RB301", fragment.span, "This line holds no effect", f"Write `{WHEN_FORM}`."))
    for begin, end in parts:
        part = fragment.part(begin, end)
        effect, scope, more = _one(part, scope, when, speech_only)
        problems += more
        if effect is not None:
            effects.append(effect)
    return effects, outer if match else scope, problems


def compile_block(
    bullets: Iterable[Fragment], scope: Scope, *, speech_only: bool = False
) -> tuple[list[Effect], Scope, list[Diagnostic]]:
    """The effects of a section's bullets, in order."""
    effects: list[Effect] = []
    problems: list[Diagnostic] = []
    for bullet in bullets:
        more, scope, wrong = compile_effects(bullet, scope, speech_only=speech_only)
        effects += more
        problems += wrong
    return effects, scope, problems


def _split(text: str, start: int) -> list[tuple[int, int]]:
    """(start, end) of each effect: split at `;`, and at `,` before a word that begins an effect, outside quotes and code."""
    parts: list[tuple[int, int]] = []
    begin = start
    for match in _SEPARATOR.finditer(text, start):
        if match[0] == ";" or (match[0] == "," and _begins(text, match.end())):
            parts.append((begin, match.start()))
            begin = match.end()
    parts.append((begin, len(text)))
    return [(b + _lead(text[b:e]), e - _trail(text[b:e])) for b, e in parts if text[b:e].strip(" .")]


def _begins(text: str, index: int) -> bool:
    match = re.match(r"\s*(?:and\s+)?([a-z]+)\s", text[index : index + 40])
    return match is not None and match[1] in FORMS


def _lead(text: str) -> int:
    match = re.match(r"\s*(?:and\s+)?", text)
    return match.end() if match else 0


def _trail(text: str) -> int:
    return len(text) - len(text.rstrip(" ."))


def _one(
    fragment: Fragment, scope: Scope, when: Expr | None, speech_only: bool
) -> tuple[Effect | None, Scope, list[Diagnostic]]:
    word = re.match(r"[A-Za-z-]*", fragment.text)
    verb = word[0] if word else ""
    here = fragment.at(0, max(len(verb), 1))
    if verb.lower() == "when":
        hint = f"Write {WHEN_FORM}."
        return None, scope, [problem("RB303", fragment.span, "This condition is not complete", hint)]
    if verb not in FORMS:
        exact = bool(find_code(fragment.text)) or '"' in fragment.text or len(fragment.text.split()) < 4
        if exact or verb.lower() in FORMS:
            hint = suggest(verb.lower(), FORMS) or f"The effects are {', '.join(FORMS)}."
            return (
                None,
                scope,
                [problem("RB302", here, f"`{verb or fragment.text[:20]}` is not an effect", hint)],
            )
        hint = f"Write an effect, as in `{FORMS['say']}`, or move the prose above the sections."
        return None, scope, [problem("RB301", fragment.span, "This line is not exact", hint)]
    if speech_only and verb not in SPEECH:
        hint = "Only `say` and `tell` may stand in Otherwise: a refused action changes nothing."
        return None, scope, [problem("RB303", here, f"`{verb}` may not stand here", hint)]
    match = _GRAMMAR[verb].fullmatch(fragment.text)
    if match is None:
        return (
            None,
            scope,
            [problem("RB303", fragment.span, f"This `{verb}` is not complete", f"Write {FORMS[verb]}.")],
        )
    work = _Work(fragment, match, scope, when)
    effect = _COMPILE[verb](work)
    if work.added:
        scope = scope.with_locals(work.added)
    return (None if work.problems else effect), scope, work.problems


def cell_effect(verb: str, target: str, cell: Fragment, scope: Scope) -> tuple[list[Effect], list[Diagnostic]]:
    """The effect of a decision table's cell under a header such as `add to `x`` or `say`: written out and compiled."""
    text = cell.text.strip()
    value = text if text[:1] in {"`", '"', "["} else _quoted(text)
    plain = _speech(text)
    written = {
        "set": f"set `{target}` to {value}",
        "add to": f"add {text} to `{target}`",
        "subtract from": f"subtract {text} from `{target}`",
        "put in": f"put {value} in `{target}`",
        "take out of": f"take {value} out of `{target}`",
        "move": f"move `{target}` to {text if text[:1] in '`[' or text == 'nowhere' else f'[[{text}]]'}",
        "tell": f'tell `{target}` "{plain}"',
        "say": f'say "{plain}"',
        "refuse": f'refuse "{plain}"',
        "emit": f"emit {text}",
        "do": f"do {text if text.startswith('`') else f'`{text}`'}",
        "decide": f"decide {text}",
        "start": f"start {text}",
        "end": f"end {text}",
        "award": f"award {text}" if " for " in text else f'award {text} for "{target or plain}"',
    }[verb]
    offset = written.find(text) if text in written else written.find(plain)
    inner = _Shown(written, cell.span, (), offset=offset, length=len(text))
    effects, _, problems = compile_effects(inner, scope)
    return effects, problems


def _speech(text: str) -> str:
    """What a cell says, as it stands between quotes: its own quotes taken off, those within it kept."""
    if _STRING.fullmatch(text):
        return text[1:-1]
    # Quotes within a {hole} belong to its expression.
    return "".join(part if part[:1] == "{" else part.replace('"', '\\"') for part in _HOLES.split(text))


def _quoted(text: str) -> str:
    number = re.fullmatch(r"-?\d+(\.\d+)?|yes|no|true|false", text)
    return text if number else f'"{text}"'


@dataclass(frozen=True, slots=True)
class _Shown(Fragment):
    """An effect written out around a cell: places within the cell are exact, all others are the whole cell."""

    offset: int = 0
    length: int = 0

    def at(self, start: int, end: int) -> Span:
        inner_start, inner_end = start - self.offset, end - self.offset
        if 0 <= inner_start < inner_end <= self.length:
            return Fragment.at(self, inner_start, inner_end)
        return self.span

    def part(self, start: int, end: int) -> Fragment:
        return _Shown(self.text[start:end], self.span, (), offset=self.offset - start, length=self.length)
