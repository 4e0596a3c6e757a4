"""Owns the knowledge bases as one service: every operation for a principal, with the audit and the word that something changed.

`KnowledgeService(spaces, fixed, home=…)`; all errors are `KnowledgeError`, `Refused`, `WriteError` or `SourceError`, each with
a hint. It must not know transports.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Concatenate, Literal, ParamSpec, TypeVar

from agents.access import Namespace, Principal, Refused, Right
from agents.knowledge import changes, reading
from agents.knowledge.access import Doors, Entered
from agents.knowledge.errors import KnowledgeError
from agents.knowledge.results import Analysis, Draft, Hits, Linked, PageRead, Past, Seen, Written
from agents.knowledge.spaces import Spaces
from agents.worlds import Where
from kb import library
from kb.pages.landing import land
from kb.pages.repository import Repository
from kb.pages.source import open_source
from kb.pages.writing import Edit, put
from kb.search import SearchIndex

Audit = Callable[[Principal, str, str, Mapping[str, str | int]], Awaitable[None]]
"""(who, what was done, to which knowledge base, details): called after it was done, or refused for want of a right."""
Changed = Callable[[str], Awaitable[None]]
"""A knowledge base's live branch is at another commit."""
_NAME = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_P = ParamSpec("_P")
_T = TypeVar("_T")


async def _nothing(*_: Any) -> None:
    return None


class KnowledgeService:
    """The knowledge bases of a server; `fixed` are the operator's and the bundled ones, by name their locations."""

    def __init__(
        self, spaces: Spaces, fixed: Mapping[str, str], *, home: Path, cache: Path,
        audit: Audit = _nothing, changed: Changed = _nothing,
    ):  # fmt: skip
        self.spaces, self.audit, self.changed = spaces, audit, changed
        self._doors = Doors(spaces, fixed, cache)
        self._folder = home / "knowledge"
        self._writing: set[asyncio.Task[Written]] = set()

    # --- Reading ------------------------------------------------------------------------------

    async def bases(self, who: Principal) -> list[Seen]:
        """The knowledge bases that a principal may read."""
        return await self._doors.list(who)

    async def namespaces(self, who: Principal) -> list[Namespace]:
        """The same, without opening any, in the order of `fixed`, then by name."""
        return [namespace for namespace, _ in (await self._doors.visible(who)).values()]

    async def search(
        self, who: Principal, kb: str, query: str, *, branch: str = "", kind: str | None = None, under: str = "",
        limit: int = 8, after: str = "",
    ) -> Hits:  # fmt: skip
        """Sections that fit, best first; `after` is the former answer's `next`."""
        return await self._do(
            who, kb, reading.search, query, branch=branch, kind=kind, under=under, limit=limit, after=after
        )

    async def read(
        self, who: Principal, kb: str, page: str, *, branch: str = "", section: str | None = None,
        characters: int = reading.CHARACTERS, after: str = "",
    ) -> PageRead:  # fmt: skip
        """A page, or a section of it, by path, id or file name."""
        return await self._do(
            who, kb, reading.read, page, branch=branch, section=section, characters=characters, after=after
        )

    async def pages(self, who: Principal, kb: str, *, branch: str = "") -> SearchIndex:
        """All pages of a branch at its commit, for who reads many of them at once."""
        return await self._do(who, kb, reading.pages, branch)

    async def links(self, who: Principal, kb: str, page: str, *, branch: str = "") -> Linked:
        """What a page names, and what names it."""
        return await self._do(who, kb, reading.links, page, branch=branch)

    async def history(
        self, who: Principal, kb: str, page: str = "", *, branch: str = "", limit: int = 20, after: str = ""
    ) -> Past:
        """The commits of a page, or of all pages, newest first."""
        return await self._do(who, kb, reading.history, page, branch=branch, limit=limit, after=after)

    async def drafts(self, who: Principal, kb: str) -> list[Draft]:
        """The principal's drafts; everybody's for who may publish."""
        return await self._do(who, kb, reading.drafts)

    async def diff(self, who: Principal, kb: str, branch: str) -> str:
        """What a draft changes, as a patch."""
        return await self._do(who, kb, reading.diff, branch)

    async def analyse(self, who: Principal, kb: str, *, branch: str = "") -> Analysis:
        """Pages by kind, problems, orphans, places that nobody reaches."""
        return await self._do(who, kb, reading.analyse, branch)

    async def paths(self, who: Principal, kb: str, *, branch: str = "") -> Sequence[str]:
        """The paths of all pages."""
        return await self._do(who, kb, reading.paths, branch)

    # --- Writing ------------------------------------------------------------------------------

    async def write(
        self, who: Principal, kb: str, path: str, text: str = "", *, copy_of: str = "", template: str = "",
        branch: str = "", message: str = "", dry_run: bool = False,
    ) -> Written:  # fmt: skip
        """A new page, from a text, a copy or a template."""
        return await self._change(
            who, kb, "write", changes.write, path, text, copy_of=copy_of, kind=template, branch=branch, message=message,
            dry_run=dry_run,
        )  # fmt: skip

    async def patch(
        self, who: Principal, kb: str, page: str, base: str, *, edits: Sequence[Edit] = (), text: str | None = None,
        branch: str = "", message: str = "", dry_run: bool = False,
    ) -> Written:  # fmt: skip
        """A page changed by edits or replaced, if it still has the etag `base`."""
        return await self._change(
            who, kb, "patch", changes.patch, page, base=base, edits=edits, text=text, branch=branch, message=message,
            dry_run=dry_run,
        )  # fmt: skip

    async def delete(
        self, who: Principal, kb: str, page: str, *, base: str = "", cascade: str = "", branch: str = "",
        message: str = "", dry_run: bool = False,
    ) -> Written:  # fmt: skip
        """A page deleted; see `changes.delete` for `cascade`."""
        return await self._change(
            who, kb, "delete", changes.delete, page, base=base, cascade=cascade, branch=branch, message=message,
            dry_run=dry_run,
        )  # fmt: skip

    async def publish(
        self, who: Principal, kb: str, draft: str, *, message: str = "", dry_run: bool = False
    ) -> Written:
        """A draft merged into the live branch."""
        return await self._change(who, kb, "publish", changes.publish, draft, message=message, dry_run=dry_run)

    async def revert(
        self, who: Principal, kb: str, commit: str, *, branch: str = "", message: str = "", dry_run: bool = False
    ) -> Written:
        """A commit taken back."""
        return await self._change(
            who, kb, "revert", changes.take_back, commit, branch=branch, message=message, dry_run=dry_run
        )

    # --- Namespaces ---------------------------------------------------------------------------

    async def create(
        self, who: Principal, name: str, *, visibility: Literal["shared", "team", "private"] = "private",
        owner: str = "", team: str = "", like: str = "",
    ) -> Namespace:  # fmt: skip
        """A new knowledge base: a bare repository with a first page, or with the pages of a bundled world (`like`).

        It takes the scope `admin`, for whether a name is free tells of knowledge bases that others may not see.
        """
        who.need("admin")
        if not _NAME.fullmatch(name) or len(name) > 40:
            raise KnowledgeError(f"{name[:60]!r} is not a name", "Use small letters, digits and hyphens, at most 40.")
        if (visibility == "team") != bool(team):
            raise KnowledgeError("A team's knowledge base names its team, and only that does", "Give the team's name.")
        if like and like not in library.worlds():
            raise KnowledgeError(f"There is no bundled world {like!r}", f"There is {', '.join(library.worlds())}.")
        folder = self._folder / f"{name}.git"
        space = Namespace(name, str(folder), visibility, owner or who.id, team)
        if name in await self._doors.all() or folder.exists():
            raise KnowledgeError(f"There is a knowledge base {name!r}", "Choose another name.")
        await asyncio.to_thread(_made, folder, name, like, who.id)
        try:
            await self.spaces.add(who, space)
        except BaseException:
            shutil.rmtree(folder)
            raise
        return space

    async def remove(self, who: Principal, name: str) -> Path:
        """A knowledge base that was made is no longer served; its repository is kept at the path that is given."""
        who.need("admin")
        found = {each.name: each for each in await self.spaces.namespaces()}.get(name)
        if found is None:
            raise KnowledgeError(f"No knowledge base {name!r} was made here", "`rulebound kb list` lists them.")
        kept = self._folder / "removed" / f"{name}-{time.time_ns()}.git"
        kept.parent.mkdir(parents=True, exist_ok=True)
        await self.spaces.remove(who, name)
        Path(found.location).rename(kept)
        return kept

    async def where(self, who: Principal, kb: str, *, branch: str = "") -> Where:
        """Where a knowledge base is played, or a draft of it is tried."""
        entered = await self._doors.enter(who, kb)
        name = entered.branch(branch)
        if entered.base.repository is None or (not branch and entered.base.repository.checkout is not None):
            return Where.of(entered.base.namespace.location)
        if entered.base.head(name) is None:
            raise entered.no_branch(branch or name)
        return entered.base.where(name)

    async def refresh(self, name: str) -> str | None:
        """Asks the repository of a knowledge base for news (a webhook); the live commit now, None where there is none such."""
        namespace = (await self._doors.all()).get(name)
        if namespace is None:
            return None
        base = await asyncio.to_thread(self._doors.base, namespace)
        await asyncio.to_thread(base.fetch)
        await self.changed(name)
        return base.head(base.live)

    # --- How ----------------------------------------------------------------------------------

    async def right(self, who: Principal, kb: str) -> Right:
        """The most that a principal may do in a knowledge base. Raises `NotThere`."""
        return (await self._doors.enter(who, kb)).right

    async def _do(
        self,
        who: Principal,
        kb: str,
        what: Callable[Concatenate[Entered, _P], _T],
        *arguments: _P.args,
        **named: _P.kwargs,
    ) -> _T:
        entered = await self._doors.enter(who, kb)
        return await asyncio.to_thread(what, entered, *arguments, **named)

    async def _change(
        self, who: Principal, kb: str, action: str, what: Callable[Concatenate[Entered, _P], Written],
        *arguments: _P.args, **named: _P.kwargs,
    ) -> Written:  # fmt: skip
        entered = await self._doors.enter(who, kb)

        async def change() -> Written:
            try:
                written = await asyncio.to_thread(what, entered, *arguments, **named)
            except Refused:
                await self.audit(who, f"kb.{action}.refused", kb, {})
                raise
            if not written.dry_run:
                details = {"branch": written.branch, "commit": written.commit, "pages": len(written.paths)}
                await self.audit(who, f"kb.{action}", kb, details)
                if written.live:
                    await self.changed(kb)
            return written

        # Who asked may go away; what was written is audited and told to the others all the same.
        task = asyncio.create_task(change())
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)
        return await asyncio.shield(task)


def _made(folder: Path, name: str, like: str, author: str) -> None:
    """The repository of a new knowledge base, with its first commit."""
    pages: dict[str, str | None] = {
        "README.md": f"# {name.replace('-', ' ').capitalize()}\nWhat this knowledge base is about.\n"
    }
    if like:
        source = open_source(library.worlds()[like])
        pages = {path: source.read(blob).decode("utf-8") for path, blob in source.files().items()}
    repository = Repository.create(folder)
    first = put(repository, None, pages, author, f"Begin {name}")
    land(repository, repository.live, None, first)
