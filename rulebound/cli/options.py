"""Owns what several commands take, and how a command ends. It must not know what commands do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Optional

import typer

if TYPE_CHECKING:
    from agents.worlds import Where

ClientArgument = Annotated[
    str,
    typer.Argument(
        metavar="CLIENT", help="claude-code, claude-desktop, codex, opencode, gemini, qwen, vscode or cursor."
    ),
]
PathArgument = Annotated[str, typer.Argument(metavar="PATH", help="A folder, a Git URL, or a bundled world's name.")]
KbOption = Annotated[
    str, typer.Option("--kb", metavar="PATH", help="The knowledge base: a folder, a URL, or a bundled world's name.")
]
BaseOption = Annotated[
    str,
    typer.Option(
        "--kb", metavar="NAME|PATH", help="The knowledge base: a folder in a Git repository, or one that was made."
    ),
]
DraftOption = Annotated[str, typer.Option("--branch", metavar="DRAFT", help="A draft; default: the live branch.")]
DraftArgument = Annotated[str, typer.Argument(metavar="DRAFT", help="As `kb drafts` lists it.")]
MessageOption = Annotated[str, typer.Option("-m", "--message", help="Why, for the history.")]
DryOption = Annotated[bool, typer.Option("--dry-run", help="Only check it.")]
PrincipalArgument = Annotated[
    str, typer.Argument(metavar="PRINCIPAL", help="An id, as `keys create`, `keys list` or GET /whoami tells it.")
]
PrincipalOption = Annotated[Optional[str], typer.Option(metavar="ID", help="Of this principal alone.")]
RoleArgument = Annotated[str, typer.Argument(metavar="ROLE", help="player, designer, gm, admin or owner.")]
TeamArgument = Annotated[str, typer.Argument(metavar="TEAM", help="A team's name.")]
HolderArgument = Annotated[str, typer.Argument(metavar="HOLDER", help="A principal's id; with --team a team's name.")]
TeamOption = Annotated[bool, typer.Option("--team", help="The holder is a team.")]
NamespaceArgument = Annotated[str, typer.Argument(metavar="NAMESPACE", help="A knowledge base that was made here.")]
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Whom, by the name that they play under.")]
WorldsArgument = Annotated[
    Optional[list[str]],
    typer.Argument(metavar="WORLD|PATH|URL", help="What to serve besides the bundled worlds."),
]
AtOption = Annotated[
    Optional[str],
    typer.Option("--at", metavar="REV", help="A branch, tag or commit; default: the folder as it is."),
]


def finish(status: int) -> None:
    """Ends the command with a status that is not 0."""
    if status:
        raise typer.Exit(status)


def located(name: str, at: str | None = None, experience: str | None = None) -> Where:
    """What a user named: a bundled world, a folder, a URL, or a knowledge base that was made here."""
    from agents.worlds import Where
    from rulebound.settings import Settings

    where = Where.of(name, at, experience)
    made = Settings.from_environment().home / "knowledge" / f"{name}.git"
    if where.location == name and "/" not in name and where.path == name and made.is_dir():
        return Where(str(made), at or "HEAD", experience)
    return where
