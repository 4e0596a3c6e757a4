"""Owns the grammar of CEL: text in, a tree with offsets out, or one `SyntaxProblem`.

`parse(source)`. It must not know names, types or functions, save that five methods are macros.
"""

from __future__ import annotations

import re
from typing import Final

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
from kb.types import BOOL, INT, INT_MAX, INT_MIN, NUMBER, TEXT

MAX_SOURCE: Final = 2_000
MAX_DEPTH: Final = 40
"""Brackets and signs in one another."""
MAX_TREE: Final = 100
"""Parts in one another: a chain such as `a + b + c` nests to the left."""
MACROS: Final = frozenset({"all", "exists", "exists_one", "filter", "map"})
_TOKEN: Final = re.compile(
    r"""\s*(?:
      (?P<number>\d*\.\d+(?:[eE][-+]?\d+)?|\d+[eE][-+]?\d+|0x[0-9a-fA-F]+|\d+)
    | (?P<text>[rR]"[^"\n]*"|[rR]'[^'\n]*'|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<op>&&|\|\||==|!=|<=|>=|[-+*/%<>!?:.,()\[\]{}])
    )""",
    re.VERBOSE | re.ASCII,
)
_PRECEDENCE: Final = {
    "||": 1, "&&": 2, "==": 3, "!=": 3, "<": 3, "<=": 3, ">": 3, ">=": 3, "in": 3,
    "+": 4, "-": 4, "*": 5, "/": 5, "%": 5,
}  # fmt: skip
_ESCAPES: Final = {
    "n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v",
    "\\": "\\", '"': '"', "'": "'", "`": "`", "?": "?",
}  # fmt: skip
_ESCAPE: Final = re.compile(
    r"\\(?:[xX]([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2})|(.))", re.DOTALL
)


class SyntaxProblem(Exception):
    """The text is not CEL: where (offsets), what, and what to do."""

    def __init__(self, start: int, end: int, what: str, hint: str):
        super().__init__(what)
        self.start, self.end, self.what, self.hint = start, end, what, hint


class _Parser:
    def __init__(self, source: str):
        self.source = source
        self.tokens: list[tuple[str, str, int, int]] = []
        self.at = 0
        self.depth = 0
        self._lex()

    def _lex(self) -> None:
        position, source = 0, self.source
        while source[position:].strip():
            match = _TOKEN.match(source, position)
            if match is None or match.lastgroup is None:
                start = position + len(source[position:]) - len(source[position:].lstrip())
                char = source[start]
                hint = {
                    "=": "Compare with `==`.", "&": "Write `&&`.", "|": "Write `||`.",
                    "“": 'Use straight quotes: "…".', "”": 'Use straight quotes: "…".', '"': "Close the text with a quote.",
                    "'": "Close the text with a quote.",
                }.get(char, "Leave it out.")  # fmt: skip
                raise SyntaxProblem(start, start + 1, f"`{char}` does not belong here", hint)
            start = match.start(match.lastgroup)
            self.tokens.append((match.lastgroup, match[match.lastgroup], start, match.end()))
            position = match.end()

    # --- tokens

    def peek(self) -> tuple[str, str, int, int]:
        if self.at < len(self.tokens):
            return self.tokens[self.at]
        return ("end", "the end", len(self.source), len(self.source))

    def next(self) -> tuple[str, str, int, int]:
        token = self.peek()
        self.at += 1
        return token

    def accept(self, op: str) -> bool:
        if self.peek()[0] == "op" and self.peek()[1] == op:
            self.at += 1
            return True
        return False

    def expect(self, op: str) -> int:
        kind, text, start, end = self.next()
        if kind != "op" or text != op:
            raise SyntaxProblem(
                start, max(end, start + 1), f"`{op}` is missing before {_shown(kind, text)}", f"Add `{op}`."
            )
        return end

    # --- grammar

    def whole(self) -> Node:
        node = self.ternary()
        kind, text, start, end = self.peek()
        if kind != "end":
            hint = "Join conditions with `&&` or `||`; compare with `==`."
            raise SyntaxProblem(start, end, f"{_shown(kind, text)} does not belong here", hint)
        return node

    def ternary(self) -> Node:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise SyntaxProblem(
                self.peek()[2],
                self.peek()[3],
                f"The expression is nested deeper than {MAX_DEPTH}",
                "Split it.",
            )
        node = self.binary(1)
        if self.accept("?"):
            then = self.ternary()
            self.expect(":")
            otherwise = self.ternary()
            node = Ternary(node.start, otherwise.end, node, then, otherwise)
        self.depth -= 1
        return node

    def binary(self, least: int) -> Node:
        left = self.unary()
        while True:
            kind, op, _, _ = self.peek()
            rank = _PRECEDENCE.get(op, 0) if kind == "op" or op == "in" else 0
            if rank < least:
                return left
            self.at += 1
            right = self.binary(rank + 1)
            left = Binary(left.start, right.end, op, left, right)

    def unary(self) -> Node:
        kind, op, start, end = self.peek()
        if kind == "op" and op in "!-":
            self.at += 1
            self.depth += 1
            if self.depth > MAX_DEPTH:
                raise SyntaxProblem(start, end, f"The expression is nested deeper than {MAX_DEPTH}", "Split it.")
            kind, text, _, last = self.peek()
            if op == "-" and kind == "number":
                self.at += 1
                of = self.number("-" + text, start, last)
                self.depth -= 1
                return self.postfix(of)
            of = self.unary()
            self.depth -= 1
            return Unary(start, of.end, op, of)
        return self.postfix(self.primary())

    def postfix(self, node: Node) -> Node:
        for _ in range(MAX_DEPTH):
            if self.accept("."):
                kind, name, start, end = self.next()
                if kind != "name":
                    raise SyntaxProblem(
                        start, max(end, start + 1), "A field's name is missing after `.`", "Name a field."
                    )
                if self.accept("("):
                    node = self.call(name, start, node)
                else:
                    node = Member(node.start, end, node, name)
            elif self.accept("["):
                key = self.ternary()
                node = Index(node.start, self.expect("]"), node, key)
            else:
                return node
        raise SyntaxProblem(node.start, node.end, f"The expression is nested deeper than {MAX_DEPTH}", "Split it.")

    def call(self, name: str, name_at: int, of: Node | None) -> Node:
        args, end = self.arguments(")")
        start = of.start if of is not None else name_at
        if of is not None and name in MACROS:
            return self.macro(name, name_at, of, args, end)
        return Call(start, end, name, args if of is None else [of, *args], of is not None, name_at)

    def macro(self, name: str, name_at: int, of: Node, args: list[Node], end: int) -> Node:
        allowed = (2, 3) if name == "map" else (2,)
        if len(args) not in allowed or not isinstance(args[0], Name):
            form = f"{name}(x, …)"
            raise SyntaxProblem(name_at, end, f"`{name}` takes a name and an expression", f"Write `{form}`.")
        result = args[2] if len(args) == 3 else None
        return Macro(of.start, end, name, of, args[0].name, args[1], result)

    def arguments(self, closing: str) -> tuple[list[Node], int]:
        items: list[Node] = []
        if self.peek()[1] == closing and self.peek()[0] == "op":
            return items, self.next()[3]
        while True:
            items.append(self.ternary())
            if len(items) > 200:
                raise SyntaxProblem(items[0].start, items[-1].end, "The list is too long", "Use a table.")
            if self.accept(","):
                continue
            return items, self.expect(closing)

    def primary(self) -> Node:
        kind, text, start, end = self.next()
        if kind == "number":
            return self.number(text, start, end)
        if kind == "text":
            return Literal(start, end, self.unescape(text, start), type=TEXT)
        if kind == "name":
            if text in {"true", "false"}:
                return Literal(start, end, text == "true", type=BOOL)
            if text == "in":
                raise SyntaxProblem(start, end, "`in` stands between two values", "Write `x in list`.")
            if self.accept("("):
                return self.call(text, start, None)
            return Name(start, end, text)
        if kind == "op" and text == "(":
            node = self.ternary()
            self.expect(")")
            return node
        if kind == "op" and text == "[":
            items, end = self.arguments("]")
            return ListNode(start, end, items)
        if kind == "op" and text == "{":
            return self.map(start)
        what = f"A value is missing before {_shown(kind, text)}" if kind == "op" else "The expression breaks off"
        raise SyntaxProblem(
            min(start, max(len(self.source) - 1, 0)), max(end, 1), what, "Write a field, a name or a value."
        )

    def map(self, start: int) -> Node:
        pairs: list[tuple[Node, Node]] = []
        if not self.accept("}"):
            while True:
                key = self.ternary()
                self.expect(":")
                pairs.append((key, self.ternary()))
                if not self.accept(","):
                    return MapNode(start, self.expect("}"), pairs)
        return MapNode(start, self.tokens[self.at - 1][3], pairs)

    @staticmethod
    def number(text: str, start: int, end: int) -> Node:
        if re.fullmatch(r"-?(\d+|0x[0-9a-fA-F]+)", text):
            value = int(text, 16 if "x" in text else 10) if len(text) < 100 else INT_MAX + 1
            if not INT_MIN <= value <= INT_MAX:
                hint = f"Whole numbers lie in {INT_MIN}..{INT_MAX}."
                raise SyntaxProblem(start, end, "The number is too large", hint)
            return Literal(start, end, value, type=INT)
        return Literal(start, end, float(text), type=NUMBER)

    @staticmethod
    def unescape(text: str, start: int) -> str:
        def plain(match: re.Match[str]) -> str:
            if match[5] in _ESCAPES:
                return _ESCAPES[match[5]]
            code = int(match[4] or "0", 8) or int(match[1] or match[2] or match[3] or "0", 16)
            if 0 < code < 0xD800 or 0xDFFF < code <= 0x10FFFF:
                return chr(code)
            place = start + match.start()
            raise SyntaxProblem(
                place, place + len(match[0]), f"`{match[0]}` is no escape", "Write `\\\\` for a backslash."
            )

        return text[2:-1] if text[0] in "rR" else _ESCAPE.sub(plain, text)[1:-1]


def _shown(kind: str, text: str) -> str:
    return text if kind == "end" else f"`{text}`"


def parse(source: str) -> Node:
    """The tree of an expression. Raises `SyntaxProblem`."""
    if len(source) > MAX_SOURCE:
        raise SyntaxProblem(0, len(source), f"The expression has more than {MAX_SOURCE} characters", "Split it.")
    tree = _Parser(source).whole()
    _refuse_deep(tree)
    return tree


def _refuse_deep(tree: Node) -> None:
    """What comes after walks the tree by recursion: a tree that is too deep for that is refused, without any."""
    waiting = [(tree, 1)]
    while waiting:
        node, depth = waiting.pop()
        if depth > MAX_TREE:
            what = f"More than {MAX_TREE} parts nest in one another or stand in one chain"
            raise SyntaxProblem(node.start, node.end, what, "Split it into several conditions.")
        waiting += [(each, depth + 1) for each in children(node)]
