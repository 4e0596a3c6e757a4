"""One server of a model for all processes that use it: it wants a key, and ends when nobody is left."""

import asyncio
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest

from agents.local import Local, LocalError, configured, running
from agents.models.client import Client
from agents.models.model import ModelError, asked
from storage.embedded import process

USER = """
import sys
from pathlib import Path
from agents.local import Local
print(Local("smollm2", Path(sys.argv[1])).acquire().url, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def other(home: Path, tmp_path: Path) -> Iterator[Path]:
    """A home of the test's own, with the model."""
    models = tmp_path / "models"
    models.mkdir()
    (models / "smollm2.gguf").symlink_to(home / "models" / "smollm2.gguf")
    yield tmp_path
    Local("smollm2", tmp_path).stop(force=True)


def test_two_users_share_one_server_and_it_ends_with_the_last(other: Path) -> None:
    first, second = Local("smollm2", other), Local("smollm2", other)
    place = first.acquire()
    assert second.acquire() == place
    first.release()
    assert second.status().servers[0].state == "ready"
    second.release()
    assert second.status().servers[0].state == "stopped"


def test_a_server_does_not_outlive_a_user_that_was_killed(other: Path) -> None:
    user = subprocess.Popen([sys.executable, "-c", USER, other], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with user:
        assert user.stdout is not None
        assert user.stdout.readline().startswith(b"http://127.0.0.1:")
        lock = other / "models" / "smollm2" / "smollm2.lock"
        assert process.held(lock)
        user.send_signal(signal.SIGKILL)
    assert process.wait(lambda: not process.held(lock), 30)


def test_a_server_that_died_is_started_again_by_the_next_that_asks(other: Path) -> None:
    local = Local("smollm2", other)
    place = local.acquire()
    assert process.send(other / "models" / "smollm2" / "smollm2.lock", signal.SIGKILL)
    assert local.acquire() == place, "its clients go on at the same address, with the same key"
    assert httpx2.get(place.url.removesuffix("/v1") + "/health", trust_env=False).json() == {"status": "ok"}
    local.release()


def test_a_port_that_another_has_taken_is_left_to_it_and_the_key_is_a_new_one(other: Path) -> None:
    local = Local("smollm2", other)
    before = local.acquire()
    local.release()
    with socket.create_server(("127.0.0.1", urlsplit(before.url).port or 0)):
        after = local.acquire()
        assert (after.url == before.url, after.key == before.key) == (False, False)
        local.release()


@pytest.mark.anyio
async def test_a_server_that_dies_under_a_client_is_started_again(other: Path) -> None:
    hello = asked("", "hello", purpose="test", max_tokens=1, deadline=120)
    # By this clock the breaker has waited long enough whenever it is asked.
    late = count(step=100.0).__next__
    async with running("smollm2", other, look=0.05) as place, Client(configured(place), clock=late) as model:
        assert process.send(other / "models" / "smollm2" / "smollm2.lock", signal.SIGKILL)
        text = ""
        async with asyncio.timeout(60):
            while not text:
                with suppress(ModelError):  # its callers have a fallback for the moment
                    text = (await model.chat(hello)).text
    assert not process.held(other / "models" / "smollm2" / "smollm2.lock")


def test_who_has_no_key_is_not_answered(other: Path) -> None:
    local = Local("smollm2", other)
    place = local.acquire()
    asked = {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 1}
    answers = [
        httpx2.post(f"{place.url}/chat/completions", json=asked, headers=headers, trust_env=False).status_code
        for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": f"Bearer {place.key}"})
    ]
    assert answers == [401, 401, 200]
    local.release()


def test_the_log_holds_nothing_of_what_is_asked_and_answered(other: Path) -> None:
    local = Local("smollm2", other)
    place = local.acquire()
    for text in ("Repeat: xyzzy", "xyzzy " * 5000):
        asked = {"messages": [{"role": "user", "content": text}], "max_tokens": 4}
        httpx2.post(
            f"{place.url}/chat/completions",
            json=asked,
            headers={"authorization": f"Bearer {place.key}"},
            timeout=60,
            trust_env=False,
        )
    local.release()
    assert "xyzzy" not in (other / "models" / "smollm2" / "smollm2.log").read_text()


def test_weights_that_cannot_be_loaded_are_told_with_the_log(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "smollm2.gguf").write_bytes(b"GGUF, but no more of it")
    with pytest.raises(LocalError, match="smollm2 failed: RuntimeError: Failed to init server") as told:
        Local("smollm2", tmp_path).acquire()
    assert "smollm2.log; what hangs is ended by: rulebound local stop smollm2 --force" in told.value.hint


def test_a_model_that_is_not_installed_is_told_with_the_command(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="smollm2 is not installed") as told:
        Local("smollm2", tmp_path)
    assert told.value.hint == "Install it: rulebound local install smollm2"


def test_the_commands_start_list_and_stop_a_model(other: Path) -> None:
    def run(*words: str) -> str:
        command = [sys.executable, "-m", "rulebound", "local", *words]
        return subprocess.run(
            command, env={"RULEBOUND_HOME": str(other)}, capture_output=True, text=True, check=True
        ).stdout

    assert run("start", "smollm2").startswith("smollm2 answers at http://127.0.0.1:")
    listed = run("status")
    assert "smollm2: installed, ready: process " in listed
    assert "used by none, pinned" in listed
    assert "qwen2.5-coder-1.5b: not installed" in listed
    assert run("stop", "smollm2") == "smollm2 does not run\n"
    assert "smollm2: installed, stopped\n" in run("status")
