"""Commits by objects: what is put, edited, merged and taken back, and what stands in the way."""

import fcntl
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kb.pages import landing
from kb.pages.landing import drop, land, locked
from kb.pages.names import WriteError, draft_name, page_path
from kb.pages.repository import Repository
from kb.pages.writing import Conflict, Edit, edited, merge, put, revert


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def bare(tmp_path: Path) -> Repository:
    return Repository.create(tmp_path / "pages.git")


@pytest.fixture
def checkout(tmp_path: Path) -> Repository:
    folder = tmp_path / "work"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    (folder / "lamp.md").write_text("# Lamp\n")
    (folder / "logo.png").write_bytes(b"\x89PNG")
    git(folder, "add", ".")
    git(folder, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", "first")
    return Repository.of(folder)


def write(repository: Repository, changes: dict[str, str | None], branch: str = "main", author: str = "ann") -> str:
    """Puts pages and lands them, as a service does."""
    with locked(repository, branch):
        head = repository.head(branch)
        new = put(repository, head, changes, author, "")
        land(repository, branch, head, new)
    return new


def text(repository: Repository, path: str, branch: str = "main") -> str | None:
    etag = repository.etag(repository.head(branch), path)
    return None if etag is None else repository.content(etag).decode()


def test_a_page_that_is_put_is_a_commit_that_git_finds_whole(bare: Repository) -> None:
    write(bare, {"rooms/cellar.md": "# Cellar\n", "lamp.md": "# Lamp\n"})
    write(bare, {"rooms/cellar.md": "# Cellar\nDark.\n"}, author="Bo <b@c>\n")
    assert text(bare, "rooms/cellar.md") == "# Cellar\nDark.\n"
    assert git(bare.folder, "fsck", "--strict", "--no-dangling") == ""
    assert git(bare.folder, "log", "--format=%an|%cn|%s", "main").splitlines() == [
        "Bo b@c|Rulebound|Change rooms/cellar.md",
        "ann|Rulebound|Change lamp.md, rooms/cellar.md",
    ]


def test_a_deleted_page_takes_its_empty_folder_along_and_leaves_the_others(bare: Repository) -> None:
    write(bare, {"rooms/cellar.md": "# Cellar\n", "lamp.md": "# Lamp\n"})
    write(bare, {"rooms/cellar.md": None})
    assert git(bare.folder, "ls-tree", "-r", "--name-only", "main") == "lamp.md"


@pytest.mark.parametrize(
    "path",
    [
        "../x.md", "/etc/x.md", "a/../x.md", ".git/x.md", "a/.git/x.md", "a//x.md", "a\\x.md", "C:x.md", "x.md\0.md",
        "x.exe", "", "con.md", "a/nul.txt.md", "a\u200bb.md", "e\u0301.md", "git~1/x.md", "-x.md", " x.md", "x .md/y.md ",
        "a./x.md", "\ud800.md", "x" * 300 + ".md", "*.md", "x\n.md",
    ],
)  # fmt: skip
def test_a_path_that_leaves_the_tree_or_that_some_system_cannot_hold_is_refused(bare: Repository, path: str) -> None:
    with pytest.raises(WriteError) as refused:
        put(bare, None, {path: "# X\n"}, "ann", "")
    assert refused.value.hint


@given(st.text(max_size=40))
def test_what_passes_as_a_path_is_a_plain_path_below_the_root(name: str) -> None:
    try:
        path = page_path(f"{name}.md")
    except WriteError:
        return
    assert os.path.normpath(path) == path
    assert not path.startswith(("/", "-", "."))
    assert path.encode().decode() == path


@pytest.mark.parametrize("name", ["a..b", "x.lock", "a/b", "-x", "A", "@{", "", "a" * 61, "ä"])
def test_a_draft_has_a_plain_name(name: str) -> None:
    with pytest.raises(WriteError):
        draft_name(name)


@pytest.mark.parametrize("path", ["Lamp.md", "LAMP.MD", "lamp.md/x.md", "link/x.md", "link.md"])
def test_a_path_over_another_entry_is_refused(tmp_path: Path, path: str) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    (folder / "lamp.md").write_text("# Lamp\n")
    (folder / "link").symlink_to("/etc")
    (folder / "link.md").symlink_to("/etc/passwd")
    git(folder, "add", ".")
    git(folder, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", "first")
    repository = Repository.of(folder)
    with pytest.raises(WriteError):
        put(repository, repository.head("main"), {path: "# X\n"}, "ann", "")


@pytest.mark.parametrize("bad", ["a\0b", "\ud800", "x" * (512 * 1024 + 1)])
def test_a_text_that_is_no_page_is_refused(bare: Repository, bad: str) -> None:
    with pytest.raises(WriteError):
        put(bare, None, {"x.md": bad}, "ann", "")


def test_an_edit_must_find_its_text_exactly_once() -> None:
    page = b"one\r\ntwo\r\ntwo\r\n"
    assert edited("x.md", page, [Edit("one\ntwo", "1")]) == "1\r\ntwo\r\n"
    with pytest.raises(WriteError, match=r"stands 2 times in x\.md, not once, around lines 2, 3"):
        edited("x.md", page, [Edit("two", "2")])
    with pytest.raises(WriteError, match="Edit 2: the text to find stands 0 times"):
        edited("x.md", page, [Edit("one", "1"), Edit("one", "1")])


def test_a_draft_that_is_ahead_is_published_as_it_is_and_one_beside_it_is_merged(bare: Repository) -> None:
    first = write(bare, {"a.md": "1\n2\n3\n4\n5\n", "b.md": "b\n"})
    land(bare, "draft/ann/x", None, first)
    ahead = write(bare, {"a.md": "one\n2\n3\n4\n5\n"}, "draft/ann/x")
    assert merge(bare, first, ahead, "bo", "") == ahead
    live = write(bare, {"a.md": "1\n2\n3\n4\nfive\n"})
    merged = merge(bare, live, ahead, "bo", "both")
    land(bare, "main", live, merged)
    assert text(bare, "a.md") == "one\n2\n3\n4\nfive\n"
    assert git(bare.folder, "log", "-1", "--format=%P", "main").split() == [live, ahead]


def test_a_clash_between_draft_and_live_is_told_by_page_and_line(bare: Repository) -> None:
    first = write(bare, {"a.md": "1\n2\n3\n", "gone.md": "x\n"})
    land(bare, "draft/ann/x", None, first)
    write(bare, {"a.md": "1\ntwo\n3\n", "gone.md": "y\n"}, "draft/ann/x")
    write(bare, {"a.md": "1\nzwei\n3\n", "gone.md": None})
    with pytest.raises(Conflict) as clash:
        merge(bare, str(bare.head("main")), str(bare.head("draft/ann/x")), "bo", "")
    assert sorted(clash.value.places) == ["a.md:2", "gone.md:1"]


def test_a_commit_is_taken_back_unless_later_ones_build_on_it(bare: Repository) -> None:
    write(bare, {"a.md": "1\n"})
    second = write(bare, {"a.md": "2\n"})
    third = write(bare, {"b.md": "b\n"})
    land(bare, "main", third, revert(bare, third, second, "bo", ""))
    assert text(bare, "a.md") == "1\n"
    assert text(bare, "b.md") == "b\n"
    with pytest.raises(WriteError, match="taken back already"):
        revert(bare, str(bare.head("main")), second, "bo", "")
    write(bare, {"b.md": "c\n"})
    with pytest.raises(Conflict):
        revert(bare, str(bare.head("main")), third, "bo", "")


def test_the_history_of_a_page_names_only_the_commits_that_changed_it(bare: Repository) -> None:
    first, other = write(bare, {"a.md": "1\n"}), write(bare, {"b.md": "b\n"})
    last = write(bare, {"a.md": None})
    found = list(bare.history(last, "a.md"))
    assert [(each.commit, each.etag is None) for each in found] == [(last, True), (first, False)]
    assert bare.commit_named(other[:8], last) == other
    for foreign in ("--all", "HEAD~1", "main", "0" * 40, first[:6]):
        assert bare.commit_named(foreign, last) is None


def test_who_lands_on_a_branch_that_moved_is_told(bare: Repository) -> None:
    first = write(bare, {"a.md": "1\n"})
    new = put(bare, first, {"b.md": "b\n"}, "ann", "")
    second = write(bare, {"c.md": "c\n"})
    with pytest.raises(Conflict, match="moved"):
        land(bare, "main", first, new)
    assert not drop(bare, "main", first)
    assert bare.head("main") == second


# --- Checkouts ------------------------------------------------------------------------------------


def test_the_working_file_of_the_live_branch_is_written_too(checkout: Repository) -> None:
    write(checkout, {"lamp.md": "# Lamp\nOld.\n", "rooms/hall.md": "# Hall\n"})
    folder = checkout.checkout
    assert folder is not None
    assert (folder / "lamp.md").read_text() == "# Lamp\nOld.\n"
    assert git(folder, "status", "--porcelain") == ""
    write(checkout, {"rooms/hall.md": None})
    assert not (folder / "rooms").exists()
    assert git(folder, "status", "--porcelain") == ""


@pytest.mark.parametrize("staged", [False, True])
def test_unsaved_work_in_the_working_folder_is_never_written_over(checkout: Repository, staged: bool) -> None:
    folder = checkout.checkout
    assert folder is not None
    (folder / "lamp.md").write_text("# Lamp\nMy own words.\n")
    if staged:
        git(folder, "add", "lamp.md")
    head = checkout.head("main")
    with pytest.raises(Conflict, match="not committed"):
        write(checkout, {"lamp.md": "# Lamp\nTheirs.\n"})
    assert (checkout.head("main"), (folder / "lamp.md").read_text()) == (head, "# Lamp\nMy own words.\n")
    write(checkout, {"other.md": "# Other\n"})
    write(checkout, {"lamp.md": "# Lamp\nTheirs.\n"}, "draft")
    assert (folder / "lamp.md").read_text() == "# Lamp\nMy own words.\n"


def test_a_working_folder_that_became_a_link_is_not_followed(checkout: Repository, tmp_path: Path) -> None:
    folder = checkout.checkout
    assert folder is not None
    outside = tmp_path / "outside"
    outside.mkdir()
    (folder / "rooms").symlink_to(outside)
    with pytest.raises(Conflict):
        write(checkout, {"rooms/hall.md": "# Hall\n"})
    assert list(outside.iterdir()) == []


def test_a_folder_inside_a_repository_is_written_in_its_place(checkout: Repository) -> None:
    folder = checkout.checkout
    assert folder is not None
    write(checkout, {"worlds/inn/hall.md": "# Hall\n"})
    inner = Repository.of(folder / "worlds" / "inn")
    write(inner, {"cellar.md": "# Cellar\n"})
    assert sorted(inner.tree(str(inner.head("main"))).files()) == ["cellar.md", "hall.md"]
    assert (folder / "worlds/inn/cellar.md").exists()


# --- Processes that are killed --------------------------------------------------------------------


def _left(repository: Repository, content: str) -> None:
    """What a writer leaves behind that is killed after it said what it is about to do."""
    folder = repository.shared / "rulebound"
    folder.mkdir(exist_ok=True)
    (folder / "references.lock").write_text(content)


def test_the_lock_of_a_killed_writer_is_removed_by_the_next(bare: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landing, "FOREIGN", 0.05)
    head = write(bare, {"a.md": "1\n"})
    lock = bare.folder / "refs/heads/main.lock"
    lock.touch()
    _left(bare, f'{{"branch": "main", "old": "{head}", "new": "{head}"}}')
    write(bare, {"a.md": "2\n"})
    assert not lock.exists()


def test_a_lock_that_git_itself_holds_is_left_and_named(bare: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landing, "FOREIGN", 0.05)
    write(bare, {"a.md": "1\n"})
    lock = bare.folder / "refs/heads/main.lock"
    lock.touch()
    with pytest.raises(Conflict, match=r"Git holds main\.lock") as told:
        write(bare, {"a.md": "2\n"})
    assert str(lock) in told.value.hint
    assert lock.exists()
    lock.unlink()
    write(bare, {"a.md": "2\n"})


@pytest.mark.parametrize("content", ["", "{", "[]", '{"branch": "main"'])
def test_a_writer_that_was_killed_before_it_began_leaves_nothing_to_mend(bare: Repository, content: str) -> None:
    _left(bare, content)
    write(bare, {"a.md": "1\n"})
    assert text(bare, "a.md") == "1\n"


def test_the_working_files_of_a_killed_writer_are_brought_up_by_the_next(checkout: Repository) -> None:
    folder = checkout.checkout
    assert folder is not None
    old = checkout.head("main")
    new = put(checkout, old, {"lamp.md": "# Lamp\nNew.\n"}, "ann", "")
    checkout.git.references["refs/heads/main"].set_target(new)
    _left(checkout, f'{{"branch": "main", "old": "{old}", "new": "{new}"}}')
    write(checkout, {"other.md": "# Other\n"})
    assert (folder / "lamp.md").read_text() == "# Lamp\nNew.\n"
    assert git(folder, "status", "--porcelain") == ""


def test_who_waits_too_long_for_the_others_is_told(bare: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landing, "WAIT", 0.05)
    write(bare, {"a.md": "1\n"})
    with (bare.shared / "rulebound" / "references.lock").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(Conflict, match="Others are still writing"):
            write(bare, {"a.md": "2\n"})


def test_threads_that_write_to_one_page_lose_no_write(bare: Repository) -> None:
    write(bare, {"a.md": ""})

    def add(name: int) -> None:
        for number in range(10):
            with locked(bare, "main"):
                head = bare.head("main")
                new = put(bare, head, {"a.md": f"{text(bare, 'a.md')}{name}.{number}\n"}, "ann", "")
                land(bare, "main", head, new)

    threads = [threading.Thread(target=add, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len((text(bare, "a.md") or "").splitlines()) == 40


_KILLED = """
import os, signal, sys
from pathlib import Path
import pygit2
from kb.pages import landing
from kb.pages.repository import Repository
from kb.pages.writing import put
folder, step = sys.argv[1:]
def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)
def lock_and_die(repository, *_, **__):
    (repository.shared / "refs/heads/main.lock").touch()
    (repository.shared / "index.lock").touch()
    die()
if step == "said":
    landing._foreign = die
elif step == "locked":
    landing._foreign = lock_and_die
elif step == "moved":
    landing._take_along = die
elif step == "half the files":
    pygit2.Index.write = die
repository = Repository.of(Path(folder))
with landing.locked(repository, "main"):
    head = repository.head("main")
    new = put(repository, head, {"lamp.md": "# Lamp\\nNew.\\n", "bell.md": "# Bell\\n"}, "ann", "")
    if step == "made":
        die()
    landing.land(repository, "main", head, new)
"""


@pytest.mark.parametrize("step", ["made", "said", "locked", "moved", "half the files"])
def test_a_writer_that_is_killed_at_any_step_leaves_a_commit_or_nothing_and_holds_up_nobody(
    checkout: Repository, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    monkeypatch.setattr(landing, "FOREIGN", 0.05)
    folder = checkout.checkout
    assert folder is not None
    killed = subprocess.run([sys.executable, "-c", _KILLED, str(folder), step], capture_output=True, text=True)
    assert killed.returncode == -9, killed.stderr
    landed = step in ("moved", "half the files")
    assert (text(checkout, "bell.md") is not None) is landed
    write(checkout, {"other.md": "# Other\n"})
    assert (folder / "bell.md").exists() is landed
    assert (folder / "lamp.md").read_text() == ("# Lamp\nNew.\n" if landed else "# Lamp\n")
    assert git(folder, "status", "--porcelain") == ""
    assert git(folder, "fsck", "--strict", "--no-dangling") == ""
