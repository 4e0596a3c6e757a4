"""Patches of pages by many processes at once, through the knowledge service with its checks, one of the processes killed with
SIGKILL on the way. Every patch that was acknowledged must be a commit and stand in its page once; every conflict must be told.
The floor is a bare `git commit` of the same pages, one after the other, in the same run."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agents.access import LOCAL
from agents.knowledge import KnowledgeService, MemorySpaces
from benchmarks.measure import percentiles, row
from kb.pages.landing import land, locked
from kb.pages.repository import Repository
from kb.pages.writing import Conflict, Edit, put

REQUIREMENTS = ("0.20", "0.42")
CLIENTS, PATCHES = 8, 1_000
FLOOR = 50
PAGES: dict[str, str | None] = {
    "world.md": "---\nexperience: tiny\nuses: [adventure]\nstart: hall\n---\n# Tiny\nSmall.\n",
    "hall.md": "---\nplace: hall\n---\n# Hall\nA hall.\n",
    "shared.md": "# Shared\nend\n",
    **{f"own-{number}.md": f"# Own {number}\nend\n" for number in range(CLIENTS)},
}


def prepare(folder: Path) -> Path:
    """A knowledge base with a page that all write to, and one for each client."""
    repository = Repository.create(folder / "tiny.git")
    land(repository, "main", None, put(repository, None, PAGES, "bench", ""))
    return folder / "tiny.git"


async def _client(folder: Path, number: int, patches: int) -> None:
    """Patches its own page, and each eighth time the one that all share; says on standard output what became of each."""
    service = KnowledgeService(MemorySpaces(), {"tiny": str(folder)}, home=folder.parent, cache=folder.parent / "cache")
    await service.analyse(LOCAL, "tiny")
    _say("ready")
    await asyncio.to_thread(sys.stdin.readline)
    for patch in range(patches):
        page = "shared.md" if patch % 8 == 0 else f"own-{number}.md"
        start = time.perf_counter()
        while True:
            read = await service.read(LOCAL, "tiny", page, branch="main")
            at = f"{number}.{patch}"
            try:
                done = await service.patch(LOCAL, "tiny", page, read.etag, edits=[Edit("\nend\n", f"\nend\n{at}\n")])
            except Conflict:
                _say("conflict", at)
                continue
            _say("done", at, page, done.commit, f"{time.perf_counter() - start:.6f}")
            break


def _say(*words: str) -> None:
    print(*words, flush=True)


@dataclass
class Ran:
    """What the clients were told: (page, mark, commit, seconds) of each patch that was acknowledged, and how many conflicts."""

    done: list[tuple[str, str, str, float]] = field(default_factory=list[tuple[str, str, str, float]])
    conflicts: int = 0
    seconds: float = 0.0

    def lost(self, folder: Path) -> list[str]:
        """Marks of acknowledged patches whose commit is not on the branch, or that do not stand in their page once."""
        repository = Repository(folder)
        head = repository.head("main") or ""
        commits = set(_git(folder, "rev-list", "main").split())
        texts = {page: repository.content(repository.etag(head, page) or "").decode().split("\n") for page in PAGES}
        return [at for page, at, commit, _ in self.done if commit not in commits or texts[page].count(at) != 1]


def run(folder: Path, clients: int, patches: int, kill_after: int) -> Ran:
    """Runs clients in processes of their own; the last one is killed once it was told of so many patches."""
    command = [sys.executable, "-m", "benchmarks.writes", str(folder), str(patches)]
    processes = [
        subprocess.Popen([*command, str(number)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for number in range(clients)
    ]
    ran = Ran()
    try:
        for process in processes:
            assert process.stdout is not None
            process.stdout.readline()
        start = time.perf_counter()
        for process in processes:
            assert process.stdin is not None
            process.stdin.close()
        _kill(processes[-1], kill_after, ran)
        for process in processes:
            assert process.stdout is not None
            for line in process.stdout:
                _heard(line, ran)
            if process.wait() not in (0, -9):
                raise RuntimeError(f"a client failed with {process.returncode}")
        ran.seconds = time.perf_counter() - start
    finally:
        for process in processes:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()
    return ran


def _kill(process: subprocess.Popen[str], after: int, ran: Ran) -> None:
    assert process.stdout is not None
    before = len(ran.done)
    for line in process.stdout:
        _heard(line, ran)
        if len(ran.done) - before >= after:
            process.kill()
            return


def _heard(line: str, ran: Ran) -> None:
    match line.split():
        case ["done", at, page, commit, seconds] if line.endswith("\n"):
            ran.done.append((page, at, commit, float(seconds)))
        case ["conflict", _]:
            ran.conflicts += 1
        case _:
            pass  # the last line of who was killed


def _git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True).stdout


def _floor(folder: Path) -> float:
    """Seconds of a bare `git commit` of one page."""
    _git(folder.parent, "clone", "-q", str(folder), "floor")
    work = folder.parent / "floor"
    start = time.perf_counter()
    for number in range(FLOOR):
        (work / "shared.md").write_text(f"# Shared\n{number}\n")
        _git(work, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-a", "-m", "page")
    return (time.perf_counter() - start) / FLOOR


def _bare(folder: Path) -> float:
    """Seconds of a commit by objects, as the service makes it, without its check."""
    repository = Repository(folder)
    start = time.perf_counter()
    for number in range(FLOOR):
        with locked(repository, "main"):
            head = repository.head("main")
            land(repository, "main", head, put(repository, head, {"hall.md": f"# Hall\n{number}\n"}, "bench", ""))
    return (time.perf_counter() - start) / FLOOR


def main(arguments: Sequence[str]) -> None:
    """`python tasks.py bench writes`; with a folder, a number of patches and a client's number it is that client."""
    if len(arguments) == 3:
        asyncio.run(_client(Path(arguments[0]), int(arguments[2]), int(arguments[1])))
        return
    patches = int(arguments[0]) if arguments else PATCHES
    with tempfile.TemporaryDirectory() as place:
        folder = prepare(Path(place))
        floor = _floor(folder)
        row("floor: a bare `git commit`", f"{floor * 1e3:.1f} ms")
        trial = prepare(Path(place) / "trial")
        own = _bare(trial)
        row("a commit by objects, synced to disk", f"{own * 1e3:.1f} ms", f"{own / floor:.2f} of the floor")
        ran = run(folder, CLIENTS, patches, patches // 2)
        lost = ran.lost(folder)
        rate = len(ran.done) / ran.seconds
        row(
            f"{CLIENTS} clients, checked patches, one client killed",
            f"{rate:,.0f} commits/s",
            f"{rate * floor:.2f} of the floor's; {len(ran.done):,} acknowledged, {ran.conflicts:,} conflicts told",
        )
        p50, p95, p99 = percentiles([each[3] for each in ran.done])
        row("p50, p95, p99, conflicts and all", f"{p50 * 1e3:.0f}, {p95 * 1e3:.0f}, {p99 * 1e3:.0f} ms")
        row("acknowledged and lost", str(len(lost)))
        if lost:
            raise SystemExit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
