"""Owns NPCs' words: how they tell what rules did, and what they say to what no rule understands; remembered, and the same when asked
again.

`await voices.speak(game, said, reply, line)`, `await voices.converse(game, npc, words)`, and both as streams. With no model the words
come from the page and from what is remembered. Text only: nothing here can change a game. It must not know routes.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from agents.game import Game, Reply
from agents.models.model import Model
from agents.npcs import templates
from agents.npcs.character import Cast
from agents.npcs.claims import Claims
from agents.npcs.facts import found
from agents.npcs.memory import Line, Memory, Told, forget, remember
from agents.npcs.minds import Minds
from agents.npcs.prompt import Prompt
from agents.npcs.scene import Scene, is_npc, people, scene
from agents.npcs.wording import Worded, worded
from kb.referee import Action
from kb.session import Said
from kb.types import Text
from storage import new_id
from storage.memories import MemoryKey

DEADLINE = 8.0
"""Seconds for a voice; then it is the rules' text."""
GREETINGS = frozenset(("talk", "greet", "hello", "speak", "hail", "meet", "chat", "call", "visit"))
QUIET = frozenset(("whisper", "murmur", "mutter"))
"""Verbs that nobody else overhears."""
MAX_READY = 256


@dataclass(frozen=True, slots=True)
class Spoken:
    """What an NPC said. `tier` is `rules` without a model, `cache` where it was known or prepared, `call` else; `reason` says why no
    model's words are shown, or what was refused of them."""

    text: str
    npc: str
    """The NPC's name."""
    tier: Literal["rules", "cache", "call"]
    reason: str
    model_calls: int = 0
    cost: float = 0.0


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of what is said; the last one has no text and tells the whole."""

    text: str = ""
    spoken: Spoken | None = None


@dataclass(frozen=True, slots=True)
class _Talk:
    """One exchange to be worded."""

    game: Game
    npc: str
    words: str
    key: str
    turn: int
    principal: str
    told: tuple[Told, ...]
    happened: str = ""
    """The rules' text; "": free talk."""
    greeting: bool = False
    changed: tuple[str, ...] = ()
    """Names of what the turn changed."""
    weight: int = 1
    quiet: bool = False

    @property
    def memory(self) -> MemoryKey:
        return MemoryKey(self.game.record.id, self.game.seat.player, self.npc)


class Voices:
    """`model` None: no model is configured. `ready` holds answers that were prepared, by the fingerprint of their prompts."""

    def __init__(
        self,
        model: Model | None,
        minds: Minds,
        *,
        now: Callable[[], datetime],
        cast: Cast | None = None,
        deadline: float = DEADLINE,
    ):
        self.model, self.minds, self.cast = model, minds, cast or Cast()
        self._now, self._deadline = now, deadline
        self.ready: OrderedDict[bytes, str] = OrderedDict()
        self.speaking = 0
        """How many players wait for words now."""
        self._turns: dict[tuple[MemoryKey, str], asyncio.Lock] = {}
        self._tasks: set[asyncio.Task[Any]] = set()

    async def close(self) -> None:
        """Remembers what is yet to be remembered."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.minds.close()

    # --- whom a line is said to

    def addressed(self, game: Game, line: str) -> tuple[str, str] | None:
        """The NPC whom a line is said to by name (`Otto, what do you make of the king?`), and the words; None: nobody who is
        perceived, or more than one."""
        head, comma, words = line.partition(",")
        names = session_names(game)
        if comma:
            fitting = [npc for npc, called in names.items() if head.strip().casefold() in called]
            if len(fitting) == 1 and words.strip():
                return fitting[0], words.strip()
        return None

    def speaker(self, game: Game, actions: Sequence[Action]) -> str | None:
        """The NPC whom a turn was with: of its last action that names one."""
        for action in reversed(actions):
            for value in action.roles.values():
                if is_npc(game.state, value):
                    return value
        return None

    # --- telling what rules did

    async def speak(
        self, game: Game, said: Said, reply: Reply, line: str, *, principal: str = "local"
    ) -> Spoken | None:
        """A turn's outcome in the voice of the NPC whom it was with; None: it was with nobody, or nothing was done, and the reply's
        text is to be shown. `game` is the game before or after the turn, `said` what the turn was resolved to."""
        return await _last(self.stream(game, said, reply, line, principal=principal))

    async def stream(
        self, game: Game, said: Said, reply: Reply, line: str, *, principal: str = "local"
    ) -> AsyncGenerator[Part]:
        """As `speak`, piece by piece; nothing at all where `speak` gives None."""
        after = replace(game, state=said.state)
        npc = self.speaker(after, said.actions)
        if npc is None or reply.status != "done" or not reply.text.strip() or reply.ended:
            return
        action = next(each for each in reversed(said.actions) if npc in each.roles.values())
        words = _said(game, action, line)
        changed = {each.id for outcome in said.outcomes for each in outcome.changes} - {game.player, npc, "world"}
        rows = said.state.rows
        talk = _Talk(
            after, npc, words, f"turn {reply.turn}", reply.turn, principal, tuple(found(words)), reply.text,
            greeting=action.type.partition(" ")[0] in GREETINGS,
            changed=tuple(str(rows[id].get("name") or id) for id in sorted(changed) if id in rows),
            weight=3 if changed else 1,
            quiet=line.strip().partition(" ")[0].casefold() in QUIET,
        )  # fmt: skip
        async with aclosing(self._tell(talk)) as parts:
            async for part in parts:
                yield part

    async def again(self, game: Game, turn: int) -> Spoken | None:
        """What an NPC said in a turn of this player that was told before; for a retry."""
        key = f"turn {turn}"
        for id, memory in await self.minds.everything(game.record.id, game.seat.player):
            line = memory.line(key)
            if line is not None and line.answer:
                name = str(game.state.rows.get(id.npc, {}).get("name") or id.npc)
                return Spoken(line.answer, name, "cache", "it was told before")
        return None

    # --- free talk

    async def converse(
        self, game: Game, npc: str, words: str, *, key: str = "", principal: str = "local"
    ) -> Spoken | None:
        """What an NPC says to words that no rule understands; None where the player does not perceive the NPC. The same key again
        gives the same words."""
        return await _last(self.stream_talk(game, npc, words, key=key, principal=principal))

    async def stream_talk(
        self, game: Game, npc: str, words: str, *, key: str = "", principal: str = "local"
    ) -> AsyncGenerator[Part]:
        """As `converse`, piece by piece; nothing at all where it gives None."""
        if npc not in people(game) or game.state.rows[game.player]["ended"]:
            return
        told = tuple(found(words))
        talk = _Talk(game, npc, words, f"talk {key or new_id()}", game.record.version, principal, told)
        async with aclosing(self._tell(talk)) as parts:
            async for part in parts:
                yield part

    async def forget(self, game: str, player: str, after: int) -> None:
        """What was said after a version of the game was undone."""
        for key, _ in await self.minds.everything(game, player):
            await self.minds.change(key, lambda memory: forget(memory, after))

    # --- both

    def prompt(
        self, seen: Scene, memory: Memory, heard: Memory, words: str, happened: str = "", key: str = ""
    ) -> Prompt:
        """The prompt of an exchange."""
        return Prompt.of(seen, memory, heard, words, happened=happened, leave_out=key)

    async def _tell(self, talk: _Talk) -> AsyncGenerator[Part]:
        """Once for each key, also where it is asked for twice at the same time."""
        one = (talk.memory, talk.key)
        lock = self._turns.setdefault(one, asyncio.Lock())
        self.speaking += 1
        try:
            async with lock, aclosing(self._words(talk)) as parts:
                async for part in parts:
                    yield part
        finally:
            self.speaking -= 1
            if self._turns.get(one) is lock and not lock.locked():
                del self._turns[one]

    async def _words(self, talk: _Talk) -> AsyncGenerator[Part]:
        own = talk.memory._replace(player=talk.game.record.id)
        memory, heard = await asyncio.gather(self.minds.of(talk.memory), self.minds.of(own))
        seen = scene(self.cast, talk.game, talk.npc)
        known = memory.line(talk.key)
        if known is not None and known.answer:
            yield Part(known.answer)
            yield Part(spoken=Spoken(known.answer, seen.name, "cache", "it was told before"))
            return
        plain = (
            templates.outcome(seen, memory, talk.happened, greeting=talk.greeting)
            if talk.happened
            else templates.talk(seen, memory, talk.words, talk.told)
        )
        # What the player tells of themselves in these words may be spoken of at once.
        fresh = remember(memory, self._line(talk, seen), talk.told)
        prompt = self.prompt(seen, fresh, heard, talk.words, talk.happened, talk.key)
        done, tier = Worded(), "rules"
        ready = self.ready.pop(prompt.fingerprint, "") if self.model is not None else ""
        if self.model is None or ready:
            tier = "cache" if ready else "rules"
            yield Part(done.add(ready or plain))
        else:
            tier = "call"
            claims = Claims(seen, prompt.voiced.happened, prompt.voiced.material, talk.words)
            request = prompt.request(talk.principal, self._deadline)
            pieces = worded(
                self.model, request, claims, done, fallback=plain, keep=talk.changed if talk.happened else None
            )
            async with aclosing(pieces):
                async for piece in pieces:
                    yield Part(piece)
        await self.minds.change(talk.memory, self._kept(talk, seen, done.text))
        if not talk.quiet:
            self._later(self._overheard(talk, seen))
        why = done.wrong or ("no model is configured" if self.model is None else "it was prepared" if ready else "")
        calls, cost = sum(each.calls for each in done.usage), sum(each.cost for each in done.usage)
        yield Part(spoken=Spoken(done.text, seen.name, tier, why, calls, cost))

    def _line(self, talk: _Talk, seen: Scene) -> Line:
        who = seen.player or "The player"
        return Line(talk.key, talk.turn, self._now().timestamp(), who, talk.words, weight=talk.weight)

    def _kept(self, talk: _Talk, seen: Scene, text: str) -> Callable[[Memory], Memory]:
        line = replace(self._line(talk, seen), answer=text)
        return lambda memory: remember(memory, line, talk.told)

    async def _overheard(self, talk: _Talk, seen: Scene) -> None:
        """The other NPCs who are there have heard it too."""
        game = talk.game
        line = replace(self._line(talk, seen), said=f"to {seen.name}: {talk.words}", by=game.seat.player, weight=1)
        for npc in people(game):
            if npc != talk.npc and _near(game, npc, talk.npc):
                await self.minds.change(
                    MemoryKey(game.record.id, game.record.id, npc), lambda memory: remember(memory, line)
                )

    def _later(self, work: Awaitable[None]) -> None:
        """Nobody waits for it."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def session_names(game: Game) -> dict[str, set[str]]:
    """What each NPC whom the player perceives may be called by, in lower case."""
    rows = game.state.rows
    found: dict[str, set[str]] = {}
    for id in people(game):
        names = {
            str(rows[id].get("name") or id).casefold(),
            *(str(each).casefold() for each in rows[id].get("aliases", ())),
        }
        found[id] = names | {f"the {each}" for each in names}
    return found


def _near(game: Game, one: str, other: str) -> bool:
    """Whether two are in one place."""
    rows = game.state.rows
    return rows[one].get("location") == rows[other].get("location")


def _said(game: Game, action: Action, line: str) -> str:
    """The player's own words: the text that the action takes, as it stands in the line; else the line."""
    roles = game.world.rulebook.actions[action.type].roles
    for name, value in action.roles.items():
        if isinstance(roles[name].type, Text) and value and (at := line.casefold().find(str(value).casefold())) >= 0:
            return line[at : at + len(str(value))]
    return line


async def _last(parts: AsyncGenerator[Part]) -> Spoken | None:
    spoken = None
    async for part in parts:
        spoken = part.spoken or spoken
    return spoken
