"""Owns `rulebound local …`: its names, arguments, exit statuses. It must not know what they do."""

from __future__ import annotations

from typing import Annotated

import typer

from rulebound.cli.options import finish

local_app = typer.Typer(
    help="Models that run on this machine, without a key.", no_args_is_help=True, rich_markup_mode=None
)
ModelArgument = Annotated[str, typer.Argument(metavar="MODEL", help="As `local status` lists it.")]


@local_app.command()
def install(model: ModelArgument) -> None:
    """Fetch a model from the package index, check it, and keep its weights alone."""
    from rulebound.commands.local import install as run

    finish(run(model))


@local_app.command()
def start(model: ModelArgument) -> None:
    """Start a model and let it run until `local stop`; tell where it answers."""
    from rulebound.commands.local import start as run

    finish(run(model))


@local_app.command()
def stop(
    model: ModelArgument,
    force: Annotated[bool, typer.Option("--force", help="Even while processes use it or when it hangs.")] = False,
) -> None:
    """Stop a model that was started."""
    from rulebound.commands.local import stop as run

    finish(run(model, force=force))


@local_app.command()
def label(
    model: ModelArgument,
    messages: Annotated[list[str], typer.Argument(metavar="MESSAGE", help="What a player says.")],
) -> None:
    """Put a route on each message: action, knowledge or direct, with its probability."""
    from rulebound.commands.local import label as run

    finish(run(model, messages))


@local_app.command()
def status() -> None:
    """List the models that there are, which are installed, and which run."""
    from rulebound.commands.local import status as run

    finish(run())
