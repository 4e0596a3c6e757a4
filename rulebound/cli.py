"""Owns the command line: names, arguments, exit statuses. What a command does is imported when it runs.

`rulebound --help`. It must not know how anything works.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any, Optional

import typer
from typer.core import TyperGroup


class _Serving(TyperGroup):
    """A group that serves where no command of it is named: clients start `rulebound mcp [WORLD …]`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        named = args[0] if args else ""
        return super().parse_args(ctx, args if named in self.commands or named == "--help" else ["serve", *args])


app = typer.Typer(
    name="rulebound",
    help="Play, check and serve worlds that are written in markdown.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
mcp_app = typer.Typer(
    cls=_Serving,
    help="Serve worlds to a chat client over MCP: the client starts this and speaks to it on standard input and output.",
    rich_markup_mode=None,
)
app.add_typer(mcp_app, name="mcp")
kb_app = typer.Typer(help="Search, read and write knowledge bases.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(kb_app, name="kb")
services_app = typer.Typer(
    help="Start, stop and look at the embedded PostgreSQL and Valkey.", no_args_is_help=True, rich_markup_mode=None
)
jobs_app = typer.Typer(help="What runs between turns and failed.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(jobs_app, name="jobs")
app.add_typer(services_app, name="services")
player_app = typer.Typer(
    help="What is kept about a player: show, export, erase.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(player_app, name="player")
keys_app = typer.Typer(help="API keys: create, list, revoke.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(keys_app, name="keys")
roles_app = typer.Typer(help="Roles of principals: grant, revoke, list.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(roles_app, name="roles")
teams_app = typer.Typer(help="Teams of principals: join, leave, list.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(teams_app, name="teams")

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


def _version(wanted: bool) -> None:
    if wanted:
        from rulebound import __version__

        print(f"rulebound {__version__}")  # noqa: T201
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Play, check and serve worlds that are written in markdown."""


@app.command()
def play(
    world: Annotated[str, typer.Argument(metavar="WORLD|PATH|URL", help="What to play.")] = "cloak",
    at: AtOption = None,
    script: Annotated[
        Optional[str],
        typer.Option(metavar="FILE|-", help="Read commands from a file (- for standard input)."),
    ] = None,
    seed: Annotated[Optional[int], typer.Option(help="The seed of chance; a script without one has 0.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Read a script and print one JSON object a turn.")] = False,
    state: Annotated[
        bool, typer.Option("--state", help="With --json: also the perceivable and the true state.")
    ] = False,
    player: Annotated[str, typer.Option(metavar="NAME", help="Who plays; a game goes on where it was left.")] = "you",
    experience: Annotated[
        Optional[str], typer.Option(metavar="ID", help="Which experience, where there are several.")
    ] = None,
) -> None:
    """Play a world in the terminal, or a script."""
    from agents.worlds import Where
    from rulebound.commands.play import play as run

    where = Where.of(world, at, experience)
    _exit(run(where, script, seed, as_json=as_json or state, state=state, player=player))


@app.command()
def check(
    path: PathArgument = ".",
    at: AtOption = None,
    form: Annotated[
        str, typer.Option("--format", metavar="text|json|sarif|github", help="How problems are shown.")
    ] = "text",
) -> None:
    """Find every problem of a knowledge base. Exit 0: none, 1: problems, 2: it cannot be read."""
    from agents.worlds import Where
    from rulebound.commands.check import check as run

    _exit(run(Where.of(path, at), form))


@app.command()
def test(
    path: PathArgument = ".",
    at: AtOption = None,
    word: Annotated[str, typer.Option("-k", metavar="WORD", help="Only those whose name or page holds the word.")] = "",
) -> None:
    """Run every example and scenario. Exit 0: all pass, 1: some fail, 2: nothing can be run."""
    from agents.worlds import Where
    from rulebound.commands.check import test as run

    _exit(run(Where.of(path, at), word))


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty folder.")],
    name: Annotated[Optional[str], typer.Option(help="The world's name; default: the folder's.")] = None,
) -> None:
    """Start a world: a few pages, a scenario, a Git repository."""
    from rulebound.commands.setup import init as run

    _exit(run(folder, name))


@app.command()
def why(
    turn: Annotated[Optional[int], typer.Argument(metavar="TURN", help="Which turn; default: the last.")] = None,
) -> None:
    """Show the lines that decided a turn of the last game."""
    from rulebound.commands.play import why as run

    _exit(run(turn))


@app.command()
def replay(
    player: Annotated[Optional[str], typer.Option(metavar="P", help="Only the turns of this player.")] = None,
    since: Annotated[
        Optional[str], typer.Option(metavar="T", help="Only turns said at or after a time: 2026-03-01, or 7d ago.")
    ] = None,
    against: Annotated[
        Optional[str],
        typer.Option(
            metavar="REV", help="Compare with a branch, tag or commit of the world, or with a folder of pages."
        ),
    ] = None,
    world: Annotated[
        Optional[str], typer.Option(metavar="WORLD|PATH|URL", help="Only the games of this world.")
    ] = None,
    jobs: Annotated[Optional[int], typer.Option(min=1, help="How many processes; default: one for each core.")] = None,
    form: Annotated[
        str, typer.Option("--format", metavar="text|json|markdown", help="How the report is shown.")
    ] = "text",
) -> None:
    """Run stored turns again: each must end as it was recorded.

    With --against, list the turns that would end differently there. Exit 0: nothing differs, 1: something does, 2: it
    cannot be done.
    """
    from agents.worlds import Where
    from rulebound.commands.replay import replay as run

    _exit(run(player, since, against, None if world is None else Where.of(world), jobs, form))


@app.command()
def reset(
    world: Annotated[str, typer.Argument(metavar="WORLD|PATH|URL", help="Which world.")],
    at: AtOption = None,
    player: Annotated[
        Optional[str],
        typer.Option(metavar="NAME", help="Whose game; default: you, or everyone in a shared world."),
    ] = None,
    back: Annotated[
        Optional[str], typer.Option("--restore", metavar="SAVE", help="Go back to a save or backup instead.")
    ] = None,
    experience: Annotated[
        Optional[str], typer.Option(metavar="ID", help="Which experience, where there are several.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Begin a world anew. As it was before, it is kept as a backup; the last five are. Exit 1: you said no."""
    from agents.worlds import Where
    from rulebound.commands.reset import reset as run

    _exit(run(Where.of(world, at, experience), player, back, yes=yes))


@app.command()
def worlds() -> None:
    """List the bundled worlds."""
    from rulebound.commands.setup import worlds as run

    _exit(run())


@app.command()
def doctor(
    health: Annotated[bool, typer.Option("--health", help="Instead, how PostgreSQL and Redis do, as JSON.")] = False,
    metrics: Annotated[
        bool, typer.Option("--metrics", help="Instead, what is measured, in the form that Prometheus reads.")
    ] = False,
) -> None:
    """Tell what is missing on this machine and how to get it.

    --health and --metrics start the servers where they do not run. Exit 1: something is missing or degraded.
    """
    from rulebound.commands import doctor as run

    _exit(run.health() if health else run.metrics() if metrics else run.doctor())


@app.command()
def serve(
    worlds: WorldsArgument = None,
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Which port; 0: any free one.")] = 8787,
    workers: Annotated[int, typer.Option(min=1, max=64, help="How many processes serve.")] = 1,
    trust_loopback: Annotated[
        bool, typer.Option("--trust-loopback", help="Who is on this machine needs no credential, and is the owner.")
    ] = False,
    stop: Annotated[bool, typer.Option("--stop", help="End the daemon that runs.")] = False,
) -> None:
    """Serve chat clients, games and administration: MCP at /mcp, a WebSocket at /ws.

    Without this command `rulebound mcp` starts a daemon of its own, which has no port and ends when nobody uses it.
    """
    from rulebound.commands import daemon as run

    if stop:
        _exit(run.stop())
    else:
        site = {"host": host, "port": port, "trust_loopback": trust_loopback}
        _exit(run.serve(worlds or [], site, workers=workers))


@mcp_app.command("serve")
def mcp_serve(
    worlds: WorldsArgument = None,
    standalone: Annotated[
        bool, typer.Option("--standalone", help="One process by itself, without the daemon.")
    ] = False,
) -> None:
    """Serve worlds on standard input and output; `serve` may be left out."""
    from rulebound.commands import daemon as run

    _exit(run.mcp(worlds or [], standalone=standalone))


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

    _exit(run(client, worlds or [], show=show))


@mcp_app.command()
def uninstall(client: ClientArgument) -> None:
    """Take that out of the client's file again. Exit 1: it was not there."""
    from rulebound.commands.clients import uninstall as run

    _exit(run(client))


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
    from agents.worlds import Where
    from rulebound.commands.knowledge import search as run

    _exit(run(Where.of(path, at), query, limit, kind, under, where or []))


@kb_app.command()
def read(
    page: Annotated[str, typer.Argument(help="A path, an id or a file's name.")],
    path: KbOption = ".",
    section: Annotated[Optional[str], typer.Option(help="Only this section.")] = None,
    at: AtOption = None,
) -> None:
    """Read a page or a section."""
    from agents.worlds import Where
    from rulebound.commands.knowledge import read as run

    _exit(run(Where.of(path, at), page, section))


@kb_app.command()
def links(
    page: Annotated[str, typer.Argument(help="A path, an id or a file's name.")],
    path: KbOption = ".",
    at: AtOption = None,
) -> None:
    """Show what a page links to and what links to it."""
    from agents.worlds import Where
    from rulebound.commands.knowledge import links as run

    _exit(run(Where.of(path, at), page))


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
    _exit(run(name, visibility, team, like))


@kb_app.command("list")
def kb_list() -> None:
    """List the knowledge bases, who reads them, and what you may do there."""
    from rulebound.commands.bases import bases as run

    _exit(run())


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

    _exit(run(kb, page, file, template, copy_of, branch, message, replace=replace, dry_run=dry_run))


@kb_app.command()
def history(
    page: Annotated[str, typer.Argument(metavar="[PAGE]", help="Which page; default: all.")] = "",
    kb: BaseOption = ".",
    branch: DraftOption = "",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many commits.")] = 20,
) -> None:
    """Show the commits that changed a page, the newest first."""
    from rulebound.commands.bases import history as run

    _exit(run(kb, page, branch, limit))


@kb_app.command()
def drafts(kb: BaseOption = ".") -> None:
    """List drafts: how many commits each is ahead of the live branch and behind it."""
    from rulebound.commands.bases import drafts as run

    _exit(run(kb))


@kb_app.command()
def diff(draft: DraftArgument, kb: BaseOption = ".") -> None:
    """Show what a draft changes, as a patch."""
    from rulebound.commands.bases import diff as run

    _exit(run(kb, draft))


@kb_app.command()
def publish(
    draft: DraftArgument, kb: BaseOption = ".", message: MessageOption = "", dry_run: DryOption = False
) -> None:
    """Merge a draft into the live branch, if it is valid there."""
    from rulebound.commands.bases import publish as run

    _exit(run(kb, draft, message, dry_run=dry_run))


@kb_app.command()
def revert(
    commit: Annotated[str, typer.Argument(help="Its id, from history.")],
    kb: BaseOption = ".",
    branch: DraftOption = "",
    message: MessageOption = "",
) -> None:
    """Take a commit back, by another one."""
    from rulebound.commands.bases import revert as run

    _exit(run(kb, commit, branch, message))


@kb_app.command()
def webhook(name: Annotated[str, typer.Argument(help="The knowledge base, as it is served.")]) -> None:
    """Tell the address and the secret with which a Git host says that it was pushed to."""
    from rulebound.commands.bases import webhook as run

    _exit(run(name))


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

    _exit(run(namespace, holder, right, days, team=team))


@kb_app.command()
def unshare(namespace: NamespaceArgument, holder: HolderArgument, team: TeamOption = False) -> None:
    """Take back what was lent."""
    from rulebound.commands.access import unshare as run

    _exit(run(namespace, holder, team=team))


@kb_app.command()
def shares(namespace: NamespaceArgument) -> None:
    """Show what was lent, to whom, until when. Exit 1: nothing."""
    from rulebound.commands.access import shares as run

    _exit(run(namespace))


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

    _exit(run(name, role or (), scope, principal, days))


@keys_app.command("list")
def keys_list(principal: PrincipalOption = None) -> None:
    """Show keys, without their secrets. Exit 1: there are none."""
    from rulebound.commands.access import keys as run

    _exit(run(principal))


@keys_app.command("revoke")
def keys_revoke(id: Annotated[str, typer.Argument(metavar="ID", help="As `keys list` tells it.")]) -> None:
    """End a key, everywhere."""
    from rulebound.commands.access import revoke_key as run

    _exit(run(id))


@roles_app.command("grant")
def roles_grant(principal: PrincipalArgument, role: RoleArgument) -> None:
    """Give a role."""
    from rulebound.commands.access import grant as run

    _exit(run(principal, role))


@roles_app.command("revoke")
def roles_revoke(principal: PrincipalArgument, role: RoleArgument) -> None:
    """Take a role back."""
    from rulebound.commands.access import withdraw as run

    _exit(run(principal, role))


@roles_app.command("list")
def roles_list(principal: PrincipalOption = None) -> None:
    """Show who was granted what. Exit 1: nobody was."""
    from rulebound.commands.access import roles as run

    _exit(run(principal))


@teams_app.command("join")
def teams_join(principal: PrincipalArgument, team: TeamArgument) -> None:
    """Make somebody a member."""
    from rulebound.commands.access import join as run

    _exit(run(principal, team))


@teams_app.command("leave")
def teams_leave(principal: PrincipalArgument, team: TeamArgument) -> None:
    """End a membership."""
    from rulebound.commands.access import leave as run

    _exit(run(principal, team))


@teams_app.command("list")
def teams_list(principal: PrincipalOption = None) -> None:
    """Show who is in which team. Exit 1: nobody is."""
    from rulebound.commands.access import teams as run

    _exit(run(principal))


@services_app.command()
def start() -> None:
    """Start the embedded servers and let them run until `services stop`."""
    from rulebound.commands.services import start as run

    _exit(run())


@services_app.command()
def stop(
    force: Annotated[bool, typer.Option("--force", help="Even while processes use them or when they hang.")] = False,
) -> None:
    """Stop the embedded servers."""
    from rulebound.commands.services import stop as run

    _exit(run(force=force))


@services_app.command()
def status() -> None:
    """Show which servers are used and how they are. Exit 0: all are ready, 1: not all."""
    from rulebound.commands.services import status as run

    _exit(run())


@player_app.command()
def show(name: NameArgument) -> None:
    """Show how far a player is: totals, and each experience."""
    from rulebound.commands.player import show as run

    _exit(run(name))


@player_app.command()
def export(
    name: NameArgument,
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="Where to; - is standard output.")] = "-",
) -> None:
    """Write everything that is kept about a player, as JSON."""
    from rulebound.commands.player import export as run

    _exit(run(name, file))


@player_app.command()
def erase(
    name: NameArgument,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Erase a player for good. Exit 1: it was not confirmed."""
    from rulebound.commands.player import erase as run

    _exit(run(name, sure=yes))


@jobs_app.command("list")
def jobs_list() -> None:
    """Show clocks and messages that failed. Exit 0: none was given up, 1: some were."""
    from rulebound.commands.jobs import jobs as run

    _exit(run())


@jobs_app.command()
def retry() -> None:
    """Try everything again that was given up."""
    from rulebound.commands.jobs import retry as run

    _exit(run())


def _exit(status: int) -> None:
    if status:
        raise typer.Exit(status)


def _tell(line: str) -> None:
    print(line, file=sys.stderr)  # noqa: T201


def main() -> None:
    """The `rulebound` command. Errors are a line and a hint with status 2, never a traceback; Ctrl-C is quiet."""
    from rulebound.errors import clash, explain, unexpected
    from rulebound.settings import Settings

    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # pyright: ignore
    if (problem := clash()) is not None:
        _tell(problem)
        sys.exit(2)
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # Whoever read the output is gone; what Python still holds of it must not be written at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as error:
        settings = Settings.from_environment()
        shown = explain(error)
        if shown is None and settings.debug:
            raise
        _tell(shown or unexpected(error, settings.crash))
        sys.exit(2)
