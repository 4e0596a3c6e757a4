"""Runs the command line as a user does: in this process, or in one of its own."""

import io
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from rulebound import cli
from storage.embedded import Servers


@dataclass
class Ran:
    """What a command left: its exit status and what it printed."""

    status: int
    out: str
    err: str


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A RULEBOUND_HOME of the test's own; the working directory is an empty folder."""
    folder = tmp_path / "home"
    monkeypatch.setenv("RULEBOUND_HOME", str(folder))
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    return folder


@pytest.fixture
def kept(servers: Servers, fresh_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Games are kept in a database of the test's own, on servers that run already."""
    monkeypatch.setenv("RULEBOUND_DATABASE_URL", fresh_database)
    monkeypatch.setenv("RULEBOUND_REDIS_URL", servers.redis_url)


@pytest.fixture
def rulebound(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """`rulebound("play", "cloak", stdin="look")`."""

    def run(*arguments: str, stdin: str | bytes = "") -> Ran:
        data = stdin if isinstance(stdin, bytes) else stdin.encode()
        monkeypatch.setattr(sys, "argv", ["rulebound", *arguments])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data), encoding="utf-8"))
        status = 0
        try:
            cli.main()
        except SystemExit as stop:
            status = stop.code if isinstance(stop.code, int) else 0
        shown = capsys.readouterr()
        return Ran(status, shown.out, shown.err)

    return run


@pytest.fixture
def process(home: Path) -> Callable[..., Ran]:
    """The same in a process of its own, with what is given added to its environment."""

    def run(*arguments: str, stdin: str = "", **environment: str) -> Ran:
        done = subprocess.run(
            [sys.executable, "-m", "rulebound", *arguments],
            input=stdin.encode(),
            capture_output=True,
            env={**os.environ, **environment},
            timeout=60,
            check=False,
        )
        return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())

    return run


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """A folder with a small world of two places."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    pages = {
        "world.md": "---\nexperience: tiny\nuses: [adventure]\nstart: hall\n---\n# Tiny\nSmall. See [[coin]].\n",
        "hall.md": "---\nplace: hall\nexits: {north: attic}\n---\n# Hall\nA hall.\n",
        "attic.md": "---\nplace: attic\nexits: {south: hall}\n---\n# Attic\nAn attic.\n",
        "coin.md": "---\nitem: coin\nin: hall\n---\n# Gold coin\nShiny.\n",
        "s.md": "---\nscenario: s\n---\n# S\n| Player says | Answer holds | Check |\n|---|---|---|\n| take coin | Taken | |\n",
    }
    for name, text in pages.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder
