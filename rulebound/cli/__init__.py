"""Owns the command line: names, arguments, exit statuses. What a command does is imported when it runs.

`rulebound --help`. It must not know how anything works.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Optional

import typer

from rulebound.cli.access import keys_app, roles_app, teams_app
from rulebound.cli.bases import kb_app
from rulebound.cli.clients import mcp_app
from rulebound.cli.evals import eval_app
from rulebound.cli.local import local_app
from rulebound.cli.operating import jobs_app, player_app, services_app
from rulebound.cli.options import AtOption, PathArgument, WorldsArgument, finish, located

app = typer.Typer(
    name="rulebound",
    help="Play, check and serve worlds that are written in markdown.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(mcp_app, name="mcp")
app.add_typer(kb_app, name="kb")
app.add_typer(keys_app, name="keys")
app.add_typer(roles_app, name="roles")
app.add_typer(teams_app, name="teams")
app.add_typer(player_app, name="player")
app.add_typer(services_app, name="services")
app.add_typer(jobs_app, name="jobs")
app.add_typer(local_app, name="local")
app.add_typer(eval_app, name="eval")


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
def models(
    json: Annotated[bool, typer.Option("--json", help="Machine-readable output.")] = False,
    call: Annotated[bool, typer.Option("--call/--no-call", help="Ask each provider for a word.")] = True,
) -> None:
    """Show the models: providers, a test call of each, what was spent today. Exit 1: none is configured, or one fails."""
    from rulebound.commands.models import models as run

    finish(run(as_json=json, call=call))


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
    from rulebound.commands.play import play as run

    where = located(world, at, experience)
    finish(run(where, script, seed, as_json=as_json or state, state=state, player=player))


@app.command()
def check(
    path: PathArgument = ".",
    at: AtOption = None,
    form: Annotated[
        str, typer.Option("--format", metavar="text|json|sarif|github", help="How problems are shown.")
    ] = "text",
) -> None:
    """Find every problem of a knowledge base. Exit 0: none, 1: problems, 2: it cannot be read."""
    from rulebound.commands.check import check as run

    finish(run(located(path, at), form))


@app.command()
def test(
    path: PathArgument = ".",
    at: AtOption = None,
    word: Annotated[str, typer.Option("-k", metavar="WORD", help="Only those whose name or page holds the word.")] = "",
    with_model: Annotated[
        bool, typer.Option("--with-model", help="Also what says `by: model`, with the model that is configured.")
    ] = False,
) -> None:
    """Run every example and scenario. Exit 0: all pass, 1: some fail, 2: nothing can be run."""
    from rulebound.commands.check import test as run

    finish(run(located(path, at), word, with_model=with_model))


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty folder.")],
    name: Annotated[Optional[str], typer.Option(help="The world's name; default: the folder's.")] = None,
) -> None:
    """Start a world: a few pages, a scenario, a Git repository."""
    from rulebound.commands.setup import init as run

    finish(run(folder, name))


@app.command()
def ask(
    question: Annotated[str, typer.Argument(metavar="QUESTION", help="A question, or what the player says.")],
    world: Annotated[str, typer.Option(metavar="WORLD|PATH|URL", help="About which world.")] = "cloak",
    at: AtOption = None,
    experience: Annotated[
        Optional[str], typer.Option(metavar="ID", help="Which experience, where there are several.")
    ] = None,
    player: Annotated[
        Optional[str], typer.Option(metavar="NAME", help="In this player's game: what they say may become a turn.")
    ] = None,
    persona: Annotated[str, typer.Option(metavar="ID", help="A persona page of the world.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
) -> None:
    """Answer a message from rules, pages and models, with citations. Exit 0: answered, 1: nobody knew."""
    from rulebound.commands.ask import ask as run

    finish(run(located(world, at, experience), question, player=player, persona=persona, as_json=as_json))


@app.command()
def why(
    turn: Annotated[Optional[int], typer.Argument(metavar="TURN", help="Which turn; default: the last.")] = None,
) -> None:
    """Show the lines that decided a turn of the last game."""
    from rulebound.commands.play import why as run

    finish(run(turn))


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
    from rulebound.commands.replay import replay as run

    finish(run(player, since, against, None if world is None else located(world), jobs, form))


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
    from rulebound.commands.reset import reset as run

    finish(run(located(world, at, experience), player, back, yes=yes))


@app.command()
def worlds() -> None:
    """List the bundled worlds."""
    from rulebound.commands.setup import worlds as run

    finish(run())


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

    finish(run.health() if health else run.metrics() if metrics else run.doctor())


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
        finish(run.stop())
    else:
        site = {"host": host, "port": port, "trust_loopback": trust_loopback}
        finish(run.serve(worlds or [], site, workers=workers))


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
