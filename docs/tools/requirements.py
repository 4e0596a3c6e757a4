"""Owns docs/requirements.md: which tests and benchmarks show each requirement.

`python docs/tools/requirements.py` rewrites the last column from `@pytest.mark.requirement("0.07")` in tests/ and
`REQUIREMENTS = ("0.33",)` in benchmarks/; `--check` fails when the page is out of date or an id does not exist.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "requirements.md"
_ROW = re.compile(r"\| (\d+\.\d\d) \| (.*) \| (.*) \|")


def named_in(path: Path) -> Iterator[tuple[str, str]]:
    """(requirement id, name of the test or benchmark) for each id that a file names."""
    place = path.relative_to(ROOT).as_posix()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            for decorator in node.decorator_list:
                if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.requirement":
                    for id in map(ast.literal_eval, decorator.args):
                        yield id, f"`{place}::{node.name}`"
        elif isinstance(node, ast.Assign):
            names = [target.id for target in node.targets if isinstance(target, ast.Name)]
            if "REQUIREMENTS" in names:
                for id in ast.literal_eval(node.value):
                    yield id, f"`{place}`"
            if "pytestmark" in names:
                for call in ast.walk(node.value):
                    if isinstance(call, ast.Call) and ast.unparse(call.func) == "pytest.mark.requirement":
                        for id in map(ast.literal_eval, call.args):
                            yield id, f"`{place}`"


def main() -> int:
    """Rewrite or check the page; returns the exit status."""
    shown: dict[str, list[str]] = {}
    for folder in ("tests", "benchmarks"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for id, name in named_in(path):
                shown.setdefault(id, []).append(name)
    lines: list[str] = []
    known: set[str] = set()
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if match := _ROW.fullmatch(line):
            known.add(match[1])
            line = f"| {match[1]} | {match[2]} | {'<br>'.join(shown.get(match[1], [])) or '—'} |"
        lines.append(line)
    unknown = sorted(set(shown) - known)
    if unknown:
        print(f"docs/requirements.md has no row {', '.join(unknown)}: {[shown[id] for id in unknown]}")
        return 1
    text = "\n".join(lines) + "\n"
    if "--check" in sys.argv:
        if text != PAGE.read_text(encoding="utf-8"):
            print("docs/requirements.md is out of date. Run: python docs/tools/requirements.py")
            return 1
        return 0
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
