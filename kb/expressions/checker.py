"""Owns the types of expressions: a tree and the names in scope in, a typed tree and every problem out.

`check(node, names)`; it goes on after a problem (type `Unknown` fits everywhere), so that all are told at once.
It must not know how expressions run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from kb.expressions.frame import EvaluationError
from kb.expressions.functions import FUNCTIONS, element, is_number, is_text, pattern
from kb.expressions.names import FieldInfo, Names
from kb.expressions.nodes import (
    Binary,
    Call,
    Index,
    ListNode,
    Literal,
    Macro,
    MapNode,
    Member,
    Name,
    Node,
    Ternary,
    Unary,
    children,
)
from kb.suggest import suggest
from kb.types import (
    BOOL,
    DURATION,
    INT,
    NUMBER,
    TEXT,
    TIME,
    UNKNOWN,
    Bool,
    Choice,
    Collection,
    Duration,
    Int,
    ListOf,
    MapOf,
    Number,
    Record,
    Ref,
    Text,
    Time,
    Type,
    Unknown,
)

MAX_LOOPS = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem within an expression, by offsets."""

    start: int
    end: int
    code: str
    message: str
    hint: str


@dataclass
class Checker:
    """Fills in the types of a tree; `findings`, `reads`, `searches` and `locals` are what it saw."""

    names: Names
    findings: list[Finding] = field(default_factory=list[Finding])
    reads: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    searches: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    locals: set[str] = field(default_factory=set[str])
    _bound: list[tuple[str, Type]] = field(default_factory=list[tuple[str, Type]])

    def problem(self, node: Node, code: str, message: str, hint: str) -> Type:
        self.findings.append(Finding(node.start, node.end, code, message, hint))
        return UNKNOWN

    def check(self, node: Node) -> Type:
        """The node's type, also stored in it."""
        node.type = self._check(node)
        return node.type

    def _check(self, node: Node) -> Type:
        match node:
            case Literal():
                return node.type
            case Name():
                return self._name(node)
            case Member():
                return self._member(node)
            case Index():
                return self._index(node)
            case Unary():
                return self._unary(node)
            case Binary():
                return self._binary(node)
            case Ternary():
                return self._ternary(node)
            case ListNode():
                return ListOf(self._common(node, [(self.check(item), item) for item in node.items]))
            case MapNode():
                for key, _ in node.pairs:
                    if not isinstance(self.check(key), Text | Choice | Ref | Unknown):
                        self.problem(key, "RB204", "A map's key is a text", 'Write {"key": value}.')
                return MapOf(self._common(node, [(self.check(value), value) for _, value in node.pairs]), TEXT)
            case Call():
                return self._call(node)
            case Macro():
                return self._macro(node)
            case _:
                raise AssertionError(node)

    # --- names and fields

    def _name(self, node: Name) -> Type:
        for name, type_ in reversed(self._bound):
            if name == node.name:
                node.role = "bound"
                return type_
        local = self.names.local(node.name)
        if local is not None:
            node.role = "now" if node.name == "now" else "local"
            self.locals.add(node.name)
            return local
        if (instance := self.names.instance(node.name)) is not None:
            node.role, node.id = "instance", instance[0]
            return Ref((instance[1],))
        if (kind := self.names.collection(node.name)) is not None:
            node.role, node.id = "collection", kind
            return Collection(kind)
        known = [*(name for name, _ in self._bound), *self.names.locals(), *self.names.instance_names()]
        if node.name in FUNCTIONS:
            return self.problem(node, "RB202", f"`{node.name}` is a function", f"Call it: `{node.name}(…)`.")
        hint = suggest(node.name, known) or f"The names here are {_list(known)}."
        return self.problem(node, "RB202", f"`{node.name}` is not known here", hint)

    def _member(self, node: Member) -> Type:
        of = self.check(node.of)
        if isinstance(of, Record):
            part = of.field(node.name)
            if part is not None:
                return part
            hint = suggest(node.name, [n for n, _ in of.fields]) or f"Its parts are {_list(n for n, _ in of.fields)}."
            return self.problem(_tail(node), "RB203", f"There is no part `{node.name}`", hint)
        if isinstance(of, Unknown):
            return UNKNOWN
        if not isinstance(of, Ref):
            if isinstance(of, MapOf):
                hint = f'Write `["{node.name}"]` for a map.'
            elif isinstance(of, Collection):
                hint = f"Ask of each one: `.exists(x, x.{node.name} …)`."
            else:
                hint = "Only things and records have fields."
            return self.problem(_tail(node), "RB203", f"{_a(of)} has no field `{node.name}`", hint)
        infos = self._fields(of, node.name)
        if not infos:
            known = {
                name for kind in of.kinds for each in self.names.kinds_within(kind) for name in self.names.fields(each)
            }
            hint = suggest(node.name, sorted(known)) or f"Its fields are {_list(sorted(known))}."
            return self.problem(_tail(node), "RB203", f"{_a(of)} has no field `{node.name}`", hint)
        node.derived = any(info.derived for _, info in infos)
        self.reads |= {(kind, node.name) for kind, _ in infos}
        return self._merged(node, [info.type for _, info in infos])

    def _fields(self, of: Ref, name: str) -> list[tuple[str, FieldInfo]]:
        """The field on each kind of the reference; of its sub-kinds where the kind itself lacks it."""
        found: list[tuple[str, FieldInfo]] = []
        for kind in of.kinds:
            own = self.names.field(kind, name)
            if own is not None:
                found.append((kind, own))
                for below in sorted(self.names.kinds_within(kind) - {kind}):
                    info = self.names.field(below, name)
                    if info is not None and info != own:
                        found.append((below, info))
                continue
            for below in sorted(self.names.kinds_within(kind)):
                info = self.names.field(below, name)
                if info is not None:
                    found.append((below, info))
        return found

    def _merged(self, node: Member, types: list[Type]) -> Type:
        first = types[0]
        for other in types[1:]:
            if other == first or isinstance(other, Unknown):
                continue
            if isinstance(first, Unknown):
                first = other
            elif isinstance(first, Int) and isinstance(other, Int):
                first = INT
            elif is_number(first) and is_number(other):
                first = NUMBER
            elif isinstance(first, Ref) and isinstance(other, Ref):
                first = Ref(tuple(sorted({*first.kinds, *other.kinds})))
            elif is_text(first) and is_text(other):
                first = TEXT
            else:
                hint = "Give the fields one type, or name the kind."
                return self.problem(_tail(node), "RB204", f"`{node.name}` is {first} here and {other} there", hint)
        return first

    def _index(self, node: Index) -> Type:
        of, key = self.check(node.of), self.check(node.key)
        if isinstance(of, MapOf):
            self._same(node.key, of.key, key)
            return of.value
        if isinstance(of, ListOf | Collection):
            if not isinstance(key, Int | Unknown):
                self.problem(
                    node.key,
                    "RB204",
                    f"A list's index is a whole number, not {key}",
                    "Write `[0]` for the first.",
                )
            return element(of) or UNKNOWN
        if isinstance(of, Unknown):
            return UNKNOWN
        return self.problem(node, "RB204", f"{_a(of)} has no entries", "Only lists and maps are indexed.")

    # --- operators

    def _unary(self, node: Unary) -> Type:
        of = self.check(node.of)
        if node.op == "!":
            self._must(node.of, of, Bool, "yes/no")
            return BOOL
        if isinstance(of, Int):
            return INT
        if not isinstance(of, Number | Duration | Unknown):
            return self.problem(node, "RB204", f"`-` needs a number, not {of}", "Put a number here.")
        return of

    def _must(self, node: Node, type_: Type, wanted: type[Type], words: str) -> None:
        if not isinstance(type_, wanted | Unknown):
            hint = f"Compare it with something to get {words}."
            self.problem(node, "RB204", f"This must be {words}, and is {type_}", hint)

    def _binary(self, node: Binary) -> Type:
        left, right = self.check(node.left), self.check(node.right)
        match node.op:
            case "&&" | "||":
                self._must(node.left, left, Bool, "yes/no")
                self._must(node.right, right, Bool, "yes/no")
                return BOOL
            case "==" | "!=":
                self._comparable(node, left, right)
                return BOOL
            case "<" | "<=" | ">" | ">=":
                ordered = (is_number(left) and is_number(right)) or any(
                    isinstance(left, each) and isinstance(right, each) for each in (Text, Time, Duration, Bool)
                )
                if not ordered and not _unknown(left, right):
                    why = f"`{node.op}` cannot compare {left} with {right}"
                    self.problem(node, "RB204", why, "Compare two numbers, texts, times or lengths of time.")
                return BOOL
            case "in":
                return self._in(node, left, right)
            case _:
                return self._arithmetic(node, left, right)

    def _arithmetic(self, node: Binary, left: Type, right: Type) -> Type:
        if _unknown(left, right):
            return UNKNOWN
        if is_number(left) and is_number(right):
            if node.op == "%" and not (isinstance(left, Int) and isinstance(right, Int)):
                return self.problem(node, "RB204", "`%` needs whole numbers", "Use `int(…)`.")
            return INT if isinstance(left, Int) and isinstance(right, Int) else NUMBER
        if node.op == "+" and is_text(left) and is_text(right):
            return TEXT
        if node.op == "+" and (item := element(left)) is not None and (other := element(right)) is not None:
            return ListOf(self._common(node, [(item, node.left), (other, node.right)]))
        table: dict[tuple[str, type[Type], type[Type]], Type] = {
            ("+", Time, Duration): TIME,
            ("+", Duration, Time): TIME,
            ("+", Duration, Duration): DURATION,
            ("-", Time, Duration): TIME,
            ("-", Time, Time): DURATION,
            ("-", Duration, Duration): DURATION,
        }
        result = table.get((node.op, type(left), type(right)))
        if result is not None:
            return result
        hint = "Use numbers, or `string(…)` to join text."
        return self.problem(node, "RB204", f"`{node.op}` cannot join {left} and {right}", hint)

    def _in(self, node: Binary, left: Type, right: Type) -> Type:
        if isinstance(right, MapOf):
            self._same(node.left, right.key, left)
        elif (item := element(right)) is not None:
            self._comparable(Binary(node.start, node.end, "==", node.left, node.right), left, item)
            if isinstance(node.right, ListNode):
                for each in node.right.items:
                    self.literal_fits(each, left)
            self.literal_fits(node.left, item)
        elif not isinstance(right, Unknown):
            hint = "Use `.contains(…)` for text." if isinstance(right, Text) else "Put a list on the right."
            self.problem(node.right, "RB204", f"`in` needs a list or a map, not {right}", hint)
        return BOOL

    def _comparable(self, node: Binary, left: Type, right: Type) -> None:
        if not comparable(left, right, self.names):
            why = f"{_a(left)} can never equal {_a(right).lower()}"
            self.problem(node, "RB204", why, "Compare things of one type.")
            return
        self.literal_fits(node.left, right)
        self.literal_fits(node.right, left)

    def _same(self, node: Node, wanted: Type, actual: Type) -> None:
        if not comparable(wanted, actual, self.names):
            self.problem(node, "RB204", f"This must be {wanted}, and is {actual}", "Use a value of that type.")
        self.literal_fits(node, wanted)

    def literal_fits(self, node: Node, other: Type) -> None:
        """A text that stands against a reference or a choice must be a known id or option."""
        if isinstance(node, Ternary):
            self.literal_fits(node.then, other)
            self.literal_fits(node.otherwise, other)
        if not isinstance(node, Literal) or not isinstance(node.value, str) or node.value == "":
            return
        if isinstance(other, Choice) and node.value not in other.options:
            options = [option for option in other.options if option]
            hint = suggest(node.value, options) or f"The choices are {_list(options)}."
            self.problem(node, "RB204", f'"{node.value}" is none of the choices', hint)
        if isinstance(other, Ref):
            kind = self.names.kind_of_id(node.value)
            within = {below for each in other.kinds for below in self.names.kinds_within(each)}
            if kind is not None and kind not in within and not any(k in self.names.kinds_within(kind) for k in within):
                hint = f"Name {_a(other).lower()}."
                self.problem(node, "RB207", f'"{node.value}" is {_a(Ref((kind,))).lower()}, not {other}', hint)
            elif kind is None and not any(self.names.open_kind(each) for each in other.kinds):
                hint = (
                    suggest(node.value, self.names.ids(other.kinds))
                    or f"Make a page with `{other.kinds[0]}: {node.value}`."
                )
                self.problem(node, "RB207", f'Nothing has the id "{node.value}"', hint)

    def _ternary(self, node: Ternary) -> Type:
        self._must(node.condition, self.check(node.condition), Bool, "yes/no")
        return self._common(node, [(self.check(node.then), node.then), (self.check(node.otherwise), node.otherwise)])

    def _common(self, node: Node, types: list[tuple[Type, Node]]) -> Type:
        result: Type = UNKNOWN
        for type_, part in types:
            shared = _shared(result, type_)
            if shared is None:
                return self.problem(part, "RB204", f"This is {type_} where the others are {result}", "Use one type.")
            result = shared
        return result

    # --- calls

    def _call(self, node: Call) -> Type:
        if node.name == "has":
            self.check(node.args[0]) if node.args else None
            if len(node.args) != 1 or not isinstance(node.args[0], Member):
                return self.problem(node, "RB208", "`has` takes a field", "Write `has(item.key)`.")
            return BOOL
        types = [self.check(arg) for arg in node.args]
        function = FUNCTIONS.get(node.name)
        if function is None:
            place = Name(node.name_at, node.name_at + len(node.name), node.name)
            hint = suggest(node.name, FUNCTIONS) or f"The functions are {_list(FUNCTIONS, 12)}."
            return self.problem(place, "RB208", f"There is no function `{node.name}`", hint)
        if any(isinstance(each, Unknown) for each in types):
            return function.signature(types) or UNKNOWN
        result = function.signature(types)
        if result is None:
            given = ", ".join(str(each) for each in types) or "nothing"
            hint = f"It takes {function.takes}, as in `{function.example}`."
            return self.problem(node, "RB208", f"`{node.name}` does not take {given}", hint)
        for arg in node.args:
            if isinstance(arg.type, Collection):
                self._bounded(arg, arg.type.kind)
        if node.name == "matches" and isinstance(node.args[1], Literal):
            self._readable(node, node.args[1], pattern)
        if node.name in {"duration", "timestamp"} and isinstance(node.args[0], Literal):
            self._readable(node, node.args[0], FUNCTIONS[node.name].run)
        return result

    def _readable(self, node: Call, literal: Literal, read: Callable[[str], Any]) -> None:
        try:
            read(literal.value)
        except EvaluationError as error:
            self.problem(literal, "RB208", str(error), f"See `{FUNCTIONS[node.name].example}`.")

    def _macro(self, node: Macro) -> Type:
        over = self.check(node.over)
        item = over.key if isinstance(over, MapOf) else element(over)
        if item is None:
            if not isinstance(over, Unknown):
                self.problem(
                    node.over,
                    "RB204",
                    f"`{node.kind}` needs a list, not {over}",
                    "Use a list, a map or a plural.",
                )
            item = UNKNOWN
        if len(self._bound) >= MAX_LOOPS:
            return self.problem(node, "RB201", f"More than {MAX_LOOPS} loops stand in one another", "Split it.")
        self._bound.append((node.var, item))
        body = self.check(node.body)
        result = self.check(node.result) if node.result is not None else body
        self._bound.pop()
        if node.kind != "map" or node.result is not None:
            self._must(node.body, body, Bool, "yes/no")
        if isinstance(over, Collection):
            self._search(node, over.kind)
        if node.kind == "filter":
            return ListOf(item)
        return ListOf(result) if node.kind == "map" else BOOL

    def _search(self, node: Macro, kind: str) -> None:
        """Finds `x.field == value` (or a distance to x) among the conditions that are joined by &&."""
        if node.kind != "map" and any(_is_near(part, node.var) for part in conjuncts(node.body)):
            return
        if node.kind in {"exists", "exists_one", "filter"} or node.result is not None:
            for part in conjuncts(node.body):
                if not isinstance(part, Binary) or part.op != "==":
                    continue
                for mine, other in ((part.left, part.right), (part.right, part.left)):
                    if _is_field_of(mine, node.var) and not _mentions(other, node.var):
                        assert isinstance(mine, Member)
                        if not mine.derived and mine.name not in {"id", "kind"}:
                            node.search = (kind, mine.name, other)
                            self.searches.add((kind, mine.name))
                            return
        self._bounded(node.over, kind)

    def _bounded(self, node: Node, kind: str) -> None:
        if self.names.open_kind(kind):
            hint = f"Search by a field first: `.filter(x, x.<field> == …)`; there can be any number of {kind}s."
            self.problem(node, "RB209", "The collection cannot be bounded", hint)


def conjuncts(node: Node) -> list[Node]:
    """The parts that && joins."""
    if isinstance(node, Binary) and node.op == "&&":
        return [*conjuncts(node.left), *conjuncts(node.right)]
    return [node]


def _is_field_of(node: Node, var: str) -> bool:
    return isinstance(node, Member) and isinstance(node.of, Name) and node.of.name == var and node.of.role == "bound"


def _is_near(node: Node, var: str) -> bool:
    """`distance(a, x.point) <= r`: a search that space bounds."""
    near = node.left if isinstance(node, Binary) and node.op in {"<", "<="} else None
    return isinstance(near, Call) and near.name == "distance" and any(_is_field_of(each, var) for each in near.args)


def _mentions(node: Node, var: str) -> bool:
    if isinstance(node, Name):
        return node.name == var
    return any(_mentions(each, var) for each in children(node))


def _shared(one: Type, other: Type) -> Type | None:
    """The type of what is one or the other; None where they have nothing in common."""
    if isinstance(one, Unknown) or one == other:
        return other
    match one, other:
        case _, Unknown():
            return one
        case ((Int() | Number()), (Int() | Number())):
            return INT if isinstance(one, Int) and isinstance(other, Int) else NUMBER
        case Ref(), Ref():
            return Ref(tuple(sorted({*one.kinds, *other.kinds})))
        case ListOf(), ListOf():
            item = _shared(one.item, other.item)
            return None if item is None else ListOf(item)
        case MapOf(), MapOf():
            value = _shared(one.value, other.value)
            return None if value is None else MapOf(value, one.key if one.key == other.key else TEXT)
        case _:
            return TEXT if is_text(one) and is_text(other) else None


def comparable(left: Type, right: Type, names: Names) -> bool:
    """Whether values of the two types can be equal."""
    if _unknown(left, right):
        return True
    if is_number(left) and is_number(right):
        return True
    if isinstance(left, Ref) and isinstance(right, Ref):
        mine = {below for kind in left.kinds for below in names.kinds_within(kind)}
        theirs = {below for kind in right.kinds for below in names.kinds_within(kind)}
        return bool(mine & theirs)
    if is_text(left) and is_text(right):
        return not (isinstance(left, Choice) and isinstance(right, Choice)) or bool({*left.options} & {*right.options})
    one, other = element(left), element(right)
    if one is not None and other is not None:
        return comparable(one, other, names)
    return type(left) is type(right) and not isinstance(left, Collection)


def fits(actual: Type, wanted: Type, names: Names) -> bool:
    """Whether a value of type `actual` may be written where `wanted` is declared; ranges are checked when it runs."""
    if _unknown(actual, wanted):
        return True
    match wanted:
        case Int():
            return isinstance(actual, Int)
        case Number():
            return is_number(actual)
        case Text():
            return is_text(actual)
        case Choice():
            return isinstance(actual, Text) or (isinstance(actual, Choice) and comparable(actual, wanted, names))
        case Ref():
            return isinstance(actual, Text) or (isinstance(actual, Ref) and comparable(actual, wanted, names))
        case ListOf():
            item = element(actual)
            return item is not None and fits(item, wanted.item, names)
        case MapOf():
            return isinstance(actual, MapOf) and fits(actual.value, wanted.value, names)
        case Record():
            return isinstance(actual, Record | MapOf)
        case _:
            return type(actual) is type(wanted)


def _unknown(*types: Type) -> bool:
    return any(isinstance(each, Unknown) for each in types)


def _tail(node: Member) -> Node:
    """The member's name alone, for pointing at it."""
    return Node(node.end - len(node.name), node.end)


def _a(type_: Type) -> str:
    words = str(type_)
    if isinstance(type_, Ref):
        return f"{'An' if words[0] in 'aeiou' else 'A'} {words}"
    return f"The {words}" if isinstance(type_, ListOf | MapOf | Record) else words.capitalize()


def _list(names: Iterable[str], limit: int = 8) -> str:
    known = sorted(set(names))
    return ", ".join(f"`{name}`" for name in known[:limit]) + (" …" if len(known) > limit else "")
