"""Owns `rulebound keys|roles|teams …`: their names and arguments. It must not know who may do what."""

from __future__ import annotations

from typing import Annotated, Optional

import typer

from rulebound.cli.options import PrincipalArgument, PrincipalOption, RoleArgument, TeamArgument, finish

keys_app = typer.Typer(help="API keys: create, list, revoke.", no_args_is_help=True, rich_markup_mode=None)
roles_app = typer.Typer(help="Roles of principals: grant, revoke, list.", no_args_is_help=True, rich_markup_mode=None)
teams_app = typer.Typer(help="Teams of principals: join, leave, list.", no_args_is_help=True, rich_markup_mode=None)


@keys_app.command("create")
def keys_create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What you call it.")],
    role: Annotated[
        Optional[list[str]], typer.Option(metavar="ROLE", help="Grant this role with it; may be given again.")
    ] = None,
    scope: Annotated[
        Optional[list[str]],
        typer.Option(metavar="SCOPE", help="Allow this and no more; may be given again. Default: all below admin."),
    ] = None,
    principal: Annotated[
        Optional[str], typer.Option(metavar="ID", help="Who it speaks for; default: somebody new.")
    ] = None,
    days: Annotated[int, typer.Option(help="How long it is good for.")] = 90,
) -> None:
    """Make a key and print it, once."""
    from rulebound.commands.access import create_key as run

    finish(run(name, role or (), scope, principal, days))


@keys_app.command("list")
def keys_list(principal: PrincipalOption = None) -> None:
    """Show keys, without their secrets. Exit 1: there are none."""
    from rulebound.commands.access import keys as run

    finish(run(principal))


@keys_app.command("revoke")
def keys_revoke(id: Annotated[str, typer.Argument(metavar="ID", help="As `keys list` tells it.")]) -> None:
    """End a key, everywhere."""
    from rulebound.commands.access import revoke_key as run

    finish(run(id))


@roles_app.command("grant")
def roles_grant(principal: PrincipalArgument, role: RoleArgument) -> None:
    """Give a role."""
    from rulebound.commands.access import grant as run

    finish(run(principal, role))


@roles_app.command("revoke")
def roles_revoke(principal: PrincipalArgument, role: RoleArgument) -> None:
    """Take a role back."""
    from rulebound.commands.access import withdraw as run

    finish(run(principal, role))


@roles_app.command("list")
def roles_list(principal: PrincipalOption = None) -> None:
    """Show who was granted what. Exit 1: nobody was."""
    from rulebound.commands.access import roles as run

    finish(run(principal))


@teams_app.command("join")
def teams_join(principal: PrincipalArgument, team: TeamArgument) -> None:
    """Make somebody a member."""
    from rulebound.commands.access import join as run

    finish(run(principal, team))


@teams_app.command("leave")
def teams_leave(principal: PrincipalArgument, team: TeamArgument) -> None:
    """End a membership."""
    from rulebound.commands.access import leave as run

    finish(run(principal, team))


@teams_app.command("list")
def teams_list(principal: PrincipalOption = None) -> None:
    """Show who is in which team. Exit 1: nobody is."""
    from rulebound.commands.access import teams as run

    finish(run(principal))
