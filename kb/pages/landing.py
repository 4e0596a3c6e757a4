"""Owns how a commit gets onto a branch: one writer at a time, compare-and-set, the working files taken along.

`with locked(repository, branch): … land(repository, branch, old, new)`. A process that is killed at any point loses nothing
that was acknowledged and leaves nothing that others must wait for. It must not know what pages mean.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pygit2

from kb.pages.names import WriteError
from kb.pages.repository import Delta, Repository
from kb.pages.writing import Conflict

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

WAIT = 30.0
"""Seconds that a writer waits for those before it."""
PAUSE = 0.002
"""Seconds between two looks: shorter than what lies between two writes of one client, so that it lets others in."""
FOREIGN = 2.0
"""Seconds that a writer waits for a lock of Git's own, of which it cannot know whether its owner lives."""


@contextmanager
def locked(repository: Repository, branch: str) -> Generator[None]:
    """Keeps other writers of a branch out; the kernel lets go where the process dies. Raises `Conflict` after 30 s."""
    name = hashlib.sha256(branch.encode()).hexdigest()[:16]
    with _held(repository, f"branch-{name}.lock"):
        yield


def land(repository: Repository, branch: str, old: str | None, new: str) -> None:
    """Moves a branch from one commit to another, or makes it (`old` None), and the working files where it is checked out.

    Raises `Conflict` where the branch moved meanwhile or a working file holds what is not committed.
    """
    with _references(repository) as held:
        if repository.head(branch) != old:
            raise Conflict("The branch moved meanwhile", "Read the page again, and write it once more.")
        checked_out = repository.checkout is not None and branch == repository.live
        deltas = repository.deltas(old, new) if checked_out else []
        _unsaved(repository, deltas)
        _record(held, {"branch": branch, "old": old, "new": new})
        _foreign(repository, branch)
        git = repository.git
        try:
            if old is None:
                git.references.create(f"refs/heads/{branch}", new)
            else:
                git.references[f"refs/heads/{branch}"].set_target(new)
        except (pygit2.GitError, OSError, ValueError) as error:
            _record(held, None)
            raise Conflict(f"The branch could not be moved: {error}", "Try again.") from None
        _take_along(repository, deltas)
        _record(held, None)


def drop(repository: Repository, branch: str, at: str) -> bool:
    """Deletes a branch if it is still at a commit; whether it was."""
    with _references(repository) as held:
        if repository.head(branch) != at:
            return False
        _record(held, {"branch": branch, "old": at, "new": at})
        _foreign(repository, branch)
        repository.git.references[f"refs/heads/{branch}"].delete()
        _record(held, None)
        return True


# --- Locks ----------------------------------------------------------------------------------------


@contextmanager
def _held(repository: Repository, name: str) -> Generator[int]:
    """The file descriptor of a lock file beside the repository's own files, held alone."""
    folder = repository.shared / "rulebound"
    folder.mkdir(mode=0o700, exist_ok=True)
    held = os.open(folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _wait(held)
        yield held
    finally:
        os.close(held)


def _wait(held: int) -> None:
    until = time.monotonic() + WAIT
    while not _taken(held):
        if time.monotonic() > until:
            raise Conflict("Others are still writing to this branch", "Try again in a minute.")
        time.sleep(PAUSE)


def _taken(held: int) -> bool:
    """Whether the lock could be had at once."""
    if sys.platform == "win32":
        try:
            msvcrt.locking(held, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _references(repository: Repository) -> Generator[int]:
    """Holds the right to move references, in a file; what a killed writer left half done is finished first."""
    with _held(repository, "references.lock") as held:
        left = os.pread(held, 4_096, 0)
        if left:
            _finish(repository, left)
            _record(held, None)
        yield held


def _record(held: int, intent: dict[str, str | None] | None) -> None:
    """Keeps what is being done in the lock file, or that it is done."""
    data = b"" if intent is None else json.dumps(intent).encode()
    os.ftruncate(held, len(data))
    os.pwrite(held, data, 0)


def _finish(repository: Repository, left: bytes) -> None:
    """Clears the locks of a killed writer, and takes the working files to where it had moved the branch."""
    try:
        intent = json.loads(left)
        branch, old, new = intent["branch"], intent["old"], intent["new"]
    except (ValueError, KeyError, TypeError):
        return  # killed while it wrote this: nothing had been moved
    _foreign(repository, branch, killed=True)
    if repository.checkout is not None and branch == repository.live and repository.head(branch) == new:
        _take_along(
            repository, [each for each in repository.deltas(old, new) if _unchanged(repository, each, half=True)]
        )


def _foreign(repository: Repository, branch: str, killed: bool = False) -> None:
    """Waits for lock files of Git's own. One that stays is removed where a writer of ours was `killed` holding the right to
    it, for no other of ours can have made it since; else it is Git's, and the user is told."""
    shared = repository.shared
    names = [shared / "refs/heads" / f"{branch}.lock", shared / "packed-refs.lock", shared / "HEAD.lock"]
    if repository.checkout is not None:
        names.append(Path(repository.git.path) / "index.lock")
    until = time.monotonic() + FOREIGN
    while found := [name for name in names if name.exists()]:
        if time.monotonic() < until:
            time.sleep(0.02)
        elif killed:
            for name in found:
                name.unlink(missing_ok=True)
        else:
            what = f"Git holds {found[0].name} since {_age(found[0])} s"
            raise Conflict(what, f"Wait for it; if no git process runs any more, delete {found[0]}.")


def _age(path: Path) -> int:
    try:
        return int(time.time() - path.stat().st_mtime)
    except OSError:
        return 0


# --- Working files --------------------------------------------------------------------------------


def _unsaved(repository: Repository, deltas: Sequence[Delta]) -> None:
    """Raises `Conflict` where a working file that is to change is not as it was committed."""
    for each in deltas:
        if not _unchanged(repository, each):
            hint = "Commit, stash or undo that change first, or write to a draft."
            raise Conflict(f"{each.path} has changes in the working folder that are not committed", hint)


def _unchanged(repository: Repository, delta: Delta, *, half: bool = False) -> bool:
    """Whether the working file, and the index, hold what was committed before; or, of a `half` done change, what was after."""
    path = _file(repository, delta.path)
    if any(parent.is_symlink() for parent in [path, *path.parents][: delta.path.count("/") + 1]):
        return False
    on_disk = str(pygit2.hashfile(str(path))) if path.is_file() else None
    if path.exists() and on_disk is None:
        return False
    index = repository.git.index
    index.read(False)
    staged = str(index[delta.path].id) if delta.path in index else None
    known = (delta.before, delta.after) if half else (delta.before,)
    return on_disk in known and staged in known


def _take_along(repository: Repository, deltas: Sequence[Delta]) -> None:
    """Writes the working files and the index as the new commit has them."""
    if not deltas:
        return
    index = repository.git.index
    index.read(False)
    for each in deltas:
        path = _file(repository, each.path)
        if each.after is None:
            path.unlink(missing_ok=True)
            _prune(path.parent, _file(repository, ""))
            if each.path in index:
                index.remove(each.path)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            new = path.with_name(f".{path.name}.rulebound")
            new.write_bytes(repository.content(each.after))
            entry = _entry(repository, each)
            new.chmod(0o755 if entry.mode & 0o100 else 0o644)
            new.replace(path)
            index.add(entry)
    index.write()


def _entry(repository: Repository, delta: Delta) -> pygit2.IndexEntry:
    head = repository.head(repository.live)
    assert head is not None
    assert delta.after is not None
    return pygit2.IndexEntry(delta.path, pygit2.Oid(hex=delta.after), repository.root(head)[delta.path].filemode)


def _file(repository: Repository, path: str) -> Path:
    if repository.checkout is None:
        raise WriteError("Nothing is checked out here", "Look with `git status`.")
    return repository.checkout / path


def _prune(folder: Path, root: Path) -> None:
    """Removes folders that a deletion left empty, as Git does."""
    while folder != root:
        try:
            folder.rmdir()
        except OSError:
            return
        folder = folder.parent
