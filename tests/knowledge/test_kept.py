"""Knowledge bases whose owners, shares and audit are kept in PostgreSQL, at two workers."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agents.access import LOCAL, Principal, Refused
from agents.knowledge import KnowledgeError, NotThere
from kb.pages.writing import Edit
from rulebound.app import App, access_of, build
from rulebound.settings import Settings
from storage import new_id
from storage.embedded import Servers
from storage.fenced import FencedStore
from storage.postgres import audit

pytestmark = pytest.mark.anyio
LAMP = "---\nitem: lamp\nin: foyer\n---\n# Lamp\nBrass.\n"


@pytest.fixture
async def app(servers: Servers, fresh_database: str, tmp_path: Path) -> AsyncIterator[App]:
    async with FencedStore.opened(fresh_database, servers.redis_url) as store:
        settings = Settings(tmp_path / "home")
        yield build(settings, store=store, access=access_of(settings, store))


@pytest.mark.requirement("4.34", "0.37")
async def test_each_write_is_in_the_audit_with_who_from_where_and_the_commit(app: App) -> None:
    assert isinstance(app.store, FencedStore)
    service = app.knowledge({})
    await service.create(LOCAL, "opera", visibility="shared", like="cloak")
    admin = Principal.of(new_id(), "admin", address="192.0.2.7")
    player = Principal.of(new_id(), "player", address="192.0.2.9")
    written = await service.write(admin, "opera", "lamp.md", LAMP)
    patched = await service.patch(admin, "opera", "lamp", written.etag, edits=[Edit("Brass", "Tin")])
    deleted = await service.delete(admin, "opera", "lamp")
    await service.revert(admin, "opera", deleted.commit, branch="mine", dry_run=True)
    with pytest.raises(Refused):
        await service.write(player, "opera", "x.md", LAMP)
    kept = await audit.entries(app.store.connections)
    told = [(each.actor, each.action, each.data.get("namespace"), each.address) for each in kept]
    assert told == [
        (player.id, "kb.write.refused", "opera", "192.0.2.9"),
        (admin.id, "kb.delete", "opera", "192.0.2.7"),
        (admin.id, "kb.patch", "opera", "192.0.2.7"),
        (admin.id, "kb.write", "opera", "192.0.2.7"),
        ("operator", kept[-1].action, "opera", ""),
    ]
    assert kept[2].data["commit"] == patched.commit


@pytest.mark.requirement("0.25")
async def test_a_share_that_is_kept_opens_a_private_knowledge_base_until_it_ends(app: App) -> None:
    assert app.access is not None
    service, granting = app.knowledge({}), app.access.granting
    await service.create(LOCAL, "diary")
    ann = Principal.of(new_id(), "designer")
    with pytest.raises(NotThere):
        await service.read(ann, "diary", "README")
    await granting.share(LOCAL, "diary", "principal", ann.id, "write", datetime.now(UTC) + timedelta(hours=1))
    written = await service.write(ann, "diary", "monday.md", "# Monday\nRain.\n")
    assert written.branch == f"draft/{ann.id}/work"
    await granting.unshare(LOCAL, "diary", "principal", ann.id)
    for attempt in (service.read(ann, "diary", "monday"), service.read(ann, "never", "monday")):
        with pytest.raises(NotThere):
            await attempt
    assert [each.name for each in await service.bases(ann)] == []


async def test_a_name_is_taken_once_and_free_again_when_it_is_given_up(app: App) -> None:
    service = app.knowledge({"cloak": "cloak"})
    await service.create(LOCAL, "diary")
    for taken in ("diary", "cloak"):
        with pytest.raises(KnowledgeError):
            await service.create(LOCAL, taken)
    kept = await service.remove(LOCAL, "diary")
    assert kept.is_dir()
    await service.create(LOCAL, "diary")
    assert (await service.read(LOCAL, "diary", "README")).path == "README.md"
