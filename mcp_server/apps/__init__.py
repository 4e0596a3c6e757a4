"""Owns the MCP Apps: a board beside a game and a view of a page, for clients that show HTML; others read the tools' text.

`apps()` is passed to the server, `SHOWN` names the tools that they show. Each is one document without anything from elsewhere; what
pages and players wrote enters it as text alone. It must not know tools.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mcp.server.apps import Apps, ResourceCsp

BOARD = "ui://rulebound/board"
PAGE = "ui://rulebound/page"
SHOWN: Mapping[str, str] = {"observe": BOARD, "kb_read": PAGE}
"""Tools by name → the app that shows what they give."""

_FOLDER = Path(__file__).parent


def apps() -> Apps:
    """The extension with its documents."""
    found = Apps()
    nothing = ResourceCsp(connect_domains=[], resource_domains=[], frame_domains=[], base_uri_domains=[])
    for uri, file, about in (
        (BOARD, "board.html", "The game as a board: map, things, inventory, quests, commands."),
        (PAGE, "page.html", "A page of a knowledge base, as it reads."),
    ):
        found.add_html_resource(
            uri, document(file), name=file.removesuffix(".html"), description=about, csp=nothing, prefers_border=True
        )
    return found


def document(file: str) -> str:
    """A document with the parts that all share put in."""
    html = (_FOLDER / file).read_text(encoding="utf-8")
    for part in ("style.css", "host.js"):
        html = html.replace(f"/* {part} */", (_FOLDER / part).read_text(encoding="utf-8"))
    return html
