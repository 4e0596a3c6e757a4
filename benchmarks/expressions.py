"""Conditions a second: our compiler against Google's CEL engine, on the same expression and values, in the same run."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from cel_expr_python import cel

from benchmarks.measure import rate, row
from kb.diagnostics import Span
from kb.expressions import FieldInfo, compile_expression
from kb.types import BOOL, INT, TEXT, Type


class Names:
    """Four flat variables, so that both engines see the same."""

    types: dict[str, Type] = {"verb": TEXT, "size": INT, "fixed": BOOL, "here": TEXT}

    def local(self, name: str) -> Type | None:
        return self.types.get(name)

    def locals(self) -> list[str]:
        return list(self.types)

    def instance(self, name: str) -> None:
        return None

    def instance_names(self) -> list[str]:
        return []

    def collection(self, name: str) -> None:
        return None

    def field(self, kind: str, name: str) -> FieldInfo | None:
        return None

    def fields(self, kind: str) -> list[str]:
        return []

    def kinds_within(self, kind: str) -> frozenset[str]:
        return frozenset((kind,))

    def kind_of_id(self, id: str) -> None:
        return None

    def ids(self, kinds: tuple[str, ...]) -> list[str]:
        return []

    def open_kind(self, kind: str) -> bool:
        return False


class Frame:
    """Local values only."""

    rows: dict[str, dict[str, Any]] = {}
    now = datetime(2026, 1, 1, tzinfo=UTC)

    def __init__(self, values: dict[str, Any]):
        self.vars = values

    def derived(self, id: str, field: str) -> Any:
        return ""

    def where(self, kind: str, field: str, value: Any) -> tuple[str, ...]:
        return ()

    def every(self, kind: str) -> tuple[str, ...]:
        return ()

    def spend(self, steps: int) -> None:
        return None

    def draw(self, low: int, high: int) -> int:
        return low


SOURCE = '!(verb in ["look", "inventory"]) && !fixed && size + 1 < 10 && here == "bar"'
VALUES: dict[str, Any] = {"verb": "take", "size": 3, "fixed": False, "here": "bar"}


def main() -> None:
    """Prints both rates and their ratio."""
    expr, problems = compile_expression(SOURCE, Span("benchmark", 1, 1, len(SOURCE) + 1), Names(), BOOL)
    assert expr is not None, problems
    frame = Frame(VALUES)
    kinds = {"verb": cel.Type.STRING, "size": cel.Type.INT, "fixed": cel.Type.BOOL, "here": cel.Type.STRING}
    theirs = cel.NewEnv(variables=kinds).compile(SOURCE)
    ours_rate = rate(lambda: expr(frame))
    theirs_rate = rate(lambda: theirs.eval(data=VALUES))
    row("condition, Google's engine (floor)", f"{theirs_rate:,.0f}/s")
    row("condition, our compiler", f"{ours_rate:,.0f}/s", f"{ours_rate / theirs_rate:.1f}x the floor")


if __name__ == "__main__":
    main()
