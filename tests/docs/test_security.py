"""What the page on security claims: a test for each risk that is there, and packages that are pinned."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.requirement("4.52")
def test_each_risk_of_the_top_ten_is_shown_by_tests_that_there_are() -> None:
    text = (ROOT / "docs/operators/security.md").read_text("utf-8")
    rows = re.findall(r"^\| (A\d\d) .*$", text, re.MULTILINE)
    assert rows == [f"A{number:02}" for number in range(1, 11)]
    for line in text.splitlines():
        if line.startswith("| A"):
            named = re.findall(r"`(tests/[^`:]+)::(\w+)`", line)
            assert named, line
            for file, test in named:
                assert f"def {test}(" in (ROOT / file).read_text("utf-8"), f"{file}::{test}"


@pytest.mark.requirement("4.52")
@pytest.mark.parametrize("file", ["requirements.txt", "requirements-dev.txt"])
def test_each_package_is_pinned_with_its_hash(file: str) -> None:
    entries = re.split(r"\n(?=[a-z0-9])", (ROOT / file).read_text("utf-8").replace("\\\n", ""), flags=re.IGNORECASE)
    packages = [each for each in entries if "==" in each.split("#", 1)[0]]
    assert len(packages) > 30
    for each in packages:
        assert re.match(r"[\w.\[\],-]+==\S+", each), each
        assert "--hash=sha256:" in each, each
