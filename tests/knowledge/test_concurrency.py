"""Many processes that write to one knowledge base, one of them killed."""

import subprocess
from pathlib import Path

import pytest

from benchmarks.writes import prepare, run
from kb.pages.landing import land, locked
from kb.pages.repository import Repository
from kb.pages.writing import put


@pytest.mark.requirement("0.20", "0.42")
def test_what_eight_processes_were_told_is_written_is_a_commit_although_one_is_killed(tmp_path: Path) -> None:
    folder = prepare(tmp_path)
    ran = run(folder, clients=8, patches=40, kill_after=15)
    assert 7 * 40 + 15 <= len(ran.done) < 8 * 40
    assert ran.lost(folder) == []
    assert ran.conflicts > 0
    subprocess.run(["git", "-C", str(folder), "fsck", "--strict", "--no-dangling"], check=True, capture_output=True)
    repository = Repository(folder)
    with locked(repository, "main"):
        head = repository.head("main")
        land(repository, "main", head, put(repository, head, {"after.md": "# After\n"}, "ann", ""))
    assert list(folder.rglob("refs/**/*.lock")) == []
