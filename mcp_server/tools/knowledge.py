"""Owns the knowledge tools: kb_search, kb_read, kb_links, kb_write, kb_patch, kb_delete. It must not know how pages are kept."""
# Without `from __future__ import annotations`: the SDK reads annotations, and one of them names a function in `add`.

from typing import Annotated, Any

from mcp.server import MCPServer
from mcp.server.elicitation import ElicitationResult
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.resolve import Elicit, Resolve
from mcp_types import CallToolResult
from pydantic import ConfigDict, Field

from agents.knowledge.results import Written
from kb.pages.writing import Edit
from kb.report import text as problems_text
from mcp_server.answers import ADD, DESTROY, READ, Answer, Sure, agreed, clip, data, few, result, typed_errors
from mcp_server.answers import confirm as ask_user
from mcp_server.catalog import Catalog
from mcp_server.who import who
from rulebound.app import App

# What an argument means is told once, by the tool that comes first: clients load every byte of this into a model's context.
Kb = Annotated[str, Field(max_length=200)]
PageName = Annotated[str, Field(max_length=300)]
Branch = Annotated[str, Field(max_length=120)]
Message = Annotated[str, Field(max_length=2_000)]
After = Annotated[str, Field(max_length=100)]
TEXT = 512 * 1024
EDITS = 100
TOLD = 20
"""Problems, pages and lines that an answer tells."""


class Found(Answer):
    results: list[Any]
    next: str


class PageText(Answer):
    model_config = ConfigDict(extra="allow")

    etag: str
    text: str
    next: str


class Links(Answer):
    out: list[Any]
    back: list[Any]


class Wrote(Answer):
    # Also branch, commit, live, problems, cites, dangling, orphans: they stand in the text too, and need no schema.
    model_config = ConfigDict(extra="allow")

    etag: str
    valid: bool


def add(mcp: MCPServer[Any], app: App, catalog: Catalog) -> None:
    """Adds the tools to a server."""

    @mcp.tool(annotations=READ)
    async def kb_search(
        ctx: Context,
        query: Annotated[str, Field(min_length=1, max_length=400)],
        kb: Annotated[str, Field(description="A world; default: the first.", max_length=200)] = "",
        kind: Annotated[str, Field(description="item, rule …", max_length=60)] = "",
        branch: Annotated[str, Field(description="A draft.", max_length=120)] = "",
        limit: int = 8,
        after: Annotated[str, Field(description="Former next.", max_length=100)] = "",
    ) -> Annotated[CallToolResult, Found]:
        """Find sections by words, with citations."""
        with typed_errors():
            found = await catalog.service.search(
                who(ctx), kb or catalog.default, query, branch=branch, kind=kind, limit=limit, after=after
            )
        results = [
            {
                "citation": hit.citation,
                "path": hit.path,
                "heading": hit.heading,
                "line": hit.line,
                "snippet": hit.snippet,
            }
            for hit in found.hits
        ]
        lines = [f"{hit.citation}\n  {hit.snippet}" for hit in found.hits]
        more = f"\nMore: after={found.next}" if found.next else ""
        text = f"{data(chr(10).join(lines), kb or catalog.default)}{more}" if lines else "Nothing is found."
        return result(text, Found(results=results, next=found.next), kb or catalog.default)

    @mcp.tool(annotations=READ)
    async def kb_read(
        ctx: Context,
        page: Annotated[str, Field(description="Path, id or file name.", max_length=300)],
        kb: Kb = "",
        section: Annotated[str, Field(max_length=200)] = "",
        branch: Branch = "",
        after: After = "",
    ) -> Annotated[CallToolResult, PageText]:
        """Read a page or section; its etag is the base of a patch."""
        with typed_errors():
            read = await catalog.service.read(
                who(ctx), kb or catalog.default, page, branch=branch, section=section or None, after=after
            )
        more = {"path": read.path, "commit": read.commit, "branch": read.branch}
        answer = PageText(etag=read.etag, text=read.text, next=read.next, **more)
        more = f"\nMore: after={read.next}" if read.next else ""
        head = f"Lines {read.first}-{read.last} on {read.branch}, etag {read.etag or 'none: a library page'}"
        return result(f"{head}\n{data(read.text, read.citation)}{more}", answer, read.citation)

    @mcp.tool(annotations=READ)
    async def kb_links(
        ctx: Context, page: PageName, kb: Kb = "", branch: Branch = ""
    ) -> Annotated[CallToolResult, Links]:
        """What a page names, and what names it."""
        with typed_errors():
            found = await catalog.service.links(who(ctx), kb or catalog.default, page, branch=branch)
        out, back = few(found.out, 100), few(found.back, 100)
        text = data("\n".join([*(f"to {each}" for each in out), *(f"from {each}" for each in back)]), found.path)
        return result(text, Links(out=out, back=back), found.path)

    @mcp.tool(annotations=ADD)
    async def kb_write(
        ctx: Context,
        path: PageName,
        kb: Kb = "",
        text: Annotated[str, Field(max_length=TEXT)] = "",
        copy_of: Annotated[str, Field(description="Instead of text: a page.", max_length=300)] = "",
        template: Annotated[str, Field(description="Instead of text: a kind.", max_length=60)] = "",
        branch: Annotated[str, Field(description="Default: live, if you may publish.", max_length=120)] = "",
        message: Message = "",
        dry_run: Annotated[bool, Field(description="Only validate.")] = False,
    ) -> Annotated[CallToolResult, Wrote]:
        """Create a page. What would break live is refused."""
        with typed_errors():
            written = await catalog.service.write(
                who(ctx), kb or catalog.default, path, text, copy_of=copy_of, template=template, branch=branch,
                message=message, dry_run=dry_run,
            )  # fmt: skip
        return _told(written)

    @mcp.tool(annotations=ADD)
    async def kb_patch(
        ctx: Context,
        kb: Kb = "",
        page: PageName = "",
        base: Annotated[str, Field(description="Its etag.", max_length=64)] = "",
        edits: Annotated[list[dict[str, str]] | None, Field(description="find (stands once), replace.")] = None,
        text: Annotated[str | None, Field(description="The whole page.", max_length=TEXT)] = None,
        publish: Annotated[str, Field(description="Or: a draft.", max_length=120)] = "",
        revert: Annotated[str, Field(description="Or: a commit.", max_length=40)] = "",
        branch: Branch = "",
        message: Message = "",
        dry_run: bool = False,
    ) -> Annotated[CallToolResult, Wrote]:
        """Change a page, publish a draft, or take a commit back."""
        if len(edits or ()) > EDITS:
            raise ToolError(f"A patch has at most {EDITS} edits. Nothing was done: send them as several patches.")
        if sum(map(bool, (page, publish, revert))) != 1:
            raise ToolError("Give one of page, publish and revert.")
        with typed_errors():
            name, asks = kb or catalog.default, who(ctx)
            if publish:
                written = await catalog.service.publish(asks, name, publish, message=message, dry_run=dry_run)
            elif revert:
                written = await catalog.service.revert(
                    asks, name, revert, branch=branch, message=message, dry_run=dry_run
                )
            else:
                wanted = [_edit(each) for each in edits or ()]
                written = await catalog.service.patch(
                    asks, name, page, base, edits=wanted, text=text, branch=branch, message=message, dry_run=dry_run
                )
        return _told(written)

    async def sure(ctx: Context, page: str, kb: str, cascade: str, branch: str, confirm: str) -> Elicit[Sure] | Sure:
        """Asks before a page goes. What may not be done, or is not there, is not asked about."""
        with typed_errors():
            name = kb or catalog.default
            trial = await catalog.service.delete(who(ctx), name, page, cascade=cascade, branch=branch, dry_run=True)
            if trial.dangling and not cascade:
                lines = ", ".join(few(trial.dangling, TOLD))
                raise ToolError(f"Others name {page}: {lines}. Change them first, or give cascade: unlink or delete.")
            if trial.live and not trial.valid:
                broken = data(problems_text(trial.problems[:TOLD]), "check")
                raise ToolError(f"That would break the live branch. Mend these lines first, or use a draft.\n{broken}")
            named = f", which {len(trial.dangling)} lines name" if trial.dangling else ""
            about = "\0".join((cascade, trial.before, *trial.paths))
            question = f"Delete {clip(', '.join(trial.paths), 300, '')} from {name} ({trial.branch}){named}?"
        return ask_user(ctx, question, confirm, app.secret, about)

    @mcp.tool(annotations=DESTROY)
    async def kb_delete(
        ctx: Context,
        page: PageName,
        sure: Annotated[ElicitationResult[Sure], Resolve(sure)],
        kb: Kb = "",
        cascade: Annotated[str, Field(description="unlink, or delete what is inside too.", max_length=10)] = "",
        branch: Branch = "",
        confirm: Annotated[str, Field(max_length=16)] = "",
    ) -> Annotated[CallToolResult, Wrote]:
        """Delete a page, once the user agrees."""
        agreed(sure)
        with typed_errors():
            written = await catalog.service.delete(
                who(ctx), kb or catalog.default, page, cascade=cascade, branch=branch
            )
        return _told(written)


def _edit(given: dict[str, str]) -> Edit:
    if given.keys() != {"find", "replace"}:
        raise ToolError("An edit has find and replace, and nothing else.")
    return Edit(given["find"], given["replace"])


def _told(written: Written) -> CallToolResult:
    """What a write came to: where it is, and every line that is not as it should be."""
    did = "would be" if written.dry_run else "is"
    where = "live" if written.live else f"on {written.branch}"
    commit = "" if written.dry_run else f" at {written.commit[:12]}"
    valid = "valid" if written.valid else "NOT valid"
    problems = problems_text(written.problems[:TOLD]).splitlines()
    # Names of pages are their writers' words as well.
    named = {
        "pages": written.paths,
        "checked against": written.cites,
        "named at": written.dangling,
        "orphans": written.orphans,
    }
    told = [f"{name}: {', '.join(few(found, TOLD))}" for name, found in named.items() if found]
    lines = [f"It {did} {where}{commit}: {valid}.", *([f"etag {written.etag}"] if written.etag else [])]
    lines.append(data("\n".join([*told, *problems]), written.kb))
    extra = {
        "branch": written.branch,
        "commit": "" if written.dry_run else written.commit,
        "live": written.live,
        "problems": few(problems, TOLD),
        "cites": written.cites,
        "dangling": few(written.dangling, TOLD),
        "orphans": few(written.orphans, TOLD),
    }
    answer = Wrote(etag=written.etag, valid=written.valid, **extra)
    return result("\n".join(lines), answer, written.kb)
