"""The index on disk: made once, brought up to date with what changed alone, never torn, and expendable."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from agents.worlds import Where, World, index_of
from kb.pages.git_source import GitSource
from kb.pages.source import Blob, open_source
from kb.search import SearchIndex
from kb.search.store import KEEP


@dataclass
class Counted(GitSource):
    """A source that notes which files were read."""

    seen: list[str] = field(default_factory=list)

    def read(self, blob: Blob) -> bytes:
        self.seen.append(blob.path)
        return super().read(blob)


def counted(pages) -> Counted:
    return Counted(pages.repo, "main")


def all_of(index: SearchIndex) -> Mapping[str, object]:
    """Everything that an index says of these pages."""
    found = {hit.citation: hit.snippet for word in ("page", "words", "zebra") for hit in index.search(word, 50)}
    names = [f"n{n}" for n in range(40)] + ["n500", "new"]
    return {"hits": found} | {name: (index.resolve(name), index.links(name), index.read(name)) for name in names}


def indexes(cache: Path) -> list[Path]:
    return [path for path in cache.glob("search/*/*-*") if not path.name.startswith("new-")]


@pytest.mark.requirement("0.43")
def test_a_commit_reads_and_indexes_only_the_pages_that_it_changed(pages, tmp_path: Path):
    cache = tmp_path / "cache"
    before = SearchIndex.of(counted(pages), cache=cache)
    pages.commit(
        {"lore/3.md": "---\nnote: n3\n---\n# Zebra\n\n[[n9]]\n", "lore/4.md": None, "new.md": "# New\n\nzebra [[n3]]\n"}
    )
    source = counted(pages)
    after = SearchIndex.of(source, cache=cache, before=before)
    assert sorted(source.seen) == ["lore/3.md", "new.md"]
    assert [hit.path for hit in after.search("zebra")] == ["lore/3.md", "new.md"]
    assert after.links("n3") == (["lore/9.md"], ["new.md"])
    assert (after.resolve("n4"), after.commit) == (None, source.commit)
    assert before.links("n3") == (["lore/2.md"], ["lore/4.md"])
    whole = SearchIndex.of(source, cache=tmp_path / "other")
    assert {k: v for k, v in all_of(after).items() if k != "hits"} == {
        k: v for k, v in all_of(whole).items() if k != "hits"
    }


@pytest.mark.requirement("0.43")
def test_another_process_later_reads_only_what_changed_since(pages, tmp_path: Path):
    cache = tmp_path / "cache"
    SearchIndex.of(counted(pages), cache=cache)
    pages.commit({"lore/3.md": None, "lore/5.md": "# Zebra\n"})
    source = counted(pages)
    index = SearchIndex.of(source, cache=cache)
    assert source.seen == ["lore/5.md"]
    assert [hit.path for hit in index.search("zebra")] == ["lore/5.md"]
    assert index.read("lore/3.md") is None
    again = counted(pages)
    assert all_of(SearchIndex.of(again, cache=cache)) == all_of(index)
    assert again.seen == []


def test_an_index_in_memory_answers_as_one_on_disk(pages, tmp_path: Path):
    source = open_source(pages.folder, "main")
    memory, disk = SearchIndex.of(source), SearchIndex.of(source, cache=tmp_path)
    for name in ("n1", "n30", "lore/7.md", "8"):
        assert (memory.read(name), memory.links(name)) == (disk.read(name), disk.links(name))
    assert [hit.path for hit in memory.search("page 77", 1)] == [hit.path for hit in disk.search("page 77", 1)]


def test_a_folder_and_its_repository_are_indexed_alike(pages, tmp_path: Path):
    folder = SearchIndex.of(open_source(pages.folder), cache=tmp_path)
    git = SearchIndex.of(open_source(pages.folder, "main"), cache=tmp_path)
    assert folder.links("n3") == git.links("n3")
    assert [hit.path for hit in folder.search("page 77", 1)] == [hit.path for hit in git.search("page 77", 1)]


def test_a_small_knowledge_base_leaves_nothing_on_disk(tmp_path: Path):
    (tmp_path / "a.md").write_text("# A\n\nwords\n", encoding="utf-8")
    index = SearchIndex.of(open_source(tmp_path), cache=tmp_path / "cache")
    assert [hit.path for hit in index.search("words")] == ["a.md"]
    assert not (tmp_path / "cache").exists()


def test_libraries_come_and_go_with_the_pages_that_use_them(pages, tmp_path: Path):
    def take(before: SearchIndex | None = None) -> tuple[SearchIndex, bool]:
        index = index_of(open_source(pages.folder, "main"), tmp_path / "cache", before=before)
        return index, index.resolve("shared/adventure/take.md") is not None

    index, found = take()
    assert not found
    pages.commit({"w.md": "---\nexperience: w\nuses: [adventure]\n---\n# W\n"})
    index, found = take(index)
    assert found
    pages.commit({"w.md": "---\nexperience: w\n---\n# W\n"})
    assert not take(index)[1]
    assert not take()[1]


def test_a_damaged_index_is_made_anew(pages, tmp_path: Path):
    source = open_source(pages.folder, "main")
    right = all_of(SearchIndex.of(source, cache=tmp_path))
    for damage in ("truncate", "garbage", "missing", "meta"):
        (path,) = indexes(tmp_path)
        victim = path / "meta.json" if damage == "meta" else max(path.iterdir(), key=lambda file: file.stat().st_size)
        data = victim.read_bytes()
        victim.unlink()  # a file of its own: what is open keeps the former one
        if damage == "truncate":
            victim.write_bytes(data[: len(data) // 2])
        elif damage != "missing":
            victim.write_bytes(bytes(255 - each for each in data))
        assert all_of(SearchIndex.of(source, cache=tmp_path)) == right, damage


def test_a_damaged_former_index_is_not_built_upon(pages, tmp_path: Path):
    before = SearchIndex.of(open_source(pages.folder, "main"), cache=tmp_path)
    (path,) = indexes(tmp_path)
    (path / "meta.json").write_text("{", encoding="utf-8")
    pages.commit({"new.md": "# New\n\nzebra\n"})
    index = SearchIndex.of(open_source(pages.folder, "main"), cache=tmp_path, before=before)
    assert [hit.path for hit in index.search("zebra")] == ["new.md"]
    assert index.resolve("n3") == "lore/3.md"


def test_the_cache_may_be_deleted_at_any_time(pages, tmp_path: Path):
    cache = tmp_path / "cache"
    index = SearchIndex.of(open_source(pages.folder, "main"), cache=cache)
    right = all_of(index)
    shutil.rmtree(cache)
    assert all_of(index) == right
    pages.commit({"new.md": "# New\n\nzebra\n"})
    after = SearchIndex.of(open_source(pages.folder, "main"), cache=cache, before=index)
    assert [hit.path for hit in after.search("zebra")] == ["new.md"]


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(pages, tmp_path: Path):
    (tmp_path / "cache").write_text("a file", encoding="utf-8")
    index = SearchIndex.of(open_source(pages.folder, "main"), cache=tmp_path / "cache")
    assert index.resolve("n3") == "lore/3.md"


def test_only_the_indexes_of_the_last_commits_are_kept(pages, tmp_path: Path):
    index = SearchIndex.of(open_source(pages.folder, "main"), cache=tmp_path)
    for n in range(KEEP + 3):
        pages.commit({"new.md": f"# New\n\nzebra{n}\n"})
        index = SearchIndex.of(open_source(pages.folder, "main"), cache=tmp_path, before=index)
    assert len(indexes(tmp_path)) == KEEP
    assert [hit.path for hit in index.search(f"zebra{KEEP + 2}")] == ["new.md"]


BUILD = """
import sys
from pathlib import Path
from kb.pages.source import open_source
from kb.search import SearchIndex
def tell(done, total):
    print(done, flush=True)
    sys.stdin.readline()
index = SearchIndex.of(open_source(sys.argv[1], "main"), cache=Path(sys.argv[2]), tell=tell)
print(index.links("n3"))
"""


def builder(pages, cache: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", BUILD, str(pages.folder), str(cache)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ)


def test_a_process_killed_while_it_builds_leaves_nothing_that_is_taken_for_an_index(pages, tmp_path: Path):
    with builder(pages, tmp_path) as killed:
        assert killed.stdout is not None
        assert killed.stdout.readline() == "0\n"
        killed.send_signal(signal.SIGKILL)
    assert len(list(tmp_path.glob("search/*/new-*"))) == 1
    index = SearchIndex.of(open_source(pages.folder, "main"), cache=tmp_path)
    assert index.links("n3") == (["lore/2.md"], ["lore/4.md"])
    assert list(tmp_path.glob("search/*/new-*")) == []


def test_processes_that_build_at_once_build_once(pages, tmp_path: Path):
    builders = [builder(pages, tmp_path) for _ in range(3)]
    for each in builders:  # whichever of them builds waits for its line
        assert each.stdin is not None
        each.stdin.write("\n")
        each.stdin.flush()
    told = [each.communicate(timeout=60)[0].splitlines() for each in builders]
    assert {lines[-1] for lines in told} == {"(['lore/2.md'], ['lore/4.md'])"}
    assert sorted(len(lines) for lines in told) == [1, 1, 2]
    assert len(indexes(tmp_path)) == 1


def test_a_source_taken_up_again_is_what_it_is_when_opened(pages):
    """Random commits: pages changed, added, deleted, turned into links and into what is too large."""
    rng = random.Random(3)
    source = open_source(pages.folder, "main")
    for _ in range(12):
        names = [f"lore/{rng.randrange(30)}.md" for _ in range(4)]
        for name in names:
            (pages.folder / name).unlink(missing_ok=True)
        (pages.folder / names[0]).symlink_to("1.md")
        pages.commit(
            {names[1]: f"{rng.random()}\n", "data.csv": "id\n", f"z{rng.random()}/x.md": "# X\n", "x.txt": "x"}
        )
        source, opened = source.again(), open_source(pages.folder, "main")
        assert list(source.files().items()) == list(opened.files().items())
        assert sorted(map(str, source.problems)) == sorted(map(str, opened.problems))
        assert source.commit == opened.commit


def test_a_source_within_a_repository_is_taken_up_again(pages):
    source = open_source(pages.folder / "lore", "main")
    pages.commit({"lore/1.md": "# Zebra\n", "lore/é.md": "# E\n", "other.md": "# Other\n"})
    again = source.again()
    assert list(again.files().items()) == list(open_source(pages.folder / "lore", "main").files().items())
    assert "é.md" in again.files()


def test_a_branch_made_anew_is_taken_up(pages):
    source = open_source(pages.folder, "main")
    pages.repo.git.checkout("--orphan", "other")
    pages.commit({"lore/1.md": "# Zebra\n"})
    pages.repo.git.branch("-f", "main", "other")
    assert list(source.again().files().items()) == list(open_source(pages.folder, "main").files().items())


def test_a_large_world_is_searched_at_the_commit_that_is_live(pages, tmp_path: Path):
    pages.commit(
        {
            "w.md": "---\nexperience: w\nstart: hall\n---\n# W\n",
            "hall.md": "---\nplace: hall\n---\n# Hall\n",
            **{f"lore/{n}.md": f"# Page {n}\n" for n in range(520)},
        }
    )
    world = World.open(Where.of(str(pages.folder), "main"), cache=tmp_path / "cache")
    assert [hit.path for hit in world.index.search("page 77", 1)] == ["lore/77.md"]
    live = world.commit
    pages.commit({"hall.md": "---\nplace: hall\nnonsense: [\n---\n# Zebra\n"})
    world.refresh()
    assert (world.refused is not None, world.index.commit, world.index.search("zebra")) == (True, live, [])
    pages.commit({"hall.md": "---\nplace: hall\n---\n# Zebra\n"})
    world.refresh()
    assert [hit.commit for hit in world.index.search("zebra")] == [world.commit]
    assert world.commit != live
