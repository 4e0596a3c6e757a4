"""Shared by the tests of what models fill in: their worlds, importable by name though tests are no package."""

import importlib.util
import sys
from pathlib import Path

import pytest

_spec = importlib.util.spec_from_file_location("judging_base", Path(__file__).parent / "judging_base.py")
assert _spec is not None
assert _spec.loader is not None
sys.modules["judging_base"] = base = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(base)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    """A folder with a small world in which Otto judges."""
    folder = tmp_path / "door"
    folder.mkdir()
    for name, text in base.PAGES.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder
