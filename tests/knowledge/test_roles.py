"""Who may do what to pages: the 23 acts of administration by role, and knowledge bases that are not everybody's."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from agents.access import LOCAL, PUBLIC, Principal, Refused
from agents.knowledge import KnowledgeError, NotThere
from kb.pages.writing import Edit

pytestmark = pytest.mark.anyio
KINDS = ("waypoint", "place", "item", "npc", "quest")
PAGES = {
    "world.md": "---\nexperience: tiny\nuses: [adventure]\nstart: hall\n---\n# Tiny\nSmall.\n",
    "hall.md": "---\nplace: hall\nexits: {}\n---\n# Hall\nA hall.\n",
    "attic.md": "---\nplace: attic\nexits: {down: hall}\n---\n# Attic\nDust.\n",
    **{f"old/{kind}.md": f"---\n{kind}: old-{kind}\n---\n# Old {kind}\nOld.\n" for kind in KINDS},
}
Act = Callable[[Principal], Awaitable[Any]]


def acts(bench: Any, kb: str, branch: str) -> dict[str, Act]:
    """The 23 acts: create, read, update and delete of five kinds, list, and the exits between places."""
    service = bench.service

    def create(kind: str) -> Act:
        return lambda who: service.write(who, kb, f"new/{kind}.md", template=kind, branch=branch)

    def read(kind: str) -> Act:
        return lambda who: service.read(who, kb, f"old-{kind}")

    def update(kind: str) -> Act:
        async def act(who: Principal) -> Any:
            etag = (await service.read(LOCAL, kb, f"old/{kind}.md")).etag
            return await service.patch(who, kb, f"old/{kind}.md", etag, edits=[Edit("Old.", "Aged.")], branch=branch)

        return act

    def delete(kind: str) -> Act:
        return lambda who: service.delete(who, kb, f"old/{kind}.md", cascade="unlink", branch=branch)

    async def connect(who: Principal) -> Any:
        etag = (await service.read(LOCAL, kb, "hall")).etag
        return await service.patch(who, kb, "hall", etag, edits=[Edit("{}", "{up: attic}")], branch=branch)

    async def disconnect(who: Principal) -> Any:
        etag = (await service.read(LOCAL, kb, "attic")).etag
        return await service.patch(who, kb, "attic", etag, edits=[Edit("{down: hall}", "{}")], branch=branch)

    made = {f"{verb.__name__} {kind}": verb(kind) for verb in (create, read, update, delete) for kind in KINDS}
    return {**made, "list": lambda who: service.paths(who, kb), "connect": connect, "disconnect": disconnect}


MAY = {
    "player": {"read"},
    "gm": {"read"},
    "designer": {"read", "draft"},
    "admin": {"read", "draft", "live"},
    "owner": {"read", "draft", "live"},
}
"""What each role may do in a knowledge base that is shared with everybody."""


@pytest.mark.requirement("0.37", "4.34")
@pytest.mark.parametrize("where", ["draft", "live"])
@pytest.mark.parametrize("role", MAY)
async def test_each_act_of_administration_is_allowed_by_role_and_audited(bench: Any, role: Any, where: str) -> None:
    kb = await bench.make("tiny", PAGES)
    who = Principal.of("someone", role)
    branch = "main" if where == "live" else "mine"
    # The draft begins with a page that says nothing, so that each act finds it.
    if where == "draft" and "draft" in MAY[role]:
        await bench.service.write(who, kb, "notes.md", "# Notes\n", branch=branch)
        bench.audited.clear()
    tried = acts(bench, kb, branch)
    assert len(tried) == 23
    for name, act in tried.items():
        reading = name.startswith(("read", "list"))
        if reading or where in MAY[role]:
            assert await act(who), name
        else:
            with pytest.raises(Refused):
                await act(who)
    writes = [name for name in tried if not name.startswith(("read", "list"))]
    allowed = where in MAY[role]
    assert len(bench.audited) == len(writes) == 17
    assert {entry[0] for entry in bench.audited} == {"someone"}
    assert all(entry[1].endswith(".refused") is not allowed for entry in bench.audited)
    assert len(bench.changed) == (17 if allowed and where == "live" else 0)


@pytest.mark.requirement("0.25", "0.37")
@pytest.mark.parametrize("role", [*MAY, "public"])
async def test_what_is_another_s_is_answered_like_what_is_not_there(bench: Any, role: Any) -> None:
    await bench.make("hidden", PAGES, visibility="private")
    await bench.make("theirs", PAGES, visibility="team", team="south")
    who = PUBLIC if role == "public" else Principal.of("someone", role, teams=frozenset({"north"}))

    async def told(kb: str) -> list[tuple[str, str, str]]:
        service = bench.service
        answers: list[tuple[str, str, str]] = []
        attempts: list[Awaitable[Any]] = [
            service.search(who, kb, "hall"),
            service.read(who, kb, "hall"),
            service.links(who, kb, "hall"),
            service.history(who, kb, "hall"),
            service.drafts(who, kb),
            service.diff(who, kb, "begin"),
            service.analyse(who, kb),
            service.paths(who, kb),
            service.where(who, kb),
            service.right(who, kb),
            service.write(who, kb, "x.md", "# X\n"),
            service.patch(who, kb, "hall", "0", text="# X\n"),
            service.delete(who, kb, "hall"),
            service.publish(who, kb, "begin"),
            service.revert(who, kb, "0" * 40),
        ]
        for attempt in attempts:
            with pytest.raises((NotThere, Refused)) as refused:
                await attempt
            answers.append((type(refused.value).__name__, str(refused.value).replace(kb, "KB"), refused.value.hint))
        return answers

    assert await told("hidden") == await told("theirs") == await told("absent")
    assert not {"hidden", "theirs"} & {each.name for each in await bench.service.bases(who)}
    assert bench.audited == []


@pytest.mark.requirement("0.25")
async def test_a_share_opens_a_knowledge_base_as_far_as_it_goes_and_as_long_as_it_holds(bench: Any) -> None:
    kb = await bench.make("hidden", PAGES, visibility="private")
    bench.spaces.shares[bench.eve.id, kb] = "publish"
    assert (await bench.service.read(bench.eve, kb, "hall")).path == "hall.md"
    with pytest.raises(Refused):  # a share gives a player's credential nothing to write with
        await bench.service.write(bench.eve, kb, "x.md", "# X\n")
    bench.spaces.shares[bench.ann.id, kb] = "read"
    with pytest.raises(Refused):
        await bench.service.write(bench.ann, kb, "x.md", "# X\n", branch="mine")
    bench.spaces.shares[bench.ann.id, kb] = "publish"
    assert (await bench.service.write(bench.ann, kb, "x.md", "# X\n")).live
    del bench.spaces.shares[bench.ann.id, kb]
    with pytest.raises(NotThere):
        await bench.service.read(bench.ann, kb, "hall")


async def test_a_team_s_knowledge_base_is_read_and_drafted_by_its_members(bench: Any) -> None:
    kb = await bench.make("ours", PAGES, visibility="team", team="north")
    assert (await bench.service.write(bench.ann, kb, "x.md", "# X\n")).branch == "draft/ann/work"
    with pytest.raises(NotThere):
        await bench.service.read(bench.bo, kb, "hall")


async def test_drafts_are_seen_by_who_wrote_them_and_by_who_may_publish(bench: Any) -> None:
    kb = await bench.make("tiny", PAGES)
    draft = (await bench.service.write(bench.ann, kb, "x.md", "# X\n")).branch
    for who in (bench.bo, bench.eve):
        told = []
        for name in (draft, "draft/nobody/work"):
            with pytest.raises(NotThere) as refused:
                await bench.service.read(who, kb, "x", branch=name)
            told.append(str(refused.value).replace(name, "DRAFT"))
        assert told[0] == told[1]
        assert await bench.service.drafts(who, kb) == []
    assert (await bench.service.read(bench.ada, kb, "x", branch=draft)).text == "# X\n"
    assert [each.branch for each in await bench.service.drafts(bench.ann, kb)] == [draft]


async def test_principals_whose_names_look_alike_have_drafts_of_their_own(bench: Any) -> None:
    kb = await bench.make("tiny", PAGES)
    branches: set[str] = set()
    for number, id in enumerate(("ann", "Ann", "a.n.n", "a-n-n", "ann/../bo", "änn", "ann\n", "A" * 300)):
        who = Principal.of(id, "designer")
        branches.add((await bench.service.write(who, kb, f"x{number}.md", "# X\n")).branch)
    assert len(branches) == 8
    assert all(branch.isascii() and branch.count("/") == 2 and ".." not in branch for branch in branches)


async def test_a_broken_base_stays_an_error_of_its_own(bench: Any) -> None:
    with pytest.raises(KnowledgeError, match="only that does"):
        await bench.service.create(LOCAL, "x", visibility="team")
