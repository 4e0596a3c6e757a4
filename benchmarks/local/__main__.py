"""A model on this machine reads 500 phrases: right routes and legal actions as label, as schema-bound output, with free tool choice,
and by the router, whose one call has a tool for each action.

`python3 tasks.py bench local [PHRASES]` asks SmolLM2-135M, `bench local.qwen [PHRASES]` Qwen2.5-Coder-1.5B; both are installed
where they are not there. The floor is a bare HTTP call of the same label.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import httpx2

from agents.access import Principal
from agents.local import Place, configured, install, local_model
from agents.models.client import Client
from agents.models.labelling import Labeller
from agents.models.model import Model, ModelError, Tool, asked
from agents.models.wire import body
from agents.worlds import Where, World
from benchmarks.measure import peak, percentiles, row
from evals.data import Phrase, phrases
from kb.referee import Inputs, State
from kb.session import Said, Session
from kb.understand import Dialogue
from kb.view import legal
from router.kinds import EXAMPLES, KINDS
from router.router import Router
from rulebound.app import App, build
from rulebound.settings import Settings
from storage import MemoryStore

REQUIREMENTS = ("0.18",)
SURE = 0.8
"""The probability above which a label is believed."""
OFFERED = 24
"""Legal commands that a prompt holds."""
DEADLINE = 120.0
PLAYER = "player"
ANN = Principal.of("ann", "player")
SYSTEM = (
    "You read what a player of a text game says. To do something, give the one command that the player means. To answer a question "
    "about rules, people or the past, look it up. If it is only talk, chat. If it could mean several commands, ask back."
)


@dataclass(frozen=True, slots=True)
class Moment:
    """A phrase, the game in which it is said, and the commands that are legal there."""

    phrase: Phrase
    session: Session
    state: State
    dialogue: Dialogue
    commands: tuple[str, ...]

    def say(self, line: str) -> Said:
        return self.session.say(self.state, PLAYER, line, self.dialogue, Inputs(self.session.rulebook.settings.begins))

    def does(self, line: str) -> tuple[str, ...] | None:
        """What the rules would do at a line; None: they do not understand it or refuse it."""
        said = self.say(line)
        if not said.understood or any(outcome.status == "refused" for outcome in said.outcomes):
            return None
        return tuple(f"{action.type} {sorted(action.roles.items())}" for action in said.actions)


@dataclass(frozen=True, slots=True)
class Read:
    """What the model made of a phrase: a route, and the command where it is an action."""

    route: str
    command: str = ""
    probability: float | None = None
    """Of the route, where it is told."""


@cache
def session(world: str) -> Session:
    return World.open(Where.of(world)).session


def moment(phrase: Phrase) -> Moment:
    """The game after the phrase's setup."""
    played = session(phrase.world)
    state, dialogue = played.referee.join(played.referee.new(), PLAYER), Dialogue()
    for line in phrase.setup:
        said = played.say(state, PLAYER, line, dialogue, Inputs(played.rulebook.settings.begins))
        state, dialogue = said.state, said.dialogue
    return Moment(phrase, played, state, dialogue, tuple(legal(played, state, PLAYER, OFFERED)))


# --- three ways to ask


async def as_label(model: Model, each: Moment) -> Read:
    """One label for the route, and for an action a second one: one of the legal commands."""
    found = await Labeller(model, KINDS, EXAMPLES).label(each.phrase.message, deadline=DEADLINE)
    if found.label != "action":
        return Read(found.label, probability=found.probability)
    system = "Which command means what the player says?"
    labels = (*each.commands, "none")
    request = asked(system, each.phrase.message, purpose="label", labels=labels, max_tokens=32, deadline=DEADLINE)
    command = (await model.chat(request)).label
    return Read("action", "" if command == "none" else command, found.probability)


async def as_schema(model: Model, each: Moment) -> Read:
    """One call, whose answer is bound to a schema that holds the routes and the legal commands."""
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {
            "kind": {"type": "string", "enum": ["command", "question", "chat", "unclear"]},
            "command": {"type": "string", "enum": [*each.commands, "none"]},
        },
        "required": ["kind", "command"],
        "additionalProperties": False,
    }
    request = asked(SYSTEM, each.phrase.message, purpose="route", schema=schema, max_tokens=64, deadline=DEADLINE)
    data = (await model.chat(request)).data
    if data["kind"] == "command":
        return Read("action", "" if data["command"] == "none" else data["command"])
    return Read({"question": "knowledge"}.get(data["kind"], "direct"))


async def as_tools(model: Model, each: Moment) -> Read:
    """One call with free choice: a tool that does a command, one that looks something up, or an answer in words."""

    def tool(name: str, description: str, argument: str) -> Tool:
        parameters: dict[str, Any] = {
            "type": "object",
            "properties": {argument: {"type": "string"}},
            "required": [argument],
        }
        return Tool(name, description, parameters)

    commands = "Does one of these commands: " + "; ".join(each.commands)
    tools = (tool("do", commands, "command"), tool("look_up", "Finds what the pages of the game say.", "question"))
    request = asked(SYSTEM, each.phrase.message, purpose="route", tools=tools, max_tokens=64, deadline=DEADLINE)
    answer = await model.chat(request)
    if not answer.calls:
        return Read("direct")
    call = answer.calls[0]
    return Read("action", str(call.arguments.get("command", ""))) if call.name == "do" else Read("knowledge")


async def by_router(app: App, model: Model, each: Moment) -> Read:
    """The message goes to the router, with a game of its own."""
    handle, _ = await app.games.start(Where.of(each.phrase.world), ANN.id, seed=1)
    for line in each.phrase.setup:
        await app.games.act(handle, ANN.id, line)
    router = Router(app.games, model, deadline=DEADLINE)
    answered = await router.answer(ANN, each.phrase.message, handle=handle)
    why = await app.games.why(handle, ANN.id, answered.turn) if answered.turn else {}
    return Read(answered.route, why.get("understood_as", ""))


# --- counting


async def measure(name: str, ask: Callable[[Moment], Awaitable[Read]], moments: Sequence[Moment]) -> None:
    """Asks about each phrase in turn and prints what came of it."""
    counts: Counter[str] = Counter()
    took: list[float] = []
    for each in moments:
        right = each.does(each.phrase.action) if each.phrase.action else None
        start = time.perf_counter()
        try:
            read = await ask(each)
        except ModelError as error:
            counts[f"no answer ({error.kind})"] += 1
            read = Read("none")
        took.append(time.perf_counter() - start)
        done = each.does(read.command) if read.command else None
        counts["proposed"] += bool(read.command)
        counts["legal"] += done is not None
        if each.phrase.question:
            counts["unclear"] += 1
            counts["left alone"] += done is None
            continue
        counts["routed"] += 1
        counts["right route"] += read.route == each.phrase.route
        if read.probability is not None and read.probability >= SURE:
            counts["sure"] += 1
            counts["sure and right"] += read.route == each.phrase.route
        if right is not None and any(each.does(command) == right for command in each.commands):
            counts["offered"] += 1
            counts["right action"] += done == right

    def share(part: str, whole: str) -> str:
        return f"{counts[part]} of {counts[whole]}, {counts[part] / max(1, counts[whole]):.0%}"

    p50, p95, _ = percentiles(took)
    row(f"{name}: right routes", share("right route", "routed"))
    if counts["sure"]:
        row(f"{name}: right routes of those above {SURE:.0%}", share("sure and right", "sure"))
    row(f"{name}: proposed commands that are legal", share("legal", "proposed"))
    row(f"{name}: right actions of those offered", share("right action", "offered"))
    row(f"{name}: unclear phrases left alone", share("left alone", "unclear"))
    row(f"{name}: a phrase, p50 and p95", f"{p50 * 1e3:,.0f}, {p95 * 1e3:,.0f} ms")
    for failed in [key for key in counts if key.startswith("no answer")]:
        row(f"{name}: {failed}", str(counts[failed]))


async def overhead(model: Client, place: Place) -> None:
    """One label whose prompt the server has read before, through the client and by a bare HTTP call, in turns."""
    request = asked("", "hello!", purpose="label", labels=("command", "question", "chat"), max_tokens=8)
    sent = body(request, model.configuration.providers["local"])
    ours: list[float] = []
    bare: list[float] = []
    headers = {"authorization": f"Bearer {place.key}"}
    async with httpx2.AsyncClient(base_url=place.url, headers=headers, timeout=DEADLINE, trust_env=False) as http:
        for _ in range(21):
            ours.append(await _timed(model.chat(request)))
            bare.append(await _timed(http.post("/chat/completions", json=sent)))
        story = {
            "messages": [{"role": "user", "content": "Tell of a dragon. " * 20}],
            "max_tokens": 64,
            "temperature": 0,
        }
        timings: dict[str, float] = (await http.post("/chat/completions", json=story)).json()["timings"]
    floor = statistics.median(bare)
    row("a bare HTTP call of one label (floor)", f"{floor * 1e3:,.1f} ms")
    row(
        "the same by the client",
        f"{statistics.median(ours) * 1e3:,.1f} ms",
        f"{statistics.median(ours) / floor:.2f} floors",
    )
    row("tokens a second, read", f"{timings['prompt_per_second']:,.0f}")
    row("tokens a second, written", f"{timings['predicted_per_second']:,.0f}")


async def _timed(call: Awaitable[object]) -> float:
    start = time.perf_counter()
    await call
    return time.perf_counter() - start


async def run(name: str, count: int) -> None:
    home = Settings.from_environment().home
    install(name, home, lambda line: print(line, file=sys.stderr))
    every = phrases()
    # Spread over all worlds, and the same ones every time.
    moments = [moment(every[at * len(every) // count]) for at in range(count)]
    started = time.perf_counter()
    with local_model(name, home) as place:
        row(f"{name}, until it answers", f"{time.perf_counter() - started:.1f} s")
        row("phrases", f"{count} of {len(every)}")
        row("phrases that the rules understand as they are", str(sum(each.does(each.phrase.message) is not None for each in moments)))  # fmt: skip
        async with Client(configured(place)) as model:
            await overhead(model, place)
            app = build(Settings(home), store=MemoryStore())
            ways = {"label": as_label, "schema": as_schema, "tools": as_tools, "router": partial(by_router, app)}
            for way, ask in ways.items():
                await measure(way, lambda each, ask=ask: ask(model, each), moments)
    row("peak memory beside the model", f"{peak()} MiB")


def main(name: str = "smollm2") -> None:
    """Asks one model and prints how often it is right."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else len(phrases())
    asyncio.run(run(name, min(count, len(phrases()))))


if __name__ == "__main__":
    main()
