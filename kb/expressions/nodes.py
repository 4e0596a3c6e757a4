"""Owns the tree of an expression. The parser makes it, the checker fills in types, the generator and analyses read it.

Offsets are into the source text. It must not know names or types beyond carrying them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from kb.types import UNKNOWN, Type


@dataclass(slots=True)
class Node:
    """A part of an expression: `start` and `end` in the source, and its type once it is checked."""

    start: int
    end: int
    type: Type = field(default=UNKNOWN, kw_only=True)


@dataclass(slots=True)
class Literal(Node):
    value: Any


@dataclass(slots=True)
class Name(Node):
    name: str
    role: str = field(default="", kw_only=True)
    """local | now | instance | collection"""
    id: str = field(default="", kw_only=True)
    """The instance's id, or the collection's kind."""


@dataclass(slots=True)
class Member(Node):
    """`of.name`"""

    of: Node
    name: str
    derived: bool = field(default=False, kw_only=True)


@dataclass(slots=True)
class Index(Node):
    of: Node
    key: Node


@dataclass(slots=True)
class Unary(Node):
    op: str
    of: Node


@dataclass(slots=True)
class Binary(Node):
    op: str
    left: Node
    right: Node


@dataclass(slots=True)
class Ternary(Node):
    condition: Node
    then: Node
    otherwise: Node


@dataclass(slots=True)
class ListNode(Node):
    items: list[Node]


@dataclass(slots=True)
class MapNode(Node):
    pairs: list[tuple[Node, Node]]


@dataclass(slots=True)
class Call(Node):
    """A function; a method's object is the first argument."""

    name: str
    args: list[Node]
    method: bool
    name_at: int


@dataclass(slots=True)
class Macro(Node):
    """`over.kind(var, body[, result])` with kind all | exists | exists_one | filter | map."""

    kind: str
    over: Node
    var: str
    body: Node
    result: Node | None = None
    search: tuple[str, str, Node] | None = field(default=None, kw_only=True)
    """(kind, field, value): the collection is searched by this equality."""


def children(node: Node) -> list[Node]:
    """The parts directly below a node."""
    match node:
        case Member() | Unary():
            return [node.of]
        case Index():
            return [node.of, node.key]
        case Binary():
            return [node.left, node.right]
        case Ternary():
            return [node.condition, node.then, node.otherwise]
        case ListNode():
            return list(node.items)
        case MapNode():
            return [each for pair in node.pairs for each in pair]
        case Call():
            return list(node.args)
        case Macro():
            return [node.over, node.body, *([node.result] if node.result else [])]
        case _:
            return []
