"""Whoever follows "Evaluate your own knowledge base in ten minutes" line by line sees what it shows."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_STEP = re.compile(r"^`([\w./-]+)`\n\n```\w+\n(.*?)^```\n|^```console\n\$ (.*?)\n(.*?)^```\n", re.MULTILINE | re.DOTALL)


@pytest.mark.skipif(sys.platform == "win32", reason="the page's commands are a Unix shell's")
def test_whoever_follows_the_page_line_by_line_sees_what_it_shows(tmp_path: Path) -> None:
    text = (ROOT / "docs/evaluators/ten-minutes.md").read_text("utf-8")
    program = f"{shlex.quote(sys.executable)} -m rulebound "
    env = {**os.environ, "RULEBOUND_HOME": str(tmp_path / "home")}
    commands: list[str] = []
    for path, content, command, shown in (match.groups() for match in _STEP.finditer(text)):
        if path:
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(content, encoding="utf-8")
            continue
        commands.append(command)
        real = program + command.removeprefix("rulebound ") if command.startswith("rulebound ") else command
        done = subprocess.run(
            real, shell=True, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.stdout == shown, f"{command}\n{done.stderr}"
        assert done.returncode == ("worse than the baseline" in shown), f"{command}\n{done.stderr}"
    assert [each.split()[:3] for each in commands if each.startswith("rulebound")] == [
        ["rulebound", "eval", verb] for verb in ("run", "record", "run", "gate", "run", "gate")
    ]
    assert (tmp_path / "eval-results/parcels/report.html").stat().st_size > 10_000
