"""Owns the tool experiences: the worlds that a principal may play, and the games that they may go on with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp_types import CallToolResult
from pydantic import Field

from agents.worlds import Where
from kb import library
from mcp_server.answers import READ, Answer, clip, data, result, typed_errors
from mcp_server.catalog import Catalog
from mcp_server.who import who
from rulebound.app import App

PAGE = 20
"""Worlds, and games, in one answer."""
REMEMBERED = 200
"""Games of a principal that are listed at all, those that were played last."""


class Experiences(Answer):
    worlds: list[dict[str, str]]
    games: list[dict[str, Any]]
    next: int | None


def add(mcp: MCPServer[Any], app: App, catalog: Catalog) -> None:
    """Adds the tool to a server."""

    @mcp.tool(annotations=READ)
    async def experiences(
        ctx: Context, first: Annotated[int, Field(description="`next` of the former answer.", ge=0, le=10_000)] = 0
    ) -> Annotated[CallToolResult, Experiences]:
        """The worlds that may be played, and the player's games with their handles, the last played first."""
        with typed_errors():
            player = who(ctx)
            player.need("game:play")
            seen = await catalog.service.namespaces(player)
            named = {Where.of(each.location).location: each.name for each in seen}
            worlds = [{"name": each.name, "about": _about(each.location)} for each in seen[first:][:PAGE]]
            wanted = min(first + PAGE + 1, REMEMBERED)
            seats = (await app.games.mine(player.id, wanted))[first:]
        games = [
            {
                "handle": seat.handle,
                "world": named.get(game.world, "no longer served"),
                "player": seat.name,
                "turn": game.version,
                "played": game.updated.isoformat(timespec="seconds"),
            }
            for seat, game in seats[:PAGE]
        ]
        more = len(named) > first + PAGE or len(seats) > PAGE
        found = Experiences(worlds=worlds, games=games, next=first + PAGE if more else None)
        lines = [*(f"world {each['name']}: {each['about']}" for each in worlds)]
        lines += [
            f"game {each['handle']} in {each['world']} as {each['player']}: turn {each['turn']}, {each['played']}"
            for each in games
        ]
        source = "worlds and games"
        return result(data("\n".join(lines), source) + (f"\nMore: first={found.next}." if more else ""), found, source)


def _about(location: str) -> str:
    """A line on a world without opening it: the title of its README."""
    folder = library.worlds().get(location)
    try:
        readme = ((folder or Path(location)) / "README.md").open(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    with readme:
        return clip(readme.readline(1_000).lstrip("# ").strip(), 200, "")
