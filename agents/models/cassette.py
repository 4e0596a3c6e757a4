"""Owns cassettes: a file of requests and their answers, so that a run can be had again without a model.

`Recording(model, file)` asks and writes, `Replaying(file)` answers from the file alone; both are a `Model`. JSON lines, one an
exchange. It must not know what is asked.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import tempfile
from collections.abc import AsyncGenerator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal, cast

from agents.models.model import Answer, Model, ModelError, Piece, Request, ToolCall, Usage
from storage.records import Json

Form = Literal["chat", "stream", "embed"]


class CassetteError(Exception):
    """A cassette cannot be used, or has no answer to what is asked: `args[0]` says what and which entry is nearest."""

    hint = "Record it again."


def key(form: Form, asked: Json) -> str:
    """The name of a request: a hash of all of it that can change an answer."""
    return hashlib.sha256(_text({"form": form, **asked}).encode()).hexdigest()


def _asked(request: Request) -> Json:
    """What can change an answer; who pays, how urgently and until when cannot."""
    fields = asdict(request)
    return {name: value for name, value in fields.items() if name not in ("principal", "priority", "deadline")}


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


class Recording:
    """Asks `model` and keeps what it says; the file is whole after every exchange. Errors are kept too."""

    def __init__(self, model: Model, file: Path):
        self._model, self._file = model, file
        self._entries = _read(file) if file.exists() else {}

    async def chat(self, request: Request) -> Answer:
        """As `Model.chat`."""
        try:
            answer = await self._model.chat(request)
        except ModelError as error:
            self._keep("chat", _asked(request), _error(error))
            raise
        self._keep("chat", _asked(request), {"answer": asdict(answer)})
        return answer

    async def stream(self, request: Request) -> AsyncGenerator[Piece]:
        """As `Model.stream`; one that is not listened to until its end is not kept."""
        pieces: list[str] = []
        try:
            async for piece in self._model.stream(request):
                if piece.answer is not None:
                    self._keep("stream", _asked(request), {"pieces": pieces, "answer": asdict(piece.answer)})
                else:
                    pieces.append(piece.text)
                yield piece
        except ModelError as error:
            self._keep("stream", _asked(request), {"pieces": pieces, **_error(error)})
            raise

    async def embed(
        self, texts: Sequence[str], *, principal: str = "local", deadline: float = 10.0
    ) -> list[list[float]]:
        """As `Model.embed`."""
        found = await self._model.embed(texts, principal=principal, deadline=deadline)
        self._keep("embed", {"texts": list(texts)}, {"vectors": found})
        return found

    def _keep(self, form: Form, asked: Json, said: Json) -> None:
        """Adds an exchange, or puts it in the place of the same request's, in a new file that takes the old one's place."""
        self._entries[key(form, asked)] = {"form": form, "asked": asked, **said}
        lines = (_text({"key": name, **entry}) for name, entry in self._entries.items())
        self._file.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=self._file.parent, prefix=f"{self._file.name}.")
        try:
            with open(descriptor, "w", encoding="utf-8") as new:
                new.writelines(f"{line}\n" for line in lines)
            os.replace(name, self._file)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


class Replaying:
    """Answers from a file; a request that is not in it raises `CassetteError`, which no caller's fallback catches."""

    def __init__(self, file: Path):
        self._file, self._entries = file, _read(file)

    async def chat(self, request: Request) -> Answer:
        """As `Model.chat`."""
        entry = self._entry("chat", _asked(request))
        _raise(entry)
        return _answer(entry["answer"])

    async def stream(self, request: Request) -> AsyncGenerator[Piece]:
        """As `Model.stream`."""
        entry = self._entry("stream", _asked(request))
        for text in entry["pieces"]:
            yield Piece(text)
        _raise(entry)
        yield Piece(answer=_answer(entry["answer"]))

    async def embed(
        self, texts: Sequence[str], *, principal: str = "local", deadline: float = 10.0
    ) -> list[list[float]]:
        """As `Model.embed`."""
        return self._entry("embed", {"texts": list(texts)})["vectors"]

    def _entry(self, form: Form, asked: Json) -> Json:
        if (found := self._entries.get(key(form, asked))) is not None:
            return found
        wanted = _text(asked)
        others = [entry for entry in self._entries.values() if entry["form"] == form]
        if not others:
            raise CassetteError(f"{self._file}: no {form} of it is kept")
        near = max(others, key=lambda entry: difflib.SequenceMatcher(None, wanted, _text(entry["asked"])).quick_ratio())
        differ = [name for name in asked if asked[name] != near["asked"].get(name)]
        shown = "; ".join(f"{name}: {_around(asked[name], near['asked'].get(name))}" for name in differ)
        raise CassetteError(f"{self._file}: this {form} is not kept; the nearest differs in {shown}")


def _around(asked: Any, kept: Any) -> str:
    """Where two values begin to differ."""
    mine, other = _text(asked), _text(kept)
    same = next((at for at, (a, b) in enumerate(zip(mine, other, strict=False)) if a != b), min(len(mine), len(other)))
    start = max(0, same - 20)
    return f"{mine[start : start + 80]!r}, kept {other[start : start + 80]!r}"


def _read(file: Path) -> dict[str, Json]:
    entries: dict[str, Json] = {}
    try:
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            try:
                entry = cast(Json, json.loads(line))
                entries[entry.pop("key")] = entry
            except (ValueError, KeyError, AttributeError) as error:
                raise CassetteError(f"{file}:{number}: no exchange: {error!r}") from error
    except OSError as error:
        raise CassetteError(f"{file}: {error.strerror}") from error
    return entries


def _answer(kept: Json) -> Answer:
    calls, dropped = (tuple(ToolCall(**call) for call in kept[name]) for name in ("calls", "dropped"))
    fields: Json = kept | {"usage": Usage(**kept["usage"]), "calls": calls, "dropped": dropped}
    return Answer(**fields)


def _error(error: ModelError) -> Json:
    told = {"kind": error.kind, "message": str(error), "hint": error.hint, "told": error.told}
    return {"error": told | {"usage": [asdict(each) for each in error.usage]}}


def _raise(entry: Json) -> None:
    if (kept := entry.get("error")) is not None:
        usage = [Usage(**each) for each in kept["usage"]]
        raise ModelError(kept["kind"], kept["message"], kept["hint"], usage=usage, told=kept["told"])
