"""`rulebound services` and the doctor tell which servers are used, and touch none that was given by URL."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from rulebound.commands import doctor
from rulebound.commands.services import described, supervisor
from rulebound.settings import Settings
from storage.embedded import Servers, Status

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(home: Path) -> Run:
    """`run("services", "status")` in a process of its own."""

    def command(*arguments: str) -> "subprocess.CompletedProcess[str]":
        environment = {**os.environ, "RULEBOUND_HOME": str(home)}
        return subprocess.run(
            [sys.executable, "-m", "rulebound", *arguments],
            env=environment, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip

    return command


def test_they_are_started_shown_and_stopped(run: Run, home: Path) -> None:
    assert run("services", "status").returncode == 1
    started = run("services", "start")
    assert started.returncode == 0, started.stderr
    assert f"ready, process {supervisor(Settings(home)).status().servers[1].pid}" in started.stdout
    assert f"data in {home / 'services/postgres'}" in started.stdout
    shown = run("services", "status")
    assert (shown.returncode, shown.stdout) == (0, started.stdout)
    assert "they stay until" in shown.stdout
    stopped = run("services", "stop")
    assert (stopped.returncode, stopped.stdout.count(": stopped;")) == (0, 2)


def test_stopping_servers_in_use_is_refused_with_what_to_do(run: Run, home: Path) -> None:
    here = supervisor(Settings(home))
    here.acquire()
    refused = run("services", "stop")
    assert refused.returncode == 2
    assert refused.stderr.startswith(f"rulebound: the servers are used by 1 processes: {os.getpid()}. End those")
    assert run("services", "stop", "--force").returncode == 0
    here.release()


def test_the_doctor_shows_them_and_starts_nothing(tmp_path: Path) -> None:
    settings = Settings(tmp_path / "home")
    lines = [found.what for found in doctor.findings(settings) if "embedded)" in found.what]
    assert [line.split(": ")[1].split(";")[0] for line in lines] == ["stopped", "stopped"]
    assert not (settings.home / "services").exists()


def test_servers_by_url_are_asked_for_their_version_and_no_password_is_shown(servers: Servers, tmp_path: Path) -> None:
    settings = Settings(tmp_path, database_url=servers.database_url, redis_url=servers.redis_url)
    lines = [server.line for server in described(settings, supervisor(settings).status())]
    assert [line.split()[:4] for line in lines] == [
        ["PostgreSQL", "18.6", "by", "URL"],
        ["Redis", "9.1.2", "by", "URL"],
    ]
    assert all(line.endswith(": ready") for line in lines)
    away = replace(
        settings, database_url="postgresql://ann:secret@localhost:1/x", redis_url="redis://:secret@localhost:1"
    )
    for server in described(away, Status((), (), pinned=False)):
        assert not server.good
        assert "localhost:1" in server.line
        assert "secret" not in server.line + server.hint


def test_where_there_are_no_embedded_servers_those_by_url_work_and_the_others_are_told(tmp_path: Path) -> None:
    script = """
import pathlib, subprocess, sys, tempfile
import storage
sys.modules["fcntl"] = sys.modules["pwd"] = None
sys.platform = "win32"
from storage.embedded import NoBinary, Supervisor
home = pathlib.Path(sys.argv[1])
print(Supervisor(home, database_url="postgresql://db", redis_url="redis://r").acquire().redis_url)
try:
    Supervisor(home, database_url="postgresql://db")
except NoBinary as error:
    print(error.hint)
"""
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.stdout.startswith("redis://r\nInstall rulebound again on Linux"), done.stderr
