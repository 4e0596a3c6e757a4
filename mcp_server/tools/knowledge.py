"""Owns the knowledge tools: kb_search, kb_read. It must not know how pages are found."""

from __future__ import annotations

from typing import Annotated, Any

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import CallToolResult
from pydantic import Field

from mcp_server.answers import READ, Answer, data, result, typed_errors
from mcp_server.tools.served import Name, Served
from rulebound.app import App


class Found(Answer):
    citation: str
    path: str
    heading: str
    line: int
    snippet: str


class Search(Answer):
    results: list[Found]


class PageText(Answer):
    path: str
    commit: str
    first: int
    last: int
    next: int | None
    text: str


def add(mcp: MCPServer[Any], app: App, served: Served) -> None:
    """Adds the knowledge tools to a server."""

    @mcp.tool(title="Search pages", annotations=READ)
    def kb_search(
        query: Annotated[str, Field(description="Words to look for.", min_length=1, max_length=400)],
        world: Name = "",
        limit: Annotated[int, Field(ge=1, le=50)] = 8,
    ) -> Annotated[CallToolResult, Search]:
        """Find sections of a world's pages, best first, each with its citation."""
        with typed_errors():
            hits = app.worlds(served(world)).index.search(query, limit)
        results = [
            Found(citation=hit.citation, path=hit.path, heading=hit.heading, line=hit.line, snippet=hit.snippet)
            for hit in hits
        ]
        lines = [f"{each.citation}\n  {each.snippet}" for each in results]
        return result(data("\n".join(lines)) if lines else "Nothing is found.", Search(results=results))

    @mcp.tool(title="Read a page", annotations=READ)
    def kb_read(
        page: Annotated[str, Field(description="A path, a page's id or a file's name.", max_length=300)],
        world: Name = "",
        section: Annotated[str | None, Field(description="Only this section.", max_length=200)] = None,
        first: Annotated[int, Field(description="The line to begin at: `next` of the former answer.", ge=1)] = 1,
    ) -> Annotated[CallToolResult, PageText]:
        """Read a page or a section, at most 8,000 characters at a time."""
        with typed_errors():
            excerpt = app.worlds(served(world)).index.read(page, section=section, first=first, characters=8_000)
        if excerpt is None:
            what = f"no page {page!r}" + (f" with a section {section!r}" if section else "")
            raise ToolError(f"There is {what}. kb_search finds pages by words.")
        read = PageText(
            path=excerpt.path,
            commit=excerpt.commit,
            first=excerpt.first,
            last=excerpt.last,
            next=excerpt.next,
            text=excerpt.text,
        )
        more = f"\nMore from line {read.next}." if read.next else ""
        head = f"{read.path}:{read.first}-{read.last}@{read.commit[:14]}"
        return result(f"{head}\n{data(read.text)}{more}", read)
