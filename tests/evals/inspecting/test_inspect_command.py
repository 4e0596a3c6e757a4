"""As a user does it: Inspect's own command line plays a suite against its mock model, offline, and its viewer serves the log."""

import importlib.util
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from importlib.metadata import entry_points
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("inspect_ai") is None, reason="the extra [inspect] is not installed"
)
PATIENCE = 240.0


@pytest.mark.requirement("0.34")
def test_inspect_eval_plays_a_world_against_its_mock_model_and_its_viewer_has_the_log(tmp_path: Path) -> None:
    if not any(each.name == "rulebound" for each in entry_points(group="inspect_ai")):
        pytest.skip("Rulebound was installed here before it had the extra: install it again")
    logs = tmp_path / "logs"
    surroundings = {
        **os.environ,
        "HOME": str(tmp_path),
        "XDG_DATA_HOME": str(tmp_path),
        "XDG_CACHE_HOME": str(tmp_path),
    }
    surroundings.pop("TIKTOKEN_CACHE_DIR", None)
    command = [sys.executable, "-m", "inspect_ai", "eval", "rulebound/cases", "-T", "of=ferry"]
    told = ["--model", "mockllm/model", "--display", "plain", "--log-dir", str(logs)]
    ran = subprocess.run(
        [*command, *told], cwd=tmp_path, env=surroundings, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "accuracy" in ran.stdout
    (log,) = logs.glob("*.eval")
    port = free()
    place = ["--host", "127.0.0.1", "--port", str(port), "--log-dir", str(logs)]
    view = subprocess.Popen([sys.executable, "-m", "inspect_ai", "view", *place], cwd=tmp_path, env=surroundings)
    try:
        assert log.name in answered(f"http://127.0.0.1:{port}/api/logs")
    finally:
        view.terminate()
        view.wait(PATIENCE)


def free() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def answered(url: str) -> str:
    """What a server says as soon as it is there."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            with urllib.request.urlopen(url, timeout=PATIENCE) as response:
                return response.read().decode()
        except urllib.error.URLError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
