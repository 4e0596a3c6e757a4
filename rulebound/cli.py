"""Owns the command line: names, arguments, exit statuses. What a command does is imported when it runs.

`rulebound --help`. It must not know how anything works.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Optional

import typer

app = typer.Typer(
    name="rulebound",
    help="Play, check and serve worlds that are written in markdown.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
kb_app = typer.Typer(help="Search and read a knowledge base.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(kb_app, name="kb")

PathArgument = Annotated[str, typer.Argument(metavar="[PATH]", help="A folder, a Git URL, or a bundled world's name.")]
AtOption = Annotated[
    str | None,
    typer.Option("--at", metavar="REV", help="A branch, tag or commit; default: the folder as it is."),
]


@app.command()
def play(
    world: Annotated[str, typer.Argument(metavar="[WORLD|PATH|URL]", help="What to play.")] = "cloak",
    at: AtOption = None,
    script: Annotated[
        str | None,
        typer.Option(metavar="FILE|-", help="Read commands from a file (- for standard input)."),
    ] = None,
    seed: Annotated[Optional[int], typer.Option(help="The seed of chance; scripts have 0.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="With --script: one JSON object a turn.")] = False,
    state: Annotated[
        bool, typer.Option("--state", help="With --json: the perceivable and the true state as well.")
    ] = False,
    player: Annotated[str, typer.Option(metavar="NAME", help="Who plays; a game goes on where it was left.")] = "you",
    experience: Annotated[str | None, typer.Option(help="Which experience, where there are several.")] = None,
) -> None:
    """Play a world in the terminal."""
    from rulebound.commands.play import play as run

    _exit(run(world, at, script, seed, as_json=as_json, state=state, player=player, experience=experience))


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

    _exit(run(path, at, form))


@app.command()
def test(
    path: PathArgument = ".",
    at: AtOption = None,
    word: Annotated[str, typer.Option("-k", metavar="WORD", help="Only those whose name holds the word.")] = "",
) -> None:
    """Run every example and scenario. Exit 0: all pass, 1: some fail, 2: it cannot be read."""
    from rulebound.commands.check import test as run

    _exit(run(path, at, word))


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty folder.")],
    name: Annotated[Optional[str], typer.Option(help="The world's name.")] = None,
) -> None:
    """Start a world: a few pages, a scenario, a Git repository."""
    from rulebound.commands.setup import init as run

    _exit(run(folder, name))


@app.command()
def why(
    turn: Annotated[int | None, typer.Argument(metavar="[TURN]", help="Which turn; default: the last.")] = None,
) -> None:
    """Show the lines that decided a turn of the last game."""
    from rulebound.commands.play import why as run

    _exit(run(turn))


@app.command()
def worlds() -> None:
    """List the bundled worlds."""
    from rulebound.commands.setup import worlds as run

    _exit(run())


@app.command()
def doctor() -> None:
    """Tell what is missing on this machine and how to get it."""
    from rulebound.commands.setup import doctor as run

    _exit(run())


@app.command()
def mcp() -> None:
    """Serve the worlds over MCP on standard input and output."""
    from mcp_server.server import main as run

    _exit(run())


@kb_app.command()
def search(
    query: Annotated[str, typer.Argument(help="What to look for.")],
    path: Annotated[str, typer.Option("--kb", metavar="PATH", help="The knowledge base.")] = ".",
    limit: Annotated[int, typer.Option(help="How many results.")] = 10,
) -> None:
    """Find sections by words."""
    from rulebound.commands.knowledge import search as run

    _exit(run(path, query, limit))


@kb_app.command()
def read(
    page: Annotated[str, typer.Argument(help="A path, an id or a file's name.")],
    path: Annotated[str, typer.Option("--kb", metavar="PATH", help="The knowledge base.")] = ".",
    section: Annotated[Optional[str], typer.Option(help="Only this section.")] = None,
) -> None:
    """Read a page or a section."""
    from rulebound.commands.knowledge import read as run

    _exit(run(path, page, section))


@kb_app.command()
def links(
    page: Annotated[str, typer.Argument(help="A path, an id or a file's name.")],
    path: Annotated[str, typer.Option("--kb", metavar="PATH", help="The knowledge base.")] = ".",
) -> None:
    """Show what a page links to and what links to it."""
    from rulebound.commands.knowledge import links as run

    _exit(run(path, page))


def _exit(status: int) -> None:
    if status:
        raise typer.Exit(status)


def main() -> None:
    """The `rulebound` command. Errors that are the user's are one line and a hint; Ctrl-C is quiet."""
    from rulebound.errors import clash, explain

    if (problem := clash()) is not None:
        print(problem, file=sys.stderr)  # noqa: T201
        sys.exit(2)
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(0)
    except Exception as error:
        shown = explain(error)
        if shown is None:
            raise
        print(shown, file=sys.stderr)  # noqa: T201
        sys.exit(2)
