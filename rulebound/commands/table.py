"""Owns a game at a prompt or in a script: its lines, and the commands about the game (undo, save, why, …).

`Table(app, where, name)`; `begin`, then `line` for each line. It must not know terminals.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agents.access import LOCAL
from agents.game import Game, GameError, Reply, opening
from agents.hearing import Heard
from agents.record import spent
from agents.worlds import Where
from kb.view import completions, view
from rulebound.app import PRINCIPAL, App
from rulebound.commands.atlas import atlas

HELP = """About the game itself:
  why [TURN]         which rules decided, line by line
  undo               take the last turn back
  save [NAME]        keep the game under a name
  restore [NAME]     go back to a save
  map                the places you have seen
  transcript [FILE]  all that was said, shown or written to a file
  restart            begin anew (as it is now, it is kept as a backup)
  quit               leave; the game is kept"""

_COMMANDS = {
    "help": r"",
    "why": r"\d{0,9}",
    "undo": r"",
    "save": r"[\w-]{0,40}",
    "restore": r"[\w-]{0,40}",
    "map": r"",
    "transcript": r"\S*",
    "restart": r"",
}
"""Each command of the table with what may follow it; every other line belongs to the game."""
QUIT = frozenset({"quit", "exit", "q"})


@dataclass(frozen=True, slots=True)
class Answer:
    """What a line led to. `reply` is the turn, None where the line was about the game."""

    text: str
    notes: tuple[str, ...] = ()
    reply: Reply | None = None


class Table:
    """One player's game."""

    def __init__(self, app: App, where: Where, name: str):
        self._app, self._where, self._name = app, where, name
        self._handle, self._router = "", app.router(app.knowledge({}))

    async def begin(self, seed: int | None = None, *, fresh: bool = False) -> str:
        """Goes on with the last game, or starts one where there is none or a seed is given; what the player reads."""
        games = self._app.games
        last = None if fresh or seed is not None else await games.resume(self._where, PRINCIPAL, self._name)
        if last is None:
            self._handle, text = await games.start(self._where, PRINCIPAL, name=self._name, seed=seed)
            return text
        self._handle = last
        try:
            game = await self.game()
        except GameError as error:
            return f"({error}. This is a new one.)\n\n{await self.begin(fresh=True)}"
        return f"(Going on where you left. Say restart to begin anew.)\n\n{opening(game)}"

    async def game(self) -> Game:
        """The game as it stands."""
        return await self._app.games.game(self._handle, PRINCIPAL)

    async def listen(self) -> AbstractAsyncContextManager[AsyncIterator[Heard]]:
        """What the player hears from others and from time while they sit there: see `agents.hearing`."""
        return await self._app.games.listen(self._handle, PRINCIPAL)

    async def line(self, line: str, **options: Any) -> Answer:
        """What a line leads to; `options` go to `GameService.act`."""
        word, _, rest = line.partition(" ")
        rest = rest.strip()
        if word in _COMMANDS and re.fullmatch(_COMMANDS[word], rest):
            try:
                return await getattr(self, f"_{word}")(rest)
            except GameError as error:
                return Answer(f"{error}. {error.hint}")
        answered = await self._router.answer(LOCAL, line, handle=self._handle, **options)
        cited = "".join(f"\n  {each}" for each in answered.citations if str(each) not in answered.text)
        return Answer(answered.text + cited, answered.notes, answered.reply)

    async def complete(self, typed: str) -> list[str]:
        """Commands that begin with what is typed and would be allowed."""
        game = await self.game()
        legal = completions(game.world.session, game.state, game.player, typed)
        return [*legal, *(word for word in (*_COMMANDS, "quit") if typed and word.startswith(typed))]

    async def _help(self, rest: str) -> Answer:
        game = await self.game()
        if game.world.session.understander.lexicon.is_verb("help"):
            own = (await self._app.games.act(self._handle, PRINCIPAL, "help")).text
        else:
            own = "\n  ".join(("You can say:", *(str(a.patterns[0]) for a in game.world.rulebook.actions.values())))
        return Answer(f"{own}\n\n{HELP}")

    async def _why(self, rest: str) -> Answer:
        return Answer(explained(await self._app.games.why(self._handle, PRINCIPAL, int(rest) if rest else None)))

    async def _undo(self, rest: str) -> Answer:
        reply = await self._app.games.undo(self._handle, PRINCIPAL)
        return Answer(reply.text, reply.notes, reply)

    async def _save(self, rest: str) -> Answer:
        await self._app.games.save(self._handle, PRINCIPAL, rest or "quick")
        return Answer(f"Saved as {rest or 'quick'}.")

    async def _restore(self, rest: str) -> Answer:
        reply = await self._app.games.restore(self._handle, PRINCIPAL, rest or "quick")
        return Answer(reply.text, reply.notes, reply)

    async def _restart(self, rest: str) -> Answer:
        reply = await self._app.games.reset(self._handle, PRINCIPAL)
        return Answer(f"{reply.text}\n\n{opening(await self.game())}", reply.notes, reply)

    async def _map(self, rest: str) -> Answer:
        game = await self.game()
        return Answer(atlas(game.state, game.player) or "There is no map here.")

    async def _transcript(self, rest: str) -> Answer:
        turns = await self._app.games.transcript(self._handle, PRINCIPAL)
        text = "\n\n".join(f"> {said}\n{answer}" for said, answer in turns) or "Nothing was said yet."
        if not rest:
            return Answer(text)
        try:
            with Path(rest).expanduser().open("x", encoding="utf-8", errors="replace") as file:
                file.write(text + "\n")
        except OSError as error:
            return Answer(f"{rest} is not written: {error.strerror}. Name another file.")
        return Answer(f"Written to {rest}.")

    async def as_data(self, line: str, answer: Answer, *, state: bool) -> dict[str, Any]:
        """A line and its answer as JSON; with `state` also the perceivable and the true state."""
        game = await self.game()
        row = game.state.rows[game.player]
        shown: dict[str, Any] = {
            "turn": game.record.version,
            "input": line,
            "text": answer.text,
            "status": answer.reply.status if answer.reply else "done",
            "changes": list(answer.reply.changes) if answer.reply else [],
            "score": row["score"],
            "ended": row["ended"] or None,
            "state_hash": game.state.hash,
        }
        if answer.notes:
            shown["notes"] = list(answer.notes)
        if state:
            shown["perceivable"] = view(game.world.session, game.state, game.player)
            shown["state"] = game.state.dump()
        return shown


def explained(why: dict[str, Any]) -> str:
    """What `GameService.why` gives, as text."""
    lines = [f"Turn {why['turn']}: {why['said']}"]
    for action in why["actions"]:
        rule = f" by {action['rule']}" if action["rule"] else ""
        reason = f": {action['reason']}" if action["reason"] else ""
        lines.append(f"{action['status']}{rule}{reason}")
        for line in action["lines"]:
            value = "" if line["value"] is None else "yes" if line["value"] else "NO"
            lines.append(f"  {value:3} {line['kind']:9} {line['text']}  ({line['at']})")
    if not why["actions"]:
        lines.append("No rule was asked.")
    lines += [f"Model: {each}" for each in spent(why["models"])]
    lines += [f"Read: {each}" for each in why["cited"]]
    return "\n".join(lines)
