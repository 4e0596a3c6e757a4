"""Owns the models that ship for evals: one that is told what is right, one that lies, and any script, each over real HTTP.

`with shipped("liar", seed) as client`. What they may know of an attempt goes to them as one more system message, because the server
that answers is a thread of its own. It must not know solvers or scores.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random

from agents.models.client import Client
from agents.models.configuration import Configuration
from agents.models.model import Answer, Message, Model, Piece, Request
from evals.environment import PLAYER
from evals.running import PLAYING
from evals.saying import SAYING
from evals.scripted import Answer as Scripted
from evals.scripted import Conversation, Script, ScriptError, serving
from evals.scripted.script import Decide
from evals.simulated.knowing import Knowing, canonical
from evals.simulated.lies import LIES, Knows, Liar
from evals.simulated.table import PRICES
from evals.solvers import SolverError
from kb.view import legal
from storage.records import Json

_MARK = "\x1eTold: "
"""Begins the line by which a model is told."""


class Told:
    """Asks `model`, and tells it with each request what `more` says."""

    def __init__(self, model: Model, more: str):
        self._model, self._more = model, more

    async def chat(self, request: Request) -> Answer:
        """As `Model.chat`."""
        return await self._model.chat(self._with(request))

    async def stream(self, request: Request) -> AsyncGenerator[Piece]:
        """As `Model.stream`."""
        async for piece in self._model.stream(self._with(request)):
            yield piece

    async def embed(
        self, texts: Sequence[str], *, principal: str = "local", deadline: float = 10.0
    ) -> list[list[float]]:
        """As `Model.embed`."""
        return await self._model.embed(texts, principal=principal, deadline=deadline)

    def _with(self, request: Request) -> Request:
        said = json.dumps(_gold() if self._more == "knowing" else _chances())
        return replace(request, messages=(*request.messages, Message("system", _MARK + said)))


def _gold() -> Json:
    """What the message means, as the case says."""
    saying = SAYING.get()
    if saying is None:
        return {"meant": "", "route": ""}
    line = saying.gold
    meant = canonical(saying.at.session, saying.state, PLAYER, saying.dialogue, line) if line else ""
    return {"meant": meant, "route": saying.route}


def _chances() -> Json:
    """Which attempt it is, and what would be legal in it."""
    saying = SAYING.get()
    could = [] if saying is None else legal(saying.at.session, saying.state, PLAYER, 20)
    return {"attempt": PLAYING.get(), "legal": could}


def _told(conversation: Conversation) -> Json:
    return json.loads(conversation.system.rpartition(_MARK)[2].partition("\n")[0])


def _knowing(conversation: Conversation) -> Scripted:
    told, model = _told(conversation), Knowing()
    model.meant, model.route = told["meant"], told["route"]
    return model(conversation)


def _lying(seed: int) -> Decide:
    def lie(conversation: Conversation) -> Scripted:
        # The same attempt is told the same lies, however many play at once: ids of calls depend on that.
        told, said = _told(conversation), conversation.messages
        calls = [[(each.tool, each.arguments) for each in message.calls] for message in said]
        results = [[(each.tool, each.text) for each in message.results] for message in said]
        heard = (conversation.system, conversation.tools, [message.text for message in said], calls, results)
        drawn = Random(f"{seed}\0{heard}")
        liar = Liar(drawn.getrandbits(63))
        liar.kind, liar.knows = drawn.choice(LIES), Knows(told["legal"])
        return liar(conversation)

    return lie


@contextmanager
def shipped(name: str, seed: int) -> Generator[tuple[Client, Model]]:
    """A client of the model (`liar`, `knowing`, `scripted:FILE`), yet to be entered, and what is to be asked. Raises `SolverError`."""
    decide: Decide
    if name == "knowing":
        decide = _knowing
    elif name == "liar":
        decide = _lying(seed)
    else:
        try:
            decide = Script.load(Path(name.partition(":")[2]))
        except ScriptError as error:
            raise SolverError(str(error), "See docs/evaluators/README.md for the form of a script.") from None
    with serving(decide) as server:
        client = Client(Configuration.one(url=f"{server.url}/v1", model=name.partition(":")[0], prices=PRICES))
        yield client, Told(client, name) if name in ("knowing", "liar") else client
