"""Owns `rulebound mcp …` and the names of its options. It must not know how clients are served."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from rulebound.cli.options import ClientArgument, WorldsArgument, finish


class _Serving(TyperGroup):
    """A group that serves where no command of it is named: clients start `rulebound mcp [WORLD …]`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        named = args[0] if args else ""
        return super().parse_args(ctx, args if named in self.commands or named == "--help" else ["serve", *args])


mcp_app = typer.Typer(
    cls=_Serving,
    help="Serve worlds to a chat client over MCP: the client starts this and speaks to it on standard input and output.",
    rich_markup_mode=None,
)


@mcp_app.command("serve")
def mcp_serve(
    worlds: WorldsArgument = None,
    standalone: Annotated[
        bool, typer.Option("--standalone", help="One process by itself, without the daemon.")
    ] = False,
) -> None:
    """Serve worlds on standard input and output; `serve` may be left out."""
    from rulebound.commands import daemon as run

    finish(run.mcp(worlds or [], standalone=standalone))


@mcp_app.command()
def install(
    client: ClientArgument,
    worlds: WorldsArgument = None,
    show: Annotated[
        bool, typer.Option("--print", help="Only show the lines and the file that they belong in.")
    ] = False,
) -> None:
    """Write into a chat client's own file that it starts `rulebound mcp`.

    What else the file holds stays as it is, and a copy of it is kept beside it.
    """
    from rulebound.commands.clients import install as run

    finish(run(client, worlds or [], show=show))


@mcp_app.command()
def uninstall(client: ClientArgument) -> None:
    """Take that out of the client's file again. Exit 1: it was not there."""
    from rulebound.commands.clients import uninstall as run

    finish(run(client))
