"""Owns `rulebound play` and `rulebound why`: the terminal and scripts. It must not know how turns are resolved."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncGenerator, Callable, Iterable
from pathlib import Path
from typing import Any

from agents.game import Reply
from kb.view import completions, view
from rulebound.app import PRINCIPAL, App, build
from rulebound.settings import Settings
from storage import GameRecord, MemoryStore

HELP = "At any time: why, undo, save [name], restore [name], map, transcript [file], restart, quit."


def play(
    world: str,
    at: str | None,
    script: str | None,
    seed: int | None,
    *,
    as_json: bool,
    state: bool,
    player: str,
    experience: str | None,
) -> int:
    """Plays in the terminal, or a script; 0 when it ended well, 2 when it cannot start."""
    settings = Settings.from_environment()
    if script is None and not sys.stdin.isatty():
        script = "-"
    location = f"{world}@@{at}" if at else world
    if script is not None:
        lines = sys.stdin if script == "-" else Path(script).open(encoding="utf-8")  # noqa: SIM115
        with lines:
            app = build(settings)
            app.world(location, at, experience)
            return asyncio.run(_script(app, location, lines, seed or 0, as_json=as_json, state=state, player=player))
    store = MemoryStore(settings.journal)
    try:
        app = build(settings, store=store)
        app.world(location, at, experience)
        return asyncio.run(_terminal(app, location, seed, player))
    finally:
        store.close()


async def _script(app: App, location: str, lines: Any, seed: int, *, as_json: bool, state: bool, player: str) -> int:
    """Reads commands from lines; prints `> command` and the answer, or a JSON object a turn."""
    handle, opening = await app.games.start(location, PRINCIPAL, player=player, seed=seed)
    now = app.world(location).session.rulebook.settings.begins
    if not as_json:
        print(opening)
    for raw in lines:
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if line in {"quit", "exit"}:
            break
        reply = await app.games.act(handle, PRINCIPAL, line, now=now)
        if as_json:
            print(json.dumps(await _turn(app, handle, line, reply, state=state), ensure_ascii=False))
        else:
            print(f"\n> {line}\n{reply.text}")
    return 0


async def _turn(app: App, handle: str, line: str, reply: Reply, *, state: bool) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "turn": reply.turn,
        "input": line,
        "text": reply.text,
        "changes": list(reply.changes),
        "score": reply.score,
        "ended": reply.ended,
        "state_hash": reply.state_hash,
    }
    if state:
        world, current, record = await app.games.state(handle, PRINCIPAL)
        shown["perceived"] = view(world.session, current, record.player)
        shown["state"] = current.dump()
    return shown


# --- The terminal ---------------------------------------------------------------------------------


class _Table:
    """A game at the terminal: its handle, and what can be undone."""

    def __init__(self, app: App, location: str, player: str, show: Callable[[str], None]):
        self.app, self.location, self.player, self.show = app, location, player, show
        self.handle = ""
        self.before: list[GameRecord] = []

    async def begin(self, seed: int | None, *, fresh: bool = False) -> None:
        games = self.app.games
        record = None if fresh or seed is not None else await games.resume(PRINCIPAL, self.location, self.player)
        if record is not None:
            self.handle = record.id
            world, state, _ = await games.state(self.handle, PRINCIPAL)
            self.show(f"(Going on where you left. Say restart to begin anew.)\n\n{games.opening(world, state)}")
            return
        self.handle, opening = await games.start(self.location, PRINCIPAL, player=self.player, seed=seed)
        self.show(opening)

    async def line(self, line: str) -> None:
        """One line: a command of the table, or of the game."""
        word, _, rest = line.partition(" ")
        command = getattr(self, f"do_{word}", None)
        if command is not None and (not rest or word in {"save", "restore", "transcript", "why"}):
            await command(rest.strip())
            return
        before = await self.app.store.load(self.handle, PRINCIPAL)
        reply = await self.app.games.act(self.handle, PRINCIPAL, line)
        self.before = [*self.before[-99:], before]
        for note in reply.notes:
            self.show(note)
        self.show(reply.text)
        if reply.ended:
            self.show("(The game is over. You can undo, restart or quit.)")

    async def do_why(self, rest: str) -> None:
        turn = int(rest) if rest.isdecimal() else None
        self.show(explained(await self.app.games.why(self.handle, PRINCIPAL, turn)))

    async def do_undo(self, rest: str) -> None:
        if not self.before:
            self.show("There is nothing to undo.")
            return
        current = await self.app.store.load(self.handle, PRINCIPAL)
        await self.app.store.replace(self.before.pop().with_(version=current.version + 1))
        self.show("Undone.")

    async def do_save(self, rest: str) -> None:
        await self.app.games.save(self.handle, PRINCIPAL, rest or "quick")
        self.show(f"Saved as “{rest or 'quick'}”.")

    async def do_restore(self, rest: str) -> None:
        found = await self.app.games.restore(self.handle, PRINCIPAL, rest or "quick")
        self.show("Restored." if found else f"There is no save “{rest or 'quick'}”.")

    async def do_restart(self, rest: str) -> None:
        await self.begin(None, fresh=True)

    async def do_map(self, rest: str) -> None:
        _, state, record = await self.app.games.state(self.handle, PRINCIPAL)
        row = state.rows[record.player]
        lines: list[str] = []
        for id in row["visited"]:
            place = state.rows[id]
            here = " (you are here)" if id == row["location"] else ""
            lines.append(f"{place['name']}{here}")
            for direction, to in place["exits"].items():
                known = state.rows[to]["name"] if to in row["visited"] else "?"
                lines.append(f"    {direction}: {known}")
        self.show("\n".join(lines) or "There is no map here.")

    async def do_transcript(self, rest: str) -> None:
        turns = await self.app.games.transcript(self.handle, PRINCIPAL)
        text = "\n\n".join(f"> {said}\n{answer}" for said, answer in turns)
        if rest:
            Path(rest).write_text(text + "\n", encoding="utf-8")
            self.show(f"Written to {rest}.")
        else:
            self.show(text or "Nothing was said yet.")

    async def complete(self, typed: str) -> list[str]:
        world, state, record = await self.app.games.state(self.handle, PRINCIPAL)
        return completions(world.session, state, record.player, typed)


async def _terminal(app: App, location: str, seed: int | None, player: str) -> int:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.completion import CompleteEvent, Completer, Completion
    from prompt_toolkit.document import Document
    from prompt_toolkit.history import FileHistory
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=False)

    def show(text: str) -> None:
        console.print(text, markup=False)
        console.print()

    table = _Table(app, location, player, show)

    class Legal(Completer):
        def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
            return ()  # the prompt asks the asynchronous form

        async def get_completions_async(
            self, document: Document, complete_event: CompleteEvent
        ) -> AsyncGenerator[Completion, None]:
            typed = document.text_before_cursor
            for command in await table.complete(typed):
                yield Completion(command, start_position=-len(typed.lstrip()))

    app.settings.home.mkdir(parents=True, exist_ok=True)
    prompt: PromptSession[str] = PromptSession(
        history=FileHistory(str(app.settings.history)), completer=Legal(), complete_while_typing=False
    )
    await table.begin(seed)
    show(f"({HELP})")
    while True:
        try:
            line = (await prompt.prompt_async("> ")).strip()
        except (EOFError, KeyboardInterrupt):
            return 0
        if line in {"quit", "exit", "q"}:
            return 0
        if line:
            await table.line(line)


def explained(decided: list[dict[str, Any]]) -> str:
    """The lines that decided, as text."""
    lines: list[str] = []
    for each in decided:
        rule = f" by `{each['rule']}`" if each["rule"] else ""
        lines.append(f"{each['status']}{rule}" + (f": {each['reason']}" if each["reason"] else ""))
        for line in each["lines"]:
            value = "" if line["value"] is None else "yes " if line["value"] else "NO  "
            lines.append(f"  {line['at']}  {line['kind']} {value}{line['text']}")
    return "\n".join(lines) or "No rule was asked."


def why(turn: int | None) -> int:
    """Prints the lines that decided a turn of the last game."""
    settings = Settings.from_environment()
    store = MemoryStore(settings.journal)
    try:
        app = build(settings, store=store)
        games = asyncio.run(_last(store))
        if games is None:
            print("There is no game yet. Play one: rulebound play", file=sys.stderr)
            return 1
        print(explained(asyncio.run(app.games.why(games.id, PRINCIPAL, turn))))
        return 0
    finally:
        store.close()


async def _last(store: MemoryStore) -> GameRecord | None:
    games = await store.games(PRINCIPAL)
    return games[-1] if games else None
