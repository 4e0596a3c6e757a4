"""Owns the one-line commands of the README; needs nothing but Python 3.11 and pip.

`python3 tasks.py play [WORLD]`, `test [ARGS]`, `lint`, `types`, `layers`, `evals`, `docs`, `ci`, `bench [NAME]`, `coverage [KIND]`, `lock`.
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
    "knowledge_agent", "teams", "memory", "growth", "evals", "gate", "generated",
    "bare", "judge", "local",
)  # fmt: skip

OWN = ("--suite", "play", "--suite", "rules", "--suite", "router")
RESULTS = "eval-results/own"

COVERAGE: dict[str, tuple[int, str, tuple[str, ...]]] = {
    "unit": (80, "kb/*", ("kb", "referee", "understand", "worlds")),
    "integration": (
        70,
        "agents/*,router/*,storage/*",
        ("agents", "judging", "knowledge", "knowledge_agent", "models", "npcs", "router", "storage", "teams"),
    ),
    "e2e": (60, "mcp_server/*,rulebound/*", ("attack", "cli", "clients", "mcp", "services", "web")),
}
"""By kind of test: the least percentage of lines and branches, of which files, and the folders of `tests` that must reach it."""


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
        # The worlds, rules and router of this tree against what was solved when evals/baseline.json was written.
        "evals": [
            (BIN / "rulebound", "eval", "run", *OWN, "--solver", "rules", "--solver", "system", "--out", RESULTS),
            (BIN / "rulebound", "eval", "gate", RESULTS),
        ],
        "docs": [
            (PYTHON, "docs/tools/requirements.py", "--check"),
            (PYTHON, "docs/tools/reference.py", "--check"),
        ],
    }


def cover(kind: str) -> int:
    """Runs the tests of a kind and shows what of their packages they cover, child processes included; 1 where it is too little."""
    least, files, folders = COVERAGE[kind]
    coverage = (PYTHON, "-m", "coverage")
    run(*coverage, "erase")
    status = run(*coverage, "run", "-m", "pytest", "-q", *(f"tests/{folder}" for folder in folders))
    run(*coverage, "combine", "--quiet")
    print(f"{kind}: {files}, at least {least} %", flush=True)
    report = (*coverage, "report", f"--include={files}", "--skip-covered", f"--fail-under={least}")
    return run(*report) or status


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
    if task == "coverage":
        prepare("requirements-dev.txt")
        return max(cover(kind) for kind in arguments or COVERAGE)
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
