"""Owns the one-line commands of the README; needs nothing but Python 3.11 and pip.

`python3 tasks.py play [WORLD]`, `test [ARGS]`, `lint`, `types`, `layers`, `docs`, `ci`, `bench [NAME]`, `lock`.
It makes `.venv` beside itself from the pinned requirements, once for each change of them.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")

BENCHMARKS = (
    "expressions", "turns", "checking", "shared", "services", "hot", "storage", "progress", "contention", "replay",
    "chaos", "soak", "search", "access", "live", "writes", "mcp", "mcp.patches", "models", "router", "paraphrases", "attacks",
    "knowledge_agent", "teams", "memory", "local",
)  # fmt: skip


def run(*command: str | Path) -> int:
    """The exit status of a command run in the repository with the environment's programs first."""
    env = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}", "VIRTUAL_ENV": str(VENV)}
    return subprocess.run([str(part) for part in command], cwd=ROOT, env=env, check=False).returncode


def prepare(requirements: str) -> None:
    """Makes the environment hold exactly the pinned packages and this checkout."""
    wanted = hashlib.sha256((ROOT / requirements).read_bytes() + (ROOT / "pyproject.toml").read_bytes()).hexdigest()
    stamp = VENV / f"installed-{requirements}"
    if PYTHON.exists() and stamp.exists() and stamp.read_text() == wanted:
        return
    if not PYTHON.exists():
        print("Making .venv …", flush=True)
        venv.create(VENV, with_pip=True)
    print(f"Installing what {requirements} pins …", flush=True)
    pip = (PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    for arguments in (("--require-hashes", "-r", requirements), ("--no-deps", "--editable", ".")):
        if status := run(*pip, *arguments):
            sys.exit(status)
    stamp.write_text(wanted)


def checks() -> dict[str, list[tuple[str | Path, ...]]]:
    """Each named task's commands."""
    return {
        # Each file in one process: what a module shares is made once.
        "test": [(PYTHON, "-m", "pytest", "-n", "2", "--dist", "loadfile")],
        "lint": [("ruff", "check", "."), ("ruff", "format", "--check", ".")],
        "types": [("pyright",)],
        "layers": [("lint-imports", "--no-cache")],
        "docs": [
            (PYTHON, "docs/tools/requirements.py", "--check"),
            (PYTHON, "docs/tools/reference.py", "--check"),
        ],
    }


def main() -> int:
    """Runs the task that the first argument names; returns its exit status."""
    task, *arguments = sys.argv[1:] or ["help"]
    tasks = checks()
    if task == "play":
        prepare("requirements.txt")
        return run(BIN / "rulebound", "play", *(arguments or ["cloak"]))
    if task == "lock":
        for name, extra in (("requirements.txt", ()), ("requirements-dev.txt", ("--group", "dev"))):
            command = (
                "uv",
                "pip",
                "compile",
                "--quiet",
                "--universal",
                "--generate-hashes",
                "--no-emit-index-url",
            )
            if status := run(*command, "--python-version", "3.11", "pyproject.toml", *extra, "-o", name):
                return status
        return 0
    if task == "bench":
        prepare("requirements-dev.txt")
        numbers = [word for word in arguments if word.isdecimal()]
        names = [word for word in arguments if not word.isdecimal()] or BENCHMARKS
        return max(run(PYTHON, "-m", f"benchmarks.{name}", *numbers) for name in names)
    if task in tasks or task == "ci":
        prepare("requirements-dev.txt")
        chosen = list(tasks) if task == "ci" else [task]
        status = 0
        for name in chosen:
            for command in tasks[name]:
                extra = arguments if task != "ci" else []
                print(f"$ {' '.join(str(part).removeprefix(f'{BIN}{os.sep}') for part in command)}", flush=True)
                status = run(*command, *extra) or status
        return status
    print(__doc__)
    return 0 if task == "help" else 2


if __name__ == "__main__":
    sys.exit(main())
