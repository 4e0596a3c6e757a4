"""Owns the way of a message: rules, then what is kept, then a label, then one call; the first that settles it answers.

`Router(games, model, …)`; `await router.answer(asker, message, handle=…)`, or `router.stream(…)`. It raises what `GameService` raises,
and nothing because of a model. It must not know transports.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from agents.access import Principal
from agents.filled import Filled
from agents.game import Game, GameService, Reply
from agents.models import Answer, Model, ModelError, Request
from agents.worlds import Where, World
from kb.rulebook import Persona
from kb.session import Said
from kb.types import storable
from router import pages, talk
from router.answer import Answered, Route, Tier, Told
from router.cache import AnswerCache, Keeping, Kept, key_of
from router.decisions import Estimate, Recorder
from router.labels import SURE, Label, Labels, words_of_names
from router.meaning import may_be_kept, meaningful
from router.prompt import Scene, read_by, request, scene_of
from router.seams import Freeform, Scholar, Teams, Voice, Words
from router.tools import ASK_BACK, READ, SEARCH, Illegal, Offered, persona_of
from router.trail import Asking, Trail
from storage import new_id
from storage.decisions import Decision

DEADLINE = 10.0
"""Seconds for the one call; what follows it has as long again."""
MAX_TOLD = 4_000
"""Characters of a model's own words."""
MAX_COMMANDS = 3
"""Actions that one message may be read as."""
TALK = "talk"
"""Is kept of words that were no deed: whoever they were said to answers them anew."""
MAX_RECENT, MAX_PLACES = 1_000, 50
_UNKNOWN = {
    "action": "it is something to do, in words that the rules do not know",
    "knowledge": "it is a question, and no page answers it",
}


class Router:
    """One for each process. What is None is done without; `model_name` is the provider that is asked (empty: the default)."""

    def __init__(
        self,
        games: GameService,
        model: Model | None = None,
        *,
        cache: AnswerCache | None = None,
        decisions: Recorder | None = None,
        voice: Voice | None = None,
        freeform: Freeform | None = None,
        scholar: Scholar | None = None,
        teams: Teams | None = None,
        labels: Labels | None = None,
        estimate: Estimate | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        model_name: str = "",
        deadline: float = DEADLINE,
    ):
        self._games, self._model = games, model
        self.cache, self._decisions = cache, decisions
        self._voice, self._scholar, self._teams = voice, scholar, teams
        self._freeform = freeform
        self._labels, self._estimate = labels or Labels.shipped(), estimate or Estimate()
        self._now, self._name, self._deadline = now, model_name, deadline
        self._words: dict[tuple[Where, str], frozenset[str]] = {}
        self._recent: OrderedDict[tuple[str, str, str], Answered] = OrderedDict()
        self._under_way: dict[tuple[str, str, str], asyncio.Lock] = {}

    async def answer(
        self,
        asker: Principal,
        message: str,
        *,
        handle: str = "",
        world: World | None = None,
        persona: str = "",
        key: str = "",
        **options: Any,
    ) -> Answered:
        """The answer to a message in a game (`handle`) or about a world. `options` go to `GameService.act`.

        The same key again gives the same turn. Raises `Refused`, `NoSuchGame`, `StoreAway`, as `GameService` does.
        """
        return await self._answer(Asking(asker, message, handle, world, persona, key or new_id(), options))

    async def stream(
        self,
        asker: Principal,
        message: str,
        *,
        handle: str = "",
        world: World | None = None,
        persona: str = "",
        key: str = "",
        **options: Any,
    ) -> AsyncGenerator[Told]:
        """The same, as it comes; the last piece carries what `answer` would give. Closing it ends the call."""
        pieces: asyncio.Queue[Told] = asyncio.Queue()
        asking = Asking(
            asker, message, handle, world, persona, key or new_id(), options, lambda text: pieces.put_nowait(Told(text))
        )
        task = asyncio.create_task(self._answer(asking))
        task.add_done_callback(lambda _: pieces.put_nowait(Told()))
        try:
            while (piece := await pieces.get()).text:
                yield piece
            yield Told(answered=await task)
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.gather(task, return_exceptions=True)

    def label(self, message: str, game: Game | None = None) -> Label:
        """What the examples say a message is; nothing is asked or changed."""
        if game is None:
            return self._labels.of(message)
        lexicon = game.world.session.understander.lexicon
        place = game.world.where, game.world.commit
        if place not in self._words:
            self._words = {place: words_of_names(game.world.rulebook), **dict(islice(self._words.items(), MAX_PLACES))}
        words = self._words[place]
        return self._labels.of(message, lexicon.is_verb, lambda word: word in words or word in lexicon.known)

    # --- the way

    async def _answer(self, ask: Asking) -> Answered:
        begin, trail = time.perf_counter(), Trail()
        ask.asker.need("game:play" if ask.handle else "kb:read")
        # Whoever asks again before the answer is there waits for it: it is paid once.
        one = (ask.asker.id, ask.handle, ask.key)
        lock = self._under_way.setdefault(one, asyncio.Lock())
        try:
            async with lock:
                return await self._answered(ask, trail, begin)
        finally:
            if self._under_way.get(one) is lock and not lock.locked():
                del self._under_way[one]

    async def _answered(self, ask: Asking, trail: Trail, begin: float) -> Answered:
        answered = await self._settle(ask, trail)
        tier: Tier = answered.tier if not trail.calls else "call"
        notes = tuple(dict.fromkeys((*answered.notes, *trail.notes)))
        answered = replace(answered, tier=tier, model_calls=trail.calls, cost=trail.cost, notes=notes)
        if ask.handle and trail.stage != "rules":
            self._remember(ask, answered)
        if self._decisions is not None:
            end = time.perf_counter()
            self._decisions.add(
                Decision(
                    id=new_id(),
                    at=self._now(),
                    route=answered.route,
                    tier=answered.tier,
                    stage=trail.stage,
                    reason=storable(answered.reason),
                    world=trail.world,
                    persona=storable(ask.persona)[:100],
                    seconds=end - begin,
                    routing=(trail.routed or end) - begin,
                    calls=trail.calls,
                    cost=trail.cost,
                    full=max(trail.cost, self._estimate.full),
                )
            )
        return answered

    async def _settle(self, ask: Asking, trail: Trail) -> Answered:
        game: Game | None = None
        if self._teams is not None and (words := await self._teams.decided(ask.message, ask.asker)) is not None:
            trail.led_to(words.calls, words.cost)
            return Answered(words.text, "team", "rules", words.reason, words.citations)
        if ask.handle:
            game, said = await self._games.consider(ask.handle, ask.asker.id, ask.message)
            ask = replace(ask, world=game.world)
            trail.world = game.world.rulebook.settings.id
            if said.understood or said.question or said.outcomes:
                return await self._by_rules(ask, game, said, trail)
            if (before := self._recent.get((ask.asker.id, ask.handle, ask.key))) is not None:
                trail.stage = "kept"
                return before
            if (before := await self._before(ask, game, trail)) is not None:
                return before
        assert ask.world is not None, "a message is about a game or a world"
        trail.world = ask.world.rulebook.settings.id
        persona = persona_of(ask.world.rulebook, ask.persona, ask.asker)
        if ask.persona and persona is None:
            trail.notes.append(f"there is no persona {ask.persona[:40]!r} for you here")
        # What is learned once is learned beside the loop.
        label = (
            self.label(ask.message, game)
            if self._labels.ready
            else await asyncio.to_thread(self.label, ask.message, game)
        )
        # With a model, words to somebody may be a deed first.
        whom = self._voice.addressed(game, ask.message) if self._voice is not None and game is not None else None
        scene = scene_of(game, ask.message, whom) if game is not None and self._model is not None else Scene()
        if (
            label.route != "action"
            and not scene.spoken_to
            and (words := await self._talk(ask, game, trail)) is not None
        ):
            return words
        if self._model is None:
            return await self._without(ask, game, label, trail)
        speech = label.route == "knowledge" or (scene.spoken_to and label.route != "action")
        if game is not None and self._freeform is not None and not speech:
            filled = await self._freeform.propose(game, ask.message, ask.asker.id)
            if filled is not None:
                return await self._freely(ask, game, filled, label, trail)
        return await self._with(self._model, ask, game, scene, persona, label, trail)

    async def _before(self, ask: Asking, game: Game, trail: Trail) -> Answered | None:
        """What the same key was answered before; None: it is new."""
        reply = await self._games.answered(ask.handle, ask.asker.id, ask.key)
        if reply is None:
            return None
        trail.stage = "kept"
        answered = _acted(reply, "this was answered before", trail)
        words = await self._voice.again(game, reply) if self._voice is not None else None
        return replace(answered, text=words.text) if words is not None else answered

    async def _by_rules(self, ask: Asking, game: Game, said: Said, trail: Trail) -> Answered:
        """A turn that the rules understand. Judgements that it comes to are the game service's."""
        trail.routed = time.perf_counter()
        # What its judgements took is not paid twice.
        asked = any(outcome.asked for outcome in said.outcomes)
        if asked and (before := await self._before(ask, game, trail)) is not None:
            return before
        return await self._act(ask, game, Filled(), trail, "the rules understand it")

    async def _freely(self, ask: Asking, game: Game, filled: Filled, label: Label, trail: Trail) -> Answered:
        """What a model told and proposed, as far as the referee allows it; where the model failed, the rules' own answer."""
        trail.stage, trail.routed = "call", time.perf_counter()
        trail.recorded(filled.by)
        if not filled.proposes:
            return await self._without(ask, game, label, trail, failed=True)
        return await self._act(ask, game, filled, trail, "the experience is free here, and its rules bound it")

    async def _act(self, ask: Asking, game: Game, filled: Filled, trail: Trail, reason: str) -> Answered:
        """The one turn of a message."""
        said = None
        if self._voice is not None:
            _, said = await self._games.consider(ask.handle, ask.asker.id, ask.message, filled)
        reply = await self._games.act(ask.handle, ask.asker.id, ask.message, key=ask.key, filled=filled, **ask.options)
        trail.recorded(reply.models[len(filled.by) :])
        answered = _acted(reply, reason, trail)
        if self._voice is not None and said is not None and reply.status == "done":
            # A turn from before is told as it was, whoever is near by now.
            old = reply.turn <= game.record.version
            words = await self._voice.again(game, reply) if old else None
            words = words or await self._voice.after(game, said, reply, ask.message, ask.asker, ask.tell)
            if words is not None:
                trail.led_to(words.calls, words.cost)
                answered = replace(answered, text=words.text)
        return answered

    async def _with(
        self,
        model: Model,
        ask: Asking,
        game: Game | None,
        scene: Scene,
        persona: Persona | None,
        label: Label,
        trail: Trail,
    ) -> Answered:
        """With a model: what is kept, then a label that is sure where nothing that could be done is named, then the one call."""
        assert ask.world is not None
        flows = await self._teams.flows(ask.world, ask.asker, ask.handle) if self._teams is not None else ()
        offered = Offered.of(scene.offers, flows, ask.asker, persona, meaningful(ask.message))
        made = request(
            scene, ask.message, offered, persona,
            principal=ask.asker.id, model=self._name, deadline=self._deadline,
        )  # fmt: skip
        # The actions that are offered depend on the message.
        blank = request(
            scene, "", Offered.of((), flows, ask.asker, persona), persona, principal="", model=self._name, deadline=0
        )
        place = [ask.world.where.location, ask.world.where.experience, ask.world.commit, sorted(ask.asker.scopes)]
        key, scope = key_of(place, read_by(made)), key_of(place, read_by(blank))
        lore = None
        if self._scholar is not None and label.route == "knowledge" and not scene.spoken_to:
            # A scholar reads pages and nothing of the scene: its answer is the same wherever it is asked and nothing else is meant.
            pages_alone = [*place, ask.persona, "lore", sorted(scene.fits)]
            lore = key_of(pages_alone, ask.message.casefold().strip()), key_of(pages_alone)
        keeping = Keeping(self.cache if may_be_kept(ask.message) else None, key, scope, ask.message, lore)
        if (kept := await keeping.exact()) is not None:
            return await self._kept(ask, game, kept, trail)
        if scene.spoken_to:
            return await self._called(model, ask, game, offered, made, keeping, label, trail, spoken_to=True)
        sure = label.probability >= SURE
        if sure and label.route == "knowledge":
            if (kept := await keeping.alike()) is not None:
                return await self._kept(ask, game, kept, trail)
            if lore is not None and not scene.fits and any(each.name == SEARCH for each in offered.tools):
                trail.stage = "label"
                return await self._from_pages(ask, game, keeping, label, trail)
        if sure and label.route == "direct" and (text := talk.courtesy(ask.message, ask.world)):
            trail.stage = "label"
            return Answered(text, "direct", "rules", "a courtesy for a courtesy")
        if sure and label.route == "team" and len(offered.flows) == 1:
            trail.stage = "label"
            return await self._team(ask, next(iter(offered.flows)), ask.message, "it is work for several", trail)
        return await self._called(model, ask, game, offered, made, keeping, label, trail)

    async def _kept(self, ask: Asking, game: Game | None, kept: Kept, trail: Trail) -> Answered:
        trail.stage = "cache"
        trail.routed = time.perf_counter()
        if kept.command and game is not None:
            trail.by.append({"purpose": "route", "tier": "cache", "cost": 0.0})
            filled = Filled(kept.command, by=tuple(trail.by))
            return replace(
                await self._read_as(ask, game, filled, trail, "the same words were read in the same scene"),
                tier="cache",
            )
        if kept.route == TALK and (words := await self._talk(ask, game, trail)) is not None:
            return words
        route: Route = "knowledge" if kept.route == "knowledge" else "direct"
        return Answered(kept.text, route, "cache", "the same was asked in the same scene", kept.citations)

    # --- the call

    async def _called(
        self,
        model: Model,
        ask: Asking,
        game: Game | None,
        offered: Offered,
        made: Request,
        keeping: Keeping,
        label: Label,
        trail: Trail,
        *,
        spoken_to: bool = False,
    ) -> Answered:
        """`spoken_to`: what is no deed and no question back is answered by whoever is spoken to."""
        trail.stage = "call"
        try:
            # The model's own words are not told where somebody else answers.
            answer = await self._ask(model, made, replace(ask, tell=None) if spoken_to else ask)
        except ModelError as error:
            trail.failed(error, "route")
            if spoken_to and (words := await self._talk(ask, game, trail)) is not None:
                return words
            return await self._without(ask, game, label, trail, failed=True)
        trail.answered(answer, "route")
        self._estimate.learn(answer.usage.cost)
        trail.routed = time.perf_counter()
        commands: list[str] = []
        for call in answer.calls[:MAX_COMMANDS]:
            try:
                if call.name in offered.actions:
                    commands.append(offered.command(call))
                    continue
            except Illegal as error:
                trail.refused(call, str(error))
            break
        if commands and game is not None:
            # A line with arguments as JSON is one command.
            command = commands[0] if any("{" in each for each in commands) else "; ".join(commands)
            filled = Filled(command, by=tuple(trail.by))
            answered = await self._read_as(ask, game, filled, trail, f"a model read it as {command!r}")
            await keeping.put(Kept(command=command))
            return answered
        first = answer.calls[0] if answer.calls else None
        if first is not None and first.name == ASK_BACK:
            text = _plain(first.arguments.get("question"))
            if text:
                return Answered(text, "question", "call", "it could mean several things")
        if spoken_to and (words := await self._talk(ask, game, trail)) is not None:
            if not trail.notes:
                await keeping.put(Kept(route=TALK))
            return words
        if first is not None and first.name in (SEARCH, READ):
            return await self._looked_up(model, ask, game, made, answer, keeping, label, trail)
        if first is not None and first.name in offered.flows:
            task = _plain(first.arguments.get("task")) or ask.message
            return await self._team(ask, first.name, task, "a model took it for work of several", trail)
        # What it says beside a call that was refused tells of what it wanted, not of what is.
        text = _plain(answer.text) if first is None and not answer.dropped else ""
        if text:
            await keeping.put(Kept(text=text, route="direct"))
            return Answered(text, "direct", "call", "a model answered itself")
        label = Label("action", 1.0) if trail.notes else label  # it tried to do something that cannot be done
        return await self._without(ask, game, label, trail, failed=True)

    async def _ask(self, model: Model, made: Request, ask: Asking) -> Answer:
        """The call, told as it comes where somebody listens."""
        if ask.tell is None:
            return await model.chat(made)
        told, answer = 0, None
        async for piece in model.stream(made):
            text = piece.text[: MAX_TOLD - told]
            if text:
                told += len(text)
                ask.tell(text)
            answer = piece.answer or answer
        if answer is None:
            raise ModelError("invalid", "the stream ended without an answer")
        return answer

    async def _read_as(self, ask: Asking, game: Game, filled: Filled, trail: Trail, reason: str) -> Answered:
        """Free speech as the commands that it was read as."""
        return await self._act(ask, game, filled, trail, reason)

    async def _looked_up(
        self,
        model: Model,
        ask: Asking,
        game: Game | None,
        made: Request,
        answer: Answer,
        keeping: Keeping,
        label: Label,
        trail: Trail,
    ) -> Answered:
        assert ask.world is not None
        if self._scholar is not None:
            return await self._from_pages(ask, game, keeping, label, trail)
        words = await pages.read(model, made, answer, ask.world, trail, self._deadline)
        if words is None:
            return await self._without(ask, game, Label("knowledge", 1.0), trail, failed=True)
        return await self._known(words, keeping, "call", "a model read it on pages")

    async def _from_pages(
        self, ask: Asking, game: Game | None, keeping: Keeping, label: Label, trail: Trail
    ) -> Answered:
        """What the scholar finds; else what pages say word for word."""
        assert ask.world is not None
        assert self._scholar is not None
        trail.routed = trail.routed or time.perf_counter()
        words = await self._scholar.answers(ask.message, ask.world, ask.asker)
        if words is None:
            return await self._without(ask, game, label, trail)
        trail.led_to(words.calls, words.cost)
        return await self._known(words, keeping, "rules", "pages answer it")

    async def _known(self, words: Words, keeping: Keeping, tier: Tier, reason: str) -> Answered:
        kept = Kept(text=words.text, route="knowledge", citations=words.citations)
        await keeping.put(kept, lore=True)
        return Answered(words.text, "knowledge", tier, reason, words.citations)

    async def _team(self, ask: Asking, flow: str, task: str, reason: str, trail: Trail) -> Answered:
        assert self._teams is not None
        assert ask.world is not None
        trail.routed = trail.routed or time.perf_counter()
        words = await self._teams.run(flow, task, ask.world, ask.asker, ask.handle, ask.key)
        trail.led_to(words.calls, words.cost)
        return Answered(words.text, "team", "call", f"{reason}: {words.reason}", words.citations)

    # --- without a model

    async def _without(
        self, ask: Asking, game: Game | None, label: Label, trail: Trail, *, failed: bool = False
    ) -> Answered:
        """What rules, pages and templates say. Where nothing else does, the line is a turn that the rules do not understand."""
        assert ask.world is not None
        trail.stage = "fallback" if failed else "label"
        trail.routed = trail.routed or time.perf_counter()
        why = " after a model gave no answer that holds" if failed else ""
        answered = await self._by_label(ask, label, why)
        if game is None or (answered is not None and not failed):
            route = "knowledge" if label.route == "knowledge" else "help"
            return answered or Answered(talk.NOTHING, route, "rules", f"neither the rules nor the pages know it{why}")
        # By whom it was read in vain is recorded with the turn.
        reply = await self._games.act(
            ask.handle, ask.asker.id, ask.message, key=ask.key, filled=Filled(by=tuple(trail.by)), **ask.options
        )
        if answered is not None:
            told = _acted(reply, answered.reason, trail, answered.route)
            return replace(told, text=answered.text, citations=answered.citations)
        return _acted(reply, f"{_UNKNOWN.get(label.route, 'nobody knows it')}{why}", trail, label.route)

    async def _by_label(self, ask: Asking, label: Label, why: str) -> Answered | None:
        """What pages or templates say to a message of this sort; None: nothing."""
        assert ask.world is not None
        if label.route == "knowledge":
            words = await self._told(ask)
            if words is not None:
                reason = f"it is a question, and pages answer it{why}"
                return Answered(words.text, "knowledge", "rules", reason, words.citations)
        # A single word that nobody knows ("xyzzy") is rather a command that fails than small talk.
        if label.route == "direct" and (label.probability >= SURE or " " in ask.message.strip() or not ask.handle):
            return Answered(
                talk.small_talk(ask.message, ask.world), "direct", "rules", f"it asks for a word, not for a deed{why}"
            )
        if label.route == "team":
            return Answered(talk.NO_TEAM, "team", "rules", f"it is work for several, which needs a model{why}")
        return None

    async def _told(self, ask: Asking) -> Words | None:
        assert ask.world is not None
        if self._scholar is not None:
            return await self._scholar.quotes(ask.message, ask.world, ask.asker)
        return await pages.quoted(ask.message, ask.world)

    async def _talk(self, ask: Asking, game: Game | None, trail: Trail) -> Answered | None:
        """What somebody says who is spoken to by name; None: nobody is."""
        if game is None or self._voice is None:
            return None
        words = await self._voice.talk(game, ask.message, ask.asker, ask.key, ask.tell)
        if words is None:
            return None
        trail.stage = "label" if trail.stage == "rules" else trail.stage
        trail.led_to(words.calls, words.cost)
        return Answered(words.text, "direct", "rules", words.reason or "it is said to somebody who is there")

    def _remember(self, ask: Asking, answered: Answered) -> None:
        """What was not read off the rules, for the same key again."""
        self._recent[ask.asker.id, ask.handle, ask.key] = replace(answered, model_calls=0, cost=0.0)
        while len(self._recent) > MAX_RECENT:
            self._recent.popitem(last=False)


def _acted(reply: Reply, reason: str, trail: Trail, route: Route = "action") -> Answered:
    route = "question" if reply.status == "question" else route
    notes = tuple(dict.fromkeys((*reply.notes, *trail.notes)))
    return Answered(reply.text, route, "rules", reason, turn=reply.turn, reply=reply, notes=notes)


def _plain(text: object) -> str:
    """A model's own words as they are told: no more than so many, and none of our marks."""
    if not isinstance(text, str):
        return ""
    return text.replace("<data", "<\u200bdata").replace("</data", "<\u200b/data")[:MAX_TOLD].strip()
