"""Sources: folders as they are, Git at a commit, and nothing that leaves the tree."""

from __future__ import annotations

from pathlib import Path

import pytest
from git import Actor, Repo

from kb.check import check
from kb.pages.cache import load_pages
from kb.pages.git_source import GitSource
from kb.pages.history import History
from kb.pages.source import SourceError, open_source

AUTHOR = Actor("Ada", "ada@example.org")


def commit(repo: Repo, message: str, **files: str) -> str:
    root = Path(repo.working_dir)
    for name, text in files.items():
        (root / f"{name}.md").write_text(text, encoding="utf-8")
    repo.index.add([f"{name}.md" for name in files])
    return repo.index.commit(message, author=AUTHOR, committer=AUTHOR).hexsha


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    repo = Repo.init(tmp_path / "world", initial_branch="main")
    commit(repo, "one", world="---\nexperience: w\n---\n# One\n")
    return repo


@pytest.mark.requirement("0.23")
def test_a_branch_a_tag_and_a_commit_are_read_from_git_and_not_from_the_folder(repo: Repo) -> None:
    first = repo.head.commit.hexsha
    repo.create_tag("v1")
    commit(repo, "two", world="---\nexperience: w\n---\n# Two\n")
    (Path(repo.working_dir) / "world.md").write_text("half saved", encoding="utf-8")
    titles = {
        at: load_pages(open_source(str(repo.working_dir), at), None)["world.md"].title for at in ("main", "v1", first)
    }
    assert titles == {"main": "Two", "v1": "One", first: "One"}
    assert load_pages(open_source(str(repo.working_dir)), None)["world.md"].text == "half saved"


def test_a_remote_is_cloned_and_moves_when_it_is_pushed_to(repo: Repo, tmp_path: Path) -> None:
    source = open_source(f"file://{repo.working_dir}", cache=tmp_path / "cache")
    assert not source.moved()
    commit(repo, "two", world="---\nexperience: w\n---\n# Two\n")
    assert source.moved()
    assert load_pages(source.again(), None)["world.md"].title == "Two"


@pytest.mark.parametrize("at", ["-x", "--upload-pack=touch", "a..b", "a b", "", "x\ny", "@{-1}", "nowhere"])
def test_a_revision_that_is_none_is_refused_with_what_to_do(repo: Repo, at: str) -> None:
    with pytest.raises(SourceError) as error:
        open_source(str(repo.working_dir), at)
    assert error.value.hint


@pytest.mark.parametrize("location", ["ext::sh -c touch% pwned", "no/such/folder", "ftp://example.org/x", __file__])
def test_a_location_that_is_none_is_refused(location: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError):
        open_source(location, cache=tmp_path)


def test_links_are_never_followed(repo: Repo, tmp_path: Path) -> None:
    secret = tmp_path / "secret.md"
    secret.write_text("# Secret\n", encoding="utf-8")
    (Path(repo.working_dir) / "link.md").symlink_to(secret)
    repo.index.add(["link.md"])
    repo.index.commit("link", author=AUTHOR, committer=AUTHOR)
    for at in (None, "main"):
        source = open_source(str(repo.working_dir), at)
        assert "link.md" not in source.files()
        assert [each.code for each in source.problems] == ["RB103"]


def test_a_plain_folder_has_a_commit_of_its_content(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# A\n", encoding="utf-8")
    first = open_source(tmp_path).commit
    assert open_source(tmp_path).commit == first
    (tmp_path / "a.md").write_text("# B\n", encoding="utf-8")
    assert open_source(tmp_path).commit != first


@pytest.mark.requirement("0.24")
def test_a_damaged_cache_costs_time_and_nothing_else(repo: Repo, tmp_path: Path) -> None:
    source = open_source(str(repo.working_dir), "main")
    cache = tmp_path / "cache"
    before = load_pages(source, cache)
    for file in cache.glob("*.sqlite"):
        file.write_bytes(b"not a database" * 100)
    assert load_pages(source, cache) == before
    assert load_pages(source, None) == before


@pytest.mark.requirement("0.01", "0.23")
def test_only_what_an_edit_touches_is_compiled_again(tmp_path: Path) -> None:
    pages = {
        "world.md": "---\nexperience: w\nstart: hall\n---\n# W\n",
        "hall.md": "---\nplace: hall\n---\n# Hall\n",
        "npc.md": "---\nkind: npc\n---\n# N\n## State\n| Field | Type | Start |\n|---|---|---|\n| mood | int | 0 |\n",
        "otto.md": "---\nnpc: otto\nin: hall\n---\n# Otto\n",
        "wave.md": '---\nrule: wave\non: wave\n---\n# Wave\n## When\n- calm: `otto.mood < 3`\n## Then\n- say "Hello."\n',
    }
    for name, text in pages.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    source = open_source(tmp_path)
    first = check(source)
    assert first.problems == ()
    (tmp_path / "hall.md").write_text("---\nplace: hall\n---\n# The long hall\n", encoding="utf-8")
    second = check(source.again(), before=first)
    kept = {key[0] for key, unit in second.compiled["w"].units.items() if unit is first.compiled["w"].units.get(key)}
    assert "wave.md" in kept
    assert "hall.md" not in kept
    (tmp_path / "npc.md").write_text(pages["npc.md"].replace("mood", "temper"), encoding="utf-8")
    third = check(source.again(), before=second)
    assert [f"{each.span.path}:{each.span.line} {each.code}" for each in third.errors] == ["wave.md:7 RB203"]
    assert "w" not in third.rulebooks


def test_the_content_of_a_folder_is_found_in_its_history(tmp_path: Path) -> None:
    repo, root = Repo.init(tmp_path / "all", initial_branch="main"), tmp_path / "all" / "worlds" / "one"
    (root / "a").mkdir(parents=True)
    (root / ".hidden.md").write_text("# Hidden\n")
    contents: dict[str, str] = {}
    for number, name in enumerate(("a-b", "a/b", "c")):
        (root / f"{name}.md").write_text(f"# {number}\n")
        repo.git.add(".")
        done = repo.index.commit("x", author=AUTHOR, committer=AUTHOR).hexsha
        contents[open_source(root).commit] = done
    repo.git.checkout("-q", "--detach", "HEAD~2")
    source = open_source(root, "HEAD")
    assert isinstance(source, GitSource)
    history = History(source)
    assert {content: history.commit_of(content) for content in contents} == contents
    (root / "c.md").write_text("# never committed\n")
    assert history.commit_of(open_source(root).commit) is None
    repo.close()


def test_a_large_folder_is_read_from_disk_and_never_mixes_two_moments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("kb.pages.source.MAX_HELD", 4)
    (tmp_path / "a.md").write_text("# One\n", encoding="utf-8")
    source = open_source(tmp_path)
    blob = source.files()["a.md"]
    assert source.read(blob) == b"# One\n"
    (tmp_path / "a.md").write_text("# Two\n", encoding="utf-8")
    with pytest.raises(SourceError, match="changed while"):
        source.read(blob)
    again = source.again()
    assert again.read(again.files()["a.md"]) == b"# Two\n"


def test_a_large_knowledge_base_is_checked_without_holding_its_lore(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    files = {
        "w.md": "---\nexperience: w\nstart: hall\n---\n# W\n",
        "hall.md": "---\nplace: hall\n---\n# Hall\n\nA hall.\n",
        "ship.md": "---\nkind: ship\nis: item\n---\n# Ship\n",
        "cog.md": "---\nship: cog\n---\n# Cog\n\nA small ship.\n",
        "lore.md": "---\ntitle: Lore\n---\n# Lore\n\nIt was long ago; see [[hall]] and [[nowhere]].\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    whole = check(open_source(tmp_path))
    monkeypatch.setattr("kb.pages.cache.LARGE", 2)
    large = check(open_source(tmp_path), cache=tmp_path / "cache")
    warm = check(open_source(tmp_path), cache=tmp_path / "cache")
    assert large.problems == warm.problems == whole.problems
    assert [each.code for each in large.problems] == ["RB111"]
    assert large.pages == warm.pages
    assert (large.pages["lore.md"].text, large.pages["cog.md"]) == ("", whole.pages["cog.md"])
    assert {path: page.front for path, page in large.pages.items()} == {
        path: page.front for path, page in whole.pages.items()
    }
