"""Writing to knowledge bases: drafts, the live branch, checks before anything lands."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from agents.access import LOCAL, Refused
from agents.knowledge import KnowledgeError, KnowledgeService, MemorySpaces, NotThere
from agents.worlds import Where, World
from kb.pages.names import WriteError
from kb.pages.writing import Conflict, Edit

pytestmark = pytest.mark.anyio
LAMP = "---\nitem: lamp\nin: hall\n---\n# Lamp\nBrass.\n"


async def test_who_may_publish_writes_to_the_live_branch_and_the_world_takes_it_up(bench: Any) -> None:
    kb = await bench.make()
    world = World.open(Where(str(bench.home / "knowledge" / "tiny.git"), "main"))
    written = await bench.service.write(bench.ada, kb, "lamp.md", LAMP, message="A lamp")
    assert (written.branch, written.live, written.valid) == ("main", True, True)
    world.refresh()
    assert "lamp" in world.rulebook.templates
    assert (await bench.service.read(bench.eve, kb, "lamp")).etag == written.etag
    assert bench.changed == [kb]
    assert bench.audited == [("ada", "kb.write", kb)]


async def test_a_designer_writes_to_drafts_of_their_own_and_may_not_publish(bench: Any) -> None:
    kb = await bench.make()
    written = await bench.service.write(bench.ann, kb, "lamp.md", LAMP)
    assert (written.branch, written.live) == ("draft/ann/work", False)
    other = await bench.service.write(bench.bo, kb, "lamp.md", LAMP, branch="shine")
    assert other.branch.startswith("draft/bo-example-org-")
    for attempt in (
        bench.service.write(bench.ann, kb, "lamp.md", LAMP, branch="main"),
        bench.service.publish(bench.ann, kb, "work"),
        bench.service.write(bench.eve, kb, "lamp.md", LAMP),
        bench.service.write(bench.gil, kb, "lamp.md", LAMP),
    ):
        with pytest.raises(Refused) as refused:
            await attempt
        assert refused.value.hint
    assert [each[1] for each in bench.audited[2:]] == ["kb.write.refused", "kb.publish.refused"] + [
        "kb.write.refused"
    ] * 2
    with pytest.raises(NotThere):
        await bench.service.read(bench.eve, kb, "lamp")
    assert bench.changed == []


async def test_what_would_break_the_live_branch_is_refused_with_its_lines_and_allowed_on_a_draft(bench: Any) -> None:
    kb = await bench.make()
    bad = "---\nitem: lamp\nin: cellar\n---\n# Lamp\nSee [[nothing-here]].\n"
    with pytest.raises(KnowledgeError) as broken:
        await bench.service.write(bench.ada, kb, "lamp.md", bad)
    assert {(each.span.path, each.span.line, each.code) for each in broken.value.problems} == {
        ("lamp.md", 3, "RB207"),
        ("lamp.md", 6, "RB111"),
    }
    written = await bench.service.write(bench.ada, kb, "lamp.md", bad, branch="try")
    assert (written.valid, len(written.problems)) == (False, 2)
    # What a write before it broke is told again: the draft can be neither played nor published.
    beside = await bench.service.write(bench.ada, kb, "hay.md", "# Hay\nDry.\n", branch="try")
    assert (beside.valid, {each.code for each in beside.problems} >= {"RB207", "RB111"}) == (False, True)
    with pytest.raises(KnowledgeError, match="break the live branch"):
        await bench.service.publish(bench.ada, kb, "try")
    with pytest.raises(NotThere):
        await bench.service.read(LOCAL, kb, "lamp")


async def test_an_error_that_was_there_before_stops_no_other_work(bench: Any, tmp_path: Path) -> None:
    kb = await bench.make("broken", {})
    await bench.service.write(LOCAL, kb, "a.md", "# A\nNotes.\n")
    await bench.service.write(LOCAL, kb, "0.md", "# 0\nNo page names an experience, and that is not news.\n")


@pytest.mark.requirement("0.14")
async def test_a_dry_run_tells_whether_a_page_is_valid_and_which_pages_say_so(bench: Any) -> None:
    kb = await bench.make()
    bad = LAMP.replace("in: hall", "in: hall\nglowing: 3")
    checked = await bench.service.write(bench.ada, kb, "lamp.md", bad, dry_run=True)
    assert not checked.valid
    assert [(each.span.path, each.span.line) for each in checked.problems] == [("lamp.md", 4)]
    assert [cite.partition("@")[0] for cite in checked.cites] == ["shared/adventure/item.md:2", "world.md:2"]
    assert (await bench.service.write(bench.ada, kb, "lamp.md", LAMP, dry_run=True)).valid
    with pytest.raises(NotThere):
        await bench.service.read(bench.ada, kb, "lamp")
    assert (bench.audited, bench.changed) == ([], [])


async def test_a_patch_needs_the_etag_of_what_was_read(bench: Any) -> None:
    kb = await bench.make()
    etag = (await bench.service.read(bench.ada, kb, "coin")).etag
    with pytest.raises(KnowledgeError, match="needs its base"):
        await bench.service.patch(bench.ada, kb, "coin", "", edits=[Edit("Shiny", "Dull")])
    patched = await bench.service.patch(bench.ada, kb, "coin", etag, edits=[Edit("Shiny", "Dull")])
    with pytest.raises(Conflict) as conflict:
        await bench.service.patch(bench.ada, kb, "coin", etag, text="# Mine\n")
    assert conflict.value.etag == patched.etag
    with pytest.raises(WriteError, match="0 times"):
        await bench.service.patch(bench.ada, kb, "coin", patched.etag, edits=[Edit("Shiny", "Dull")])
    with pytest.raises(Conflict, match="exists"):
        await bench.service.write(bench.ada, kb, "coin.md", LAMP)


async def test_a_draft_is_published_beside_what_others_published_and_then_gone(bench: Any) -> None:
    kb = await bench.make()
    await bench.service.write(bench.ann, kb, "lamp.md", LAMP)
    etag = (await bench.service.read(bench.ada, kb, "attic")).etag
    await bench.service.patch(bench.ada, kb, "attic", etag, edits=[Edit("Dust.", "Dust and dark.")])
    (draft,) = await bench.service.drafts(bench.ada, kb)
    assert (draft.branch, draft.ahead, draft.behind) == ("draft/ann/work", 1, 1)
    shown = await bench.service.diff(bench.ada, kb, draft.branch)
    assert "+# Lamp" in shown
    assert "dark" not in shown
    published = await bench.service.publish(bench.ada, kb, draft.branch)
    assert published.paths == ("lamp.md",)
    assert "dark" in (await bench.service.read(bench.eve, kb, "attic")).text
    assert (await bench.service.read(bench.eve, kb, "lamp")).path == "lamp.md"
    assert await bench.service.drafts(bench.ada, kb) == []
    authors = [each.author for each in (await bench.service.history(bench.eve, kb, "lamp")).revisions]
    assert authors == ["ann"]


async def test_drafts_that_clash_are_told_by_page_and_line(bench: Any) -> None:
    kb = await bench.make()
    etag = (await bench.service.read(bench.ada, kb, "attic")).etag
    await bench.service.patch(bench.ann, kb, "attic", etag, edits=[Edit("Dust.", "Cobwebs.")])
    await bench.service.patch(bench.ada, kb, "attic", etag, edits=[Edit("Dust.", "Light.")])
    with pytest.raises(Conflict) as clash:
        await bench.service.publish(bench.ada, kb, "draft/ann/work")
    assert clash.value.places == ("attic.md:6",)


async def test_a_commit_is_rolled_back(bench: Any) -> None:
    kb = await bench.make()
    etag = (await bench.service.read(bench.ada, kb, "coin")).etag
    patched = await bench.service.patch(bench.ada, kb, "coin", etag, edits=[Edit("Shiny", "Dull")])
    await bench.service.write(bench.ada, kb, "lamp.md", LAMP)
    reverted = await bench.service.revert(bench.ada, kb, patched.commit[:10])
    assert reverted.paths == ("coin.md",)
    assert (await bench.service.read(bench.ada, kb, "coin")).etag == etag
    for foreign in ("main", "HEAD", "deadbeef", "--all"):
        with pytest.raises(NotThere):
            await bench.service.revert(bench.ada, kb, foreign)
    with pytest.raises(Refused):
        await bench.service.revert(bench.ann, kb, patched.commit, branch="main")


@pytest.mark.requirement("0.37")
async def test_a_page_that_others_name_is_deleted_only_with_a_word_on_what_becomes_of_them(bench: Any) -> None:
    kb = await bench.make()
    dry = await bench.service.delete(bench.ada, kb, "attic", dry_run=True)
    assert dry.dangling == ("hall.md:3", "lore/dust.md:2")
    assert not dry.valid
    with pytest.raises(KnowledgeError, match=r"hall\.md:3, lore/dust\.md:2"):
        await bench.service.delete(bench.ada, kb, "attic")
    deleted = await bench.service.delete(bench.ada, kb, "attic", cascade="unlink")
    assert deleted.paths == ("attic.md", "hall.md", "lore/dust.md")
    assert "exits: {}" in (await bench.service.read(bench.ada, kb, "hall")).text
    assert "falls in the Attic." in (await bench.service.read(bench.ada, kb, "dust")).text


@pytest.mark.requirement("0.37")
async def test_what_is_inside_a_deleted_place_goes_with_it_where_that_is_wanted(bench: Any) -> None:
    kb = await bench.make()
    await bench.service.write(bench.ada, kb, "chest.md", LAMP.replace("lamp", "chest").replace("hall", "attic"))
    await bench.service.write(bench.ada, kb, "gem.md", LAMP.replace("lamp", "gem").replace("hall", "chest"))
    with pytest.raises(KnowledgeError, match="break the live branch"):
        await bench.service.delete(bench.ada, kb, "attic", cascade="unlink")
    deleted = await bench.service.delete(bench.ada, kb, "attic", cascade="delete")
    assert set(deleted.paths) == {"attic.md", "chest.md", "gem.md", "hall.md", "lore/dust.md"}
    assert (await bench.service.analyse(bench.ada, kb)).problems == ()


async def test_a_delete_tells_which_pages_nothing_names_any_more(bench: Any) -> None:
    kb = await bench.make()
    await bench.service.write(bench.ada, kb, "web.md", "# Web\nIt hangs in [[dust]].\n")
    deleted = await bench.service.delete(bench.ada, kb, "web")
    assert deleted.orphans == ("lore/dust.md",)


@pytest.mark.requirement("0.42")
@pytest.mark.parametrize(
    "kind", ["lore", "place", "location", "item", "npc", "quest", "rule", "table", "kind", "workflow", "agent", "scenario", "waypoint"]
)  # fmt: skip
async def test_a_page_from_a_template_checks_as_it_stands(bench: Any, kind: str) -> None:
    kb = await bench.make()
    written = await bench.service.write(bench.ada, kb, f"new/ring-bell-{kind}.md", template=kind)
    assert written.live
    assert [each for each in written.problems if each.severity == "error"] == []


@pytest.mark.requirement("0.42")
async def test_a_world_s_own_kind_has_a_template_and_a_page_a_copy(bench: Any) -> None:
    await bench.service.create(LOCAL, "desk", visibility="shared", like="lending-desk")
    loan = await bench.service.write(bench.ada, "desk", "members/m-9.md", template="member", branch="try")
    text = (await bench.service.read(bench.ada, "desk", loan.paths[0], branch="try")).text
    assert text.startswith("---\nmember: m-9\n")
    kb = await bench.make()
    await bench.service.write(bench.ada, kb, "medal.md", copy_of="coin")
    assert (
        await bench.service.read(bench.ada, kb, "medal")
    ).text == "---\nitem: medal\nin: hall\n---\n# Gold coin\nShiny.\n"
    with pytest.raises(KnowledgeError, match="no kind of page 'itme'") as unknown:
        await bench.service.write(bench.ada, kb, "x.md", template="itme")
    assert "item" in unknown.value.hint


@pytest.mark.parametrize("text", [{}, {"text": "# A\n", "template": "item"}, {"copy_of": "coin", "text": "# A\n"}])
async def test_a_new_page_has_one_origin(bench: Any, text: dict[str, str]) -> None:
    kb = await bench.make()
    with pytest.raises(KnowledgeError, match="one of"):
        await bench.service.write(bench.ada, kb, "x.md", **text)


async def test_bundled_worlds_are_read_and_never_written(bench: Any) -> None:
    with pytest.raises(KnowledgeError, match="only read") as refused:
        await bench.service.write(bench.ada, "cloak", "lamp.md", LAMP)
    assert "--like cloak" in refused.value.hint
    assert (await bench.service.read(bench.eve, "cloak", "cloakroom")).etag


@pytest.mark.requirement("0.42")
async def test_an_analysis_counts_pages_and_names_orphans_and_places_that_nobody_reaches(bench: Any) -> None:
    kb = await bench.make()
    await bench.service.write(bench.ada, kb, "cave.md", "---\nplace: cave\n---\n# Cave\nDeep.\n", branch="try")
    await bench.service.write(bench.ada, kb, "lore/echo.md", "# Echo\nIt answers.\n", branch="try")
    found = await bench.service.analyse(bench.ada, kb, branch="try")
    assert found.kinds == {"experience": 1, "item": 1, "lore": 3, "place": 3}
    assert found.orphans == ("cave.md", "lore/dust.md", "lore/echo.md")
    assert found.unreachable == ("cave.md",)


async def test_names_of_knowledge_bases_are_checked_and_taken_once(bench: Any) -> None:
    await bench.make()
    for name in ("tiny", "cloak", "../x", "A", "", "x" * 50):
        with pytest.raises(KnowledgeError):
            await bench.service.create(LOCAL, name)
    with pytest.raises(Refused):
        await bench.service.create(bench.ann, "mine")
    kept = await bench.service.remove(LOCAL, "tiny")
    assert kept.exists()
    with pytest.raises(NotThere):
        await bench.service.read(LOCAL, "tiny", "hall")


async def test_a_folder_that_no_commit_holds_is_read_as_it_is(bench: Any, tmp_path: Path) -> None:
    for name in ("plain", "fresh", "outer/inner"):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        (folder / "lamp.md").write_text("# Lamp\nBrass.\n")
    for repository in ("fresh", "outer"):
        subprocess.run(["git", "init", "-q", "-b", "main", str(tmp_path / repository)], check=True)
    subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "none"],
        cwd=tmp_path / "outer",
        check=True,
    )
    fixed = {name: str(tmp_path / name) for name in ("plain", "fresh", "outer/inner")}
    service = KnowledgeService(MemorySpaces(), fixed, home=tmp_path / "home", cache=tmp_path / "cache")
    for name in fixed:
        assert "Brass" in (await service.read(LOCAL, name, "lamp")).text
        with pytest.raises(KnowledgeError, match="only read") as refused:
            await service.write(LOCAL, name, "x.md", "# X\n")
        assert "Commit its pages" in refused.value.hint


async def test_a_folder_that_is_checked_out_is_played_as_it_is_and_a_draft_of_it_from_its_commit(
    bench: Any, tmp_path: Path
) -> None:
    kb = await bench.make()
    folder = tmp_path / "work"
    subprocess.run(["git", "clone", "-q", str(bench.home / "knowledge" / "tiny.git"), str(folder)], check=True)
    service = KnowledgeService(MemorySpaces(), {"work": str(folder)}, home=tmp_path / "home", cache=tmp_path / "cache")
    world = World.open(await service.where(LOCAL, "work"))
    await service.write(LOCAL, "work", "lamp.md", LAMP)
    world.refresh()
    assert "lamp" in world.rulebook.templates
    await service.write(LOCAL, "work", "bell.md", LAMP.replace("lamp", "bell"), branch="try")
    assert "bell" not in World.open(await service.where(LOCAL, "work")).rulebook.templates
    assert "bell" in World.open(await service.where(LOCAL, "work", branch="try")).rulebook.templates
    made = World.open(await bench.service.where(bench.eve, kb))
    assert "coin" in made.rulebook.templates
    with pytest.raises(NotThere):
        await bench.service.where(bench.eve, kb, branch="try")


async def test_the_message_of_a_publish_is_kept_also_where_nobody_else_went_on(bench: Any) -> None:
    await bench.make()
    await bench.service.write(LOCAL, "tiny", "well.md", "# Well\nDeep.\n", branch="mine", message="Dig")
    await bench.service.publish(LOCAL, "tiny", "mine", message="A well in the yard")
    assert (await bench.service.history(LOCAL, "tiny")).revisions[0].message == "A well in the yard"


async def test_a_path_without_its_ending_is_that_page_whatever_others_call_themselves(bench: Any) -> None:
    await bench.make()
    for path in ("well.md", "deep/well.md"):
        await bench.service.write(LOCAL, "tiny", path, f"---\nitem: well\nin: hall\n---\n# At {path}\n", branch="mine")
    assert (await bench.service.read(LOCAL, "tiny", "well", branch="mine")).path == "well.md"


async def test_of_many_problems_the_page_that_cannot_be_read_comes_first(bench: Any) -> None:
    await bench.make()
    hall = await bench.service.read(LOCAL, "tiny", "hall.md")
    broken = "---\nplace: hall\nplace: hall\n---\n# Hall\nSee [[nowhere]].\n"
    written = await bench.service.patch(LOCAL, "tiny", "hall.md", hall.etag, text=broken, branch="mine")
    assert len(written.problems) > 1
    assert written.problems[0].code.startswith("RB1")
