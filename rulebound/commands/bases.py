"""Owns `rulebound kb create|list|write|history|drafts|diff|publish|revert|webhook`, for the owner of this machine.

A folder is written without any server; what `kb create` made is found in the database. It must not know how pages are kept.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

from agents.access import LOCAL
from agents.knowledge import KnowledgeService, MemorySpaces
from agents.knowledge.results import Written
from kb import library, report
from mcp_server.web.webhook import secret_of
from rulebound.app import open_app
from rulebound.secret import secret
from rulebound.settings import Settings

Work = Callable[[KnowledgeService, str], Awaitable[int]]


@asynccontextmanager
async def _service(kb: str) -> AsyncGenerator[tuple[KnowledgeService, str]]:
    """The knowledge bases, and the name of the one that is meant: a folder, a bundled world, or one that was made."""
    settings = Settings.from_environment()
    bundled = {name: name for name in library.worlds()}
    if Path(kb).is_dir():
        folder = Path(kb).resolve()
        fixed = {folder.name: str(folder)}
        yield KnowledgeService(MemorySpaces(), fixed, home=settings.home, cache=settings.cache), folder.name
        return
    async with open_app(settings) as app:
        yield app.knowledge(bundled), kb


def _run(kb: str, work: Work) -> int:
    async def run() -> int:
        async with _service(kb) as (service, name):
            return await work(service, name)

    return asyncio.run(run())


def create(name: str, visibility: Literal["shared", "team", "private"], team: str, like: str) -> int:
    """Makes a knowledge base, and prints where its repository is."""

    async def work(service: KnowledgeService, kb: str) -> int:
        made = await service.create(LOCAL, kb, visibility=visibility, team=team, like=like)
        print(f"{made.name} is {made.visibility}. Its repository, which may be cloned and pushed to:\n{made.location}")
        return 0

    return _run_made(name, work)


def _run_made(kb: str, work: Work) -> int:
    """Like `_run`, and a folder of that name in the working directory is not meant."""

    async def run() -> int:
        async with open_app(Settings.from_environment()) as app:
            return await work(app.knowledge({name: name for name in library.worlds()}), kb)

    return asyncio.run(run())


def bases() -> int:
    """Prints each knowledge base and who reads it."""

    async def work(service: KnowledgeService, _: str) -> int:
        for each in await service.bases(LOCAL):
            print(f"{each.name:28}{each.visibility:10}{each.right if each.writable else 'read'}")
        return 0

    return _run_made("", work)


def write(
    kb: str, path: str, file: str, template: str, copy_of: str, branch: str, message: str, *, replace: bool, dry_run: bool
) -> int:  # fmt: skip
    """Writes a page; 1 where it is not valid."""
    text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8") if file else ""

    async def work(service: KnowledgeService, name: str) -> int:
        if replace:
            base = (await service.read(LOCAL, name, path, branch=branch)).etag
            written = await service.patch(
                LOCAL, name, path, base, text=text, branch=branch, message=message, dry_run=dry_run
            )
        else:
            written = await service.write(
                LOCAL, name, path, text, copy_of=copy_of, template=template, branch=branch, message=message,
                dry_run=dry_run,
            )  # fmt: skip
        return _told(written)

    return _run(kb, work)


def history(kb: str, page: str, branch: str, limit: int) -> int:
    """Prints commits, newest first."""

    async def work(service: KnowledgeService, name: str) -> int:
        found = await service.history(LOCAL, name, page, branch=branch, limit=limit)
        for each in found.revisions:
            print(f"{each.commit[:12]}  {each.time:%Y-%m-%d %H:%M}  {each.author:20}  {each.message.splitlines()[0]}")
        return 0

    return _run(kb, work)


def drafts(kb: str) -> int:
    """Prints each draft, and how many commits it is ahead of the live branch and behind it."""

    async def work(service: KnowledgeService, name: str) -> int:
        for each in await service.drafts(LOCAL, name):
            print(f"{each.branch:44}{each.commit[:12]}  +{each.ahead} -{each.behind}")
        return 0

    return _run(kb, work)


def diff(kb: str, draft: str) -> int:
    """Prints what a draft changes, as a patch."""

    async def work(service: KnowledgeService, name: str) -> int:
        print(await service.diff(LOCAL, name, draft), end="")
        return 0

    return _run(kb, work)


def publish(kb: str, draft: str, message: str, *, dry_run: bool) -> int:
    """Merges a draft into the live branch."""

    async def work(service: KnowledgeService, name: str) -> int:
        return _told(await service.publish(LOCAL, name, draft, message=message, dry_run=dry_run))

    return _run(kb, work)


def revert(kb: str, commit: str, branch: str, message: str) -> int:
    """Takes a commit back."""

    async def work(service: KnowledgeService, name: str) -> int:
        return _told(await service.revert(LOCAL, name, commit, branch=branch, message=message))

    return _run(kb, work)


def webhook(name: str) -> int:
    """Prints what to enter at the Git host."""
    settings = Settings.from_environment()
    print(f"URL     …/webhook/{name}\nSecret  {secret_of(secret(settings), name)}")
    return 0


def _told(written: Written) -> int:
    problems = report.text(written.problems)
    if problems:
        print(problems)
    did = "would be written to" if written.dry_run else f"{written.commit[:12]} is on"
    print(f"{', '.join(written.paths)}: {did} {written.branch}.", file=sys.stderr)
    return 0 if written.valid else 1
