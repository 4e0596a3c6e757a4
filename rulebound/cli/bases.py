"""Owns `rulebound kb …`: its names, arguments, exit statuses. It must not know how pages are kept."""

from __future__ import annotations

from typing import Annotated, Optional

import typer

from rulebound.cli.options import (
    AtOption,
    BaseOption,
    DraftArgument,
    DraftOption,
    DryOption,
    HolderArgument,
    KbOption,
    MessageOption,
    NamespaceArgument,
    TeamOption,
    finish,
    located,
)

kb_app = typer.Typer(help="Search, read and write knowledge bases.", no_args_is_help=True, rich_markup_mode=None)


@kb_app.command()
def search(
    query: Annotated[str, typer.Argument(help="What to look for.")],
    path: KbOption = ".",
    limit: Annotated[int, typer.Option(min=1, max=50, help="How many results.")] = 10,
    kind: Annotated[Optional[str], typer.Option(help="Only pages of this kind (`item`, `lore`).")] = None,
    under: Annotated[str, typer.Option(help="Only below this folder.")] = "",
    where: Annotated[Optional[list[str]], typer.Option(help="Only pages whose front matter has `key=value`.")] = None,
    at: AtOption = None,
) -> None:
    """Find sections by words. Words that no page has are mended; the last one may be half typed."""
    from rulebound.commands.knowledge import search as run

    finish(run(located(path, at), query, limit, kind, under, where or []))


@kb_app.command()
def read(
    page: Annotated[str, typer.Argument(help="A path, an id or a file's name.")],
    path: KbOption = ".",
    section: Annotated[Optional[str], typer.Option(help="Only this section.")] = None,
    at: AtOption = None,
) -> None:
    """Read a page or a section."""
    from rulebound.commands.knowledge import read as run

    finish(run(located(path, at), page, section))


@kb_app.command()
def links(
    page: Annotated[str, typer.Argument(help="A path, an id or a file's name.")],
    path: KbOption = ".",
    at: AtOption = None,
) -> None:
    """Show what a page links to and what links to it."""
    from rulebound.commands.knowledge import links as run

    finish(run(located(path, at), page))


@kb_app.command()
def create(
    name: Annotated[str, typer.Argument(help="Small letters, digits and hyphens.")],
    visibility: Annotated[
        str, typer.Option(metavar="shared|team|private", help="Who reads it: everybody, a team, you.")
    ] = "private",
    team: Annotated[str, typer.Option(metavar="NAME", help="Whose it is, with --visibility team.")] = "",
    like: Annotated[str, typer.Option(metavar="WORLD", help="Begin with the pages of a bundled world.")] = "",
) -> None:
    """Make a knowledge base that clients may write to."""
    from rulebound.commands.bases import create as run

    if visibility not in ("shared", "team", "private"):
        raise typer.BadParameter("one of shared, team, private", param_hint="--visibility")
    finish(run(name, visibility, team, like))


@kb_app.command("list")
def kb_list() -> None:
    """List the knowledge bases, who reads them, and what you may do there."""
    from rulebound.commands.bases import bases as run

    finish(run())


@kb_app.command()
def write(
    page: Annotated[str, typer.Argument(metavar="PAGE", help="Its path, like rooms/cellar.md.")],
    kb: BaseOption = ".",
    file: Annotated[str, typer.Option("--file", metavar="FILE|-", help="Its text; - is standard input.")] = "",
    template: Annotated[str, typer.Option(metavar="KIND", help="Instead of a text, what a page begins as.")] = "",
    copy_of: Annotated[str, typer.Option(metavar="PAGE", help="Instead of a text, another page.")] = "",
    replace: Annotated[bool, typer.Option("--replace", help="The page is there, and gets this text.")] = False,
    branch: DraftOption = "",
    message: MessageOption = "",
    dry_run: DryOption = False,
) -> None:
    """Write a page as a commit, if it is valid. Exit 1: it has problems."""
    from rulebound.commands.bases import write as run

    finish(run(kb, page, file, template, copy_of, branch, message, replace=replace, dry_run=dry_run))


@kb_app.command()
def history(
    page: Annotated[str, typer.Argument(metavar="[PAGE]", help="Which page; default: all.")] = "",
    kb: BaseOption = ".",
    branch: DraftOption = "",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many commits.")] = 20,
) -> None:
    """Show the commits that changed a page, the newest first."""
    from rulebound.commands.bases import history as run

    finish(run(kb, page, branch, limit))


@kb_app.command()
def drafts(kb: BaseOption = ".") -> None:
    """List drafts: how many commits each is ahead of the live branch and behind it."""
    from rulebound.commands.bases import drafts as run

    finish(run(kb))


@kb_app.command()
def diff(draft: DraftArgument, kb: BaseOption = ".") -> None:
    """Show what a draft changes, as a patch."""
    from rulebound.commands.bases import diff as run

    finish(run(kb, draft))


@kb_app.command()
def publish(
    draft: DraftArgument, kb: BaseOption = ".", message: MessageOption = "", dry_run: DryOption = False
) -> None:
    """Merge a draft into the live branch, if it is valid there."""
    from rulebound.commands.bases import publish as run

    finish(run(kb, draft, message, dry_run=dry_run))


@kb_app.command()
def revert(
    commit: Annotated[str, typer.Argument(help="Its id, from history.")],
    kb: BaseOption = ".",
    branch: DraftOption = "",
    message: MessageOption = "",
) -> None:
    """Take a commit back, by another one."""
    from rulebound.commands.bases import revert as run

    finish(run(kb, commit, branch, message))


@kb_app.command()
def webhook(name: Annotated[str, typer.Argument(help="The knowledge base, as it is served.")]) -> None:
    """Tell the address and the secret with which a Git host says that it was pushed to."""
    from rulebound.commands.bases import webhook as run

    finish(run(name))


@kb_app.command()
def share(
    namespace: NamespaceArgument,
    holder: HolderArgument,
    right: Annotated[str, typer.Argument(metavar="RIGHT", help="read, write or publish.")] = "read",
    team: TeamOption = False,
    days: Annotated[int, typer.Option(min=0, help="For how long; 0: until it is taken back.")] = 30,
) -> None:
    """Lend a right in a knowledge base to somebody or to a team."""
    from rulebound.commands.access import share as run

    finish(run(namespace, holder, right, days, team=team))


@kb_app.command()
def unshare(namespace: NamespaceArgument, holder: HolderArgument, team: TeamOption = False) -> None:
    """Take back what was lent."""
    from rulebound.commands.access import unshare as run

    finish(run(namespace, holder, team=team))


@kb_app.command()
def shares(namespace: NamespaceArgument) -> None:
    """Show what was lent, to whom, until when. Exit 1: nothing."""
    from rulebound.commands.access import shares as run

    finish(run(namespace))
