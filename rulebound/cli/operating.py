"""Owns `rulebound services|player|jobs …`: their names, arguments, exit statuses. It must not know what they do."""

from __future__ import annotations

from typing import Annotated

import typer

from rulebound.cli.options import NameArgument, finish

services_app = typer.Typer(
    help="Start, stop and look at the embedded PostgreSQL and Valkey.", no_args_is_help=True, rich_markup_mode=None
)
jobs_app = typer.Typer(help="What runs between turns and failed.", no_args_is_help=True, rich_markup_mode=None)
player_app = typer.Typer(
    help="What is kept about a player: show, export, erase.", no_args_is_help=True, rich_markup_mode=None
)


@services_app.command()
def start() -> None:
    """Start the embedded servers and let them run until `services stop`."""
    from rulebound.commands.services import start as run

    finish(run())


@services_app.command()
def stop(
    force: Annotated[bool, typer.Option("--force", help="Even while processes use them or when they hang.")] = False,
) -> None:
    """Stop the embedded servers."""
    from rulebound.commands.services import stop as run

    finish(run(force=force))


@services_app.command()
def status() -> None:
    """Show which servers are used and how they are. Exit 0: all are ready, 1: not all."""
    from rulebound.commands.services import status as run

    finish(run())


@player_app.command()
def show(name: NameArgument) -> None:
    """Show how far a player is: totals, and each experience."""
    from rulebound.commands.player import show as run

    finish(run(name))


@player_app.command()
def export(
    name: NameArgument,
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="Where to; - is standard output.")] = "-",
) -> None:
    """Write everything that is kept about a player, as JSON."""
    from rulebound.commands.player import export as run

    finish(run(name, file))


@player_app.command()
def erase(
    name: NameArgument,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Erase a player for good. Exit 1: it was not confirmed."""
    from rulebound.commands.player import erase as run

    finish(run(name, sure=yes))


@jobs_app.command("list")
def jobs_list() -> None:
    """Show clocks and messages that failed. Exit 0: none was given up, 1: some were."""
    from rulebound.commands.jobs import jobs as run

    finish(run())


@jobs_app.command()
def retry() -> None:
    """Try everything again that was given up."""
    from rulebound.commands.jobs import retry as run

    finish(run())
