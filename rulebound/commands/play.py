"""Owns `rulebound play` and `rulebound why`: the terminal and scripts. It must not know how turns are resolved."""

from __future__ import annotations

import asyncio
import io
import json
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TextIO

from agents.hearing import Heard
from agents.worlds import Where
from rulebound.app import PRINCIPAL, App, between_turns, build, open_app
from rulebound.commands.table import QUIT, Table, explained
from rulebound.errors import explain
from rulebound.settings import Settings
from storage import StoreError

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession
    from rich.console import Console


class Show(Protocol):
    """Prints text to the player."""

    def __call__(self, text: str, style: str = "", /) -> Awaitable[None]: ...


def play(where: Where, script: str | None, seed: int | None, *, as_json: bool, state: bool, player: str) -> int:
    """Plays in the terminal, or a script; 0 when it ended well. Raises `WorldError` when it cannot start."""
    settings = Settings.from_environment()
    if script is None and (as_json or not (sys.stdin.isatty() and sys.stdout.isatty())):
        script = "-"
    if script is None:
        return asyncio.run(sit_down(settings, where, player, seed))
    app = build(settings)
    with _lines(script) as lines:
        return asyncio.run(_script(app, where, player, lines, seed or 0, as_json=as_json, state=state))


def _lines(script: str) -> TextIO:
    """The script's lines; what is not UTF-8 is shown as such and not understood."""
    if script == "-":
        return io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8", errors="replace")
    return Path(script).open(encoding="utf-8", errors="replace")


async def _script(
    app: App, where: Where, player: str, lines: Iterable[str], seed: int, *, as_json: bool, state: bool
) -> int:
    """Prints `> command` and the answer for each line, or a JSON object. World time begins where the world says, so that
    the same script and seed always give the same output."""
    table = Table(app, where, player)
    opening = await table.begin(seed)
    now = (await table.game()).world.rulebook.settings.begins
    if not as_json:
        print(opening, flush=True)
    for raw in lines:
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if line in QUIT:
            break
        answer = await table.line(line, now=now)
        if as_json:
            print(json.dumps(await table.as_data(line, answer, state=state), ensure_ascii=False), flush=True)
        else:
            print("\n".join(("", f"> {line}", *answer.notes, answer.text)), flush=True)
    return 0


async def sit_down(settings: Settings, where: Where, player: str, seed: int | None) -> int:
    """In the terminal, with a game that outlives the process."""
    async with open_app(settings) as app, between_turns(app):
        return await _terminal(app, Table(app, where, player), seed)


async def _terminal(app: App, table: Table, seed: int | None) -> int:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.completion import CompleteEvent, Completer, Completion
    from prompt_toolkit.document import Document
    from prompt_toolkit.history import FileHistory
    from rich.console import Console

    console = Console(highlight=False)
    status = ""

    async def show(text: str, style: str = "") -> None:
        """Prints text, a room's name in bold, and takes up what the status line shows."""
        nonlocal status
        game = await table.game()
        row, most = game.state.rows[game.player], game.world.rulebook.settings.max_score
        room = str(game.state.rows.get(row["location"], {}).get("name", ""))
        score = f"{row['score']} of {most}" if most is not None else str(row["score"])
        status = f" {room or game.world.rulebook.settings.name} | score {score} | turns {row['turns']} "
        for line in text.split("\n"):
            console.print(line, markup=False, style="bold" if room and line == room else style)
        console.print()

    class Legal(Completer):
        """Commands that would be allowed; prompt_toolkit asks the asynchronous form."""

        def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
            return ()

        async def get_completions_async(
            self, document: Document, complete_event: CompleteEvent
        ) -> AsyncGenerator[Completion, None]:
            typed = document.text_before_cursor.lstrip()
            for command in await table.complete(typed):
                yield Completion(command, start_position=-len(typed))

    app.settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    prompt: PromptSession[str] = PromptSession(
        history=FileHistory(str(app.settings.history)),
        completer=Legal(),
        complete_while_typing=False,
        bottom_toolbar=lambda: status,
    )
    await show(await table.begin(seed))
    await show("(Tab shows what you can do; help says more; quit leaves.)", "dim")
    async with await table.listen() as heard:
        telling = asyncio.create_task(_tell(heard, show))
        try:
            return await _prompt(prompt, table, console, show)
        finally:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)


async def _tell(heard: AsyncIterator[Heard], show: Show) -> None:
    """Shows what the player hears as it comes, above the line that is being typed."""
    from prompt_toolkit.application import in_terminal

    async for each in heard:
        async with in_terminal():
            with suppress(StoreError):  # the store is away; what is said at the prompt tells so
                await show(each.text, "dim" if each.type == "presence" else "")


async def _prompt(prompt: PromptSession[str], table: Table, console: Console, show: Show) -> int:
    """Reads and answers lines until the player leaves."""
    while True:
        try:
            line = (await prompt.prompt_async("> ")).strip()
        except (EOFError, KeyboardInterrupt):
            line = "quit"
        if line in QUIT:
            console.print("Your game is kept.")
            return 0
        if not line:
            continue
        try:
            answer = await table.line(line)
            if answer.notes:
                await show("\n".join(answer.notes), "yellow")
            await show(answer.text)
            if answer.reply is not None and answer.reply.ended:
                await show("(The game is over. Say undo, restore, restart or quit.)", "dim")
        except Exception as error:
            shown = explain(error)
            if shown is None:
                raise
            await show(shown, "red")


def why(turn: int | None) -> int:
    """Prints the lines that decided a turn of the last game; 1 when there is none."""

    async def ask() -> str | None:
        async with open_app(Settings.from_environment()) as app:
            played = await app.store.seats(PRINCIPAL, limit=1)
            return explained(await app.games.why(played[0][0].handle, PRINCIPAL, turn)) if played else None

    shown = asyncio.run(ask())
    if shown is None:
        print("There is no game yet. Play one: rulebound play", file=sys.stderr)
        return 1
    print(shown)
    return 0
