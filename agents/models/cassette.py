"""Owns cassettes: models that keep what was asked and answered, and that answer from what was kept.

`with Tape.recording(file) as tape: Recording(model, tape)` asks and keeps, `Replaying(Tape.load(file))` answers from the file alone; both
are a `Model`. It must not know what is asked, nor files.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import asdict
from typing import Any, Literal, NamedTuple

from agents.models.model import Answer, Model, ModelError, Piece, Request, ToolCall, Usage
from agents.models.tape import CassetteError, Place, Tape, key, text
from storage.records import Json

__all__ = ["CassetteError", "Recording", "Replaying", "Tape"]

Form = Literal["chat", "stream", "embed"]
LOOKED_AT = 200
"""Exchanges among which the nearest to a request is looked for."""


def _asked(request: Request) -> Json:
    """What can change an answer; who pays, how urgently and until when cannot."""
    fields = asdict(request)
    return {name: value for name, value in fields.items() if name not in ("principal", "priority", "deadline")}


class _Said(NamedTuple):
    """What is kept of an answer."""

    pieces: tuple[str, ...] = ()
    answer: Answer | None = None
    vectors: list[list[float]] | None = None
    error: ModelError | None = None

    @staticmethod
    def of(entry: Json) -> _Said:
        """Raises KeyError, TypeError, ValueError or AttributeError where it is none."""
        pieces = tuple(map(str, entry.get("pieces", ())))
        if entry.get("given_up"):
            return _Said(pieces, error=ModelError("timeout", "whoever asked did not wait for the answer"))
        if (kept := entry.get("error")) is not None:
            usage = [Usage(**each) for each in kept["usage"]]
            error = ModelError(kept["kind"], kept["message"], kept["hint"], usage=usage, told=kept["told"])
            return _Said(pieces, error=error)
        if entry["form"] == "embed":
            return _Said(vectors=[list(map(float, each)) for each in entry["vectors"]])
        kept = entry["answer"]
        calls, dropped = (tuple(ToolCall(**call) for call in kept[name]) for name in ("calls", "dropped"))
        fields: Json = kept | {"usage": Usage(**kept["usage"]), "calls": calls, "dropped": dropped}
        return _Said(pieces, Answer(**fields))


class _Asked:
    """Requests by place, as they come. `attempt` tells which attempt asks."""

    def __init__(self, tape: Tape, attempt: Callable[[], str]):
        self.tape = tape
        self._attempt = attempt
        self._counts = Counter[tuple[str, str]]()

    def place(self, form: Form, asked: Json) -> Place:
        attempt, name = self._attempt(), key(form, asked)
        self._counts[attempt, name] += 1
        return Place(attempt, name, self._counts[attempt, name] - 1)

    def said(self, place: Place) -> _Said | None:
        """What is kept there; None: nothing. Raises `CassetteError` where that is no answer."""
        entry = self.tape.use(place)
        try:
            return None if entry is None else _Said.of(entry)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise CassetteError(f"{self.tape.file}:{self.tape.lines.get(place, 0)}: no answer: {error!r}") from None


class Recording:
    """Asks `model` and keeps what it says, errors too. What the tape has already from a run that was broken off is not asked
    again."""

    def __init__(self, model: Model, tape: Tape, attempt: Callable[[], str] = str):
        self._model, self._asked = model, _Asked(tape, attempt)

    async def chat(self, request: Request) -> Answer:
        """As `Model.chat`."""
        asked = _asked(request)
        place = self._asked.place("chat", asked)
        if (known := self._known(place)) is not None and known.answer is not None:
            return known.answer
        said: Json = {}
        try:
            answer = await self._model.chat(request)
            said = {"answer": asdict(answer)}
            return answer
        except ModelError as error:
            said = _error(error)
            raise
        except asyncio.CancelledError:
            said = {"given_up": True}
            raise
        finally:
            self._keep(place, "chat", asked, said)

    async def stream(self, request: Request) -> AsyncGenerator[Piece]:
        """As `Model.stream`."""
        asked = _asked(request)
        place = self._asked.place("stream", asked)
        if (known := self._known(place)) is not None and known.answer is not None:
            for piece in known.pieces:
                yield Piece(piece)
            yield Piece(answer=known.answer)
            return
        pieces: list[str] = []
        said: Json = {}
        try:
            async for piece in self._model.stream(request):
                if piece.answer is not None:
                    said = {"pieces": pieces, "answer": asdict(piece.answer)}
                else:
                    pieces.append(piece.text)
                yield piece
        except ModelError as error:
            said = {"pieces": pieces, **_error(error)}
            raise
        except (asyncio.CancelledError, GeneratorExit):
            said = said or {"pieces": pieces, "given_up": True}
            raise
        finally:
            self._keep(place, "stream", asked, said)

    async def embed(
        self, texts: Sequence[str], *, principal: str = "local", deadline: float = 10.0
    ) -> list[list[float]]:
        """As `Model.embed`."""
        asked: Json = {"texts": list(texts)}
        place = self._asked.place("embed", asked)
        if (known := self._known(place)) is not None and known.vectors is not None:
            return known.vectors
        try:
            found = await self._model.embed(texts, principal=principal, deadline=deadline)
        except ModelError as error:
            self._keep(place, "embed", asked, _error(error))
            raise
        self._keep(place, "embed", asked, {"vectors": found})
        return found

    def _known(self, place: Place) -> _Said | None:
        """What was answered there before; what failed is asked again."""
        said = self._asked.said(place)
        return None if said is None or said.error is not None else said

    def _keep(self, place: Place, form: Form, asked: Json, said: Json) -> None:
        if said:
            self._asked.tape.keep(place, {"form": form, "asked": asked, **said})


class Replaying:
    """Answers from a tape; a request that is not on it raises `CassetteError`, which no caller's fallback catches."""

    def __init__(self, tape: Tape, attempt: Callable[[], str] = str):
        self._asked = _Asked(tape, attempt)

    async def chat(self, request: Request) -> Answer:
        """As `Model.chat`."""
        said = self._said("chat", _asked(request))
        assert said.answer is not None, "it is an error or an answer"
        return said.answer

    async def stream(self, request: Request) -> AsyncGenerator[Piece]:
        """As `Model.stream`."""
        said = self._said("stream", _asked(request), late=True)
        for piece in said.pieces:
            yield Piece(piece)
        if said.error is not None:
            raise said.error
        yield Piece(answer=said.answer)

    async def embed(
        self, texts: Sequence[str], *, principal: str = "local", deadline: float = 10.0
    ) -> list[list[float]]:
        """As `Model.embed`."""
        said = self._said("embed", {"texts": list(texts)})
        assert said.vectors is not None, "it is an error or vectors"
        return said.vectors

    def _said(self, form: Form, asked: Json, *, late: bool = False) -> _Said:
        """What is kept; an error is raised, unless something was said before it."""
        tape, place = self._asked.tape, self._asked.place(form, asked)
        said = self._asked.said(place)
        if said is None:
            raise CassetteError(f"{tape.file}: {_missing(tape, place, form, asked)}")
        if said.error is not None and not late:
            raise said.error
        return said


def _missing(tape: Tape, place: Place, form: Form, asked: Json) -> str:
    """Why there is no answer, and what is kept that is most like it."""
    import difflib  # for those to whom it happens

    who = f" of {place.attempt}" if place.attempt else ""
    if place.number:
        return (
            f"this {form}{who} is asked {place.number + 1} times, and kept {place.number} times: {_around(asked, None)}"
        )
    same = [each for each, entry in tape.entries.items() if entry["form"] == form]
    own = [each for each in same if each.attempt == place.attempt]
    if not same:
        return f"no {form}{who} is kept"
    wanted = text(asked)
    near = max(
        (own or same)[:LOOKED_AT],
        key=lambda each: difflib.SequenceMatcher(None, wanted, text(tape.entries[each]["asked"])).quick_ratio(),
    )
    kept = tape.entries[near]["asked"]
    differ = [
        f"{name}: {_around(asked[name], kept.get(name))}" for name in asked if text(asked[name]) != text(kept.get(name))
    ]
    what = f"differs in {'; '.join(differ)}" if differ else f"is the same, of {near.attempt}"
    return f"this {form}{who} is not kept; the nearest, in line {tape.lines.get(near, 0)}, {what}"


def _around(asked: Any, kept: Any) -> str:
    """Where two values begin to differ."""
    mine, other = text(asked), text(kept)
    same = next((at for at, (a, b) in enumerate(zip(mine, other, strict=False)) if a != b), min(len(mine), len(other)))
    start = max(0, same - 20)
    return f"{mine[start : start + 80]!r}, kept {other[start : start + 80]!r}"


def _error(error: ModelError) -> Json:
    told = {"kind": error.kind, "message": str(error), "hint": error.hint, "told": error.told}
    return {"error": told | {"usage": [asdict(each) for each in error.usage]}}
