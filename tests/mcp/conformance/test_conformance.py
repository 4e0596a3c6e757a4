"""The official conformance suite (`@modelcontextprotocol/conformance`) against the real stack, for both eras of the protocol."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from storage.embedded import Servers

HERE = Path(__file__).parent
SUITE = "node_modules/@modelcontextprotocol/conformance"
RUNNING = 100
"""Seconds that one run of the suite may take."""
SCORED = {"2025-11-25": 30, "2026-07-28": 37}
EXTENSIONS = (
    "sep-2640-skills-directory",
    "sep-2640-skills-enumeration",
    "sep-2640-skills-manifest",
    "tasks-lifecycle",
    "tasks-capability-negotiation",
    "tasks-wire-fields",
    "tasks-request-state-removal",
    "tasks-mrtr-input",
    "tasks-request-headers",
    "tasks-dispatch-and-envelope",
    "tasks-required-task-error",
    "tasks-mrtr-composition",
)
"""Not `tasks-status-notifications`: the suite skips it, whatever a server does, until it listens where such notifications come."""


@dataclass(frozen=True)
class Suite:
    """The suite, installed, and the server that it calls."""

    folder: Path
    node: str
    url: str

    def __call__(self, *options: str) -> str:
        """What it reports, whatever it finds."""
        ran = subprocess.run(
            [self.node, str(self.folder / SUITE / "dist/index.js"), "server", "--url", self.url, *options],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=RUNNING,
            check=False,
        )
        return ran.stdout + ran.stderr

    def required(self, revision: str) -> set[str]:
        """The scenarios that a revision scores servers by, as the suite lists them."""
        text = (self.folder / SUITE / "requirements" / f"{revision}.yaml").read_text()
        (servers,) = re.findall(r"^server:\n((?:  - .+\n|\n)+)", text, re.MULTILINE)
        return set(re.findall(r"^  - (\S+)$", servers, re.MULTILINE))


@pytest.fixture(scope="module")
def suite(
    npm: Callable[[Path], Any], servers: Servers, database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Suite]:
    installed = npm(HERE / "package.json")
    environment = {
        **os.environ,
        "RULEBOUND_HOME": str(tmp_path_factory.mktemp("home")),
        "RULEBOUND_DATABASE_URL": database,
        "RULEBOUND_REDIS_URL": servers.redis_url,
        # What the suite calls of the 2025 era is deprecated; so are the fixtures for it.
        "PYTHONWARNINGS": "ignore",
    }
    with subprocess.Popen([sys.executable, str(HERE / "serve.py")], stdout=subprocess.PIPE, env=environment) as served:
        assert served.stdout is not None
        url = served.stdout.readline().decode().strip()
        assert url, "the server did not start"
        yield Suite(installed.folder, installed.node, url)
        served.terminate()


def counted(report: str) -> dict[str, tuple[int, int]]:
    """How many checks of each scenario passed and failed."""
    found = re.findall(r"^[✓✗] (\S+): (\d+) passed, (\d+) failed", report, re.MULTILINE)
    return {name: (int(passed), int(failed)) for name, passed, failed in found}


@pytest.mark.requirement("0.30")
@pytest.mark.parametrize("revision", sorted(SCORED))
def test_every_scenario_that_a_revision_scores_passes(suite: Suite, revision: str) -> None:
    required = suite.required(revision)
    assert len(required) == SCORED[revision]
    report = suite("--requirements", revision)
    found = counted(report)
    assert {name: found.get(name) for name in required if found.get(name, (0, 1))[1]} == {}, report[-4_000:]
    assert all(found[name][0] for name in required)


@pytest.fixture(scope="module")
def reports(suite: Suite) -> dict[str, str]:
    """What each scenario of an extension reports. They wait more than they work, and are run side by side."""
    with ThreadPoolExecutor(6) as threads:
        return dict(zip(EXTENSIONS, threads.map(lambda name: suite("--scenario", name), EXTENSIONS), strict=True))


@pytest.mark.parametrize("scenario", EXTENSIONS)
def test_the_skills_and_tasks_extensions_pass_their_scenarios(reports: dict[str, str], scenario: str) -> None:
    report = reports[scenario]
    (passed, of, failed, warned) = re.findall(r"Passed: (\d+)/(\d+), (\d+) failed, (\d+) warnings", report)[-1]
    assert (passed, failed, warned) == (of, "0", "0"), report[-4_000:]
    assert int(of) > 1, "a scenario that is skipped reports one check"
