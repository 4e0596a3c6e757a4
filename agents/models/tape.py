"""Owns a cassette's file: exchanges with models, a line each, that cannot be cut, edited or mixed up without being noticed.

`with Tape.recording(file) as tape: tape.keep(place, exchange)`, `Tape.load(file).use(place)`. docs/evaluators/cassettes.md is the format.
It must not know models, nor what an exchange means.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

from storage.records import Json

VERSION = 2
_SUM, _OF = '{"sum":"', '","of":'
_DIGITS = 16


class CassetteError(Exception):
    """A cassette cannot be used, or has no answer to what is asked: `args[0]` says what, where, and which exchange is nearest."""

    hint = "Record it again."


class Place(NamedTuple):
    """What an exchange is found by. `number` counts the same requests of an attempt from 0, because each has its own answer."""

    attempt: str
    key: str
    number: int


def key(form: str, asked: Json) -> str:
    """The name of a request: a hash of all of it that can change an answer."""
    return _hash(text({"form": form, **asked}))


def text(value: Any) -> str:
    """As it is kept: in the order in which it is, because that of an answer may stand in the next prompt."""
    said = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return said.encode("utf-8", "backslashreplace").decode()  # half a character is written as JSON does


def _hash(of: str) -> str:
    return hashlib.sha256(of.encode()).hexdigest()


class Tape:
    """The exchanges of a file, each with its `form`, what was `asked`, and what came of it. One process at a time records."""

    def __init__(self, file: Path):
        self.file = file
        self.entries: dict[Place, Json] = {}
        self.lines: dict[Place, int] = {}
        """Where each stands in the file that was read."""
        self._used: set[Place] = set()
        self._out: BinaryIO | None = None

    @staticmethod
    def load(file: Path) -> Tape:
        """One that was recorded to its end. Raises `CassetteError`."""
        tape = Tape(file)
        if not tape._read(_bytes(file))[1]:
            raise CassetteError(f"{file}: it was not recorded to its end, or its end is cut off")
        return tape

    @staticmethod
    @contextmanager
    def recording(file: Path) -> Generator[Tape]:
        """One that is recorded, and gone on with where it was begun before. Where this ends well the tape is whole, in an order that
        does not depend on who was faster; else it can be gone on with. Raises `CassetteError`."""
        tape, head = Tape(file), _line({"cassette": VERSION}).encode()
        file.parent.mkdir(parents=True, exist_ok=True)
        data = _bytes(file) if file.exists() else b""
        if head.startswith(data):
            file.write_bytes(head)
        else:
            lines = data[: data.rfind(b"\n") + 1] or data
            os.truncate(file, tape._read(lines)[0])  # half a line at the end is a kill's
        with file.open("ab") as tape._out:
            yield tape
        tape._finish()

    def keep(self, place: Place, entry: Json) -> None:
        """Adds an exchange, or puts it in the place of another: it is on disk when this returns."""
        assert self._out is not None, "it is recorded"
        self.entries[place] = entry
        self._used.add(place)
        self._out.write(_line({**place._asdict(), **entry}).encode())
        self._out.flush()

    def use(self, place: Place) -> Json | None:
        """The exchange there; None: there is none."""
        self._used.add(place)
        return self.entries.get(place)

    def _finish(self) -> None:
        """Puts the tape in order. Of attempts that were played now, what they did not ask for any more is left out."""
        played = {each.attempt for each in self._used}
        kept = [each for each in sorted(self.entries) if each in self._used or each.attempt not in played]
        lines = [_line({"cassette": VERSION}), *(_line({**each._asdict(), **self.entries[each]}) for each in kept)]
        descriptor, name = tempfile.mkstemp(dir=self.file.parent, prefix=f".{self.file.name}.")
        try:
            with open(descriptor, "w", encoding="utf-8", newline="\n") as new:
                new.writelines((*lines, _end(lines)))
            os.replace(name, self.file)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    def _read(self, data: bytes) -> tuple[int, bool]:
        """Takes all exchanges in. How many bytes they are, and whether the end is there."""
        good, read = 0, list[str]()
        for number, raw in enumerate(data.splitlines(keepends=True), 1):
            line = raw.decode("utf-8", "replace")
            entry = self._entry(line, number)
            if "end" in entry:
                if line != _end(read) or good + len(raw) != len(data):
                    raise CassetteError(f"{self.file}:{number}: lines are missing before it, or were added")
                return good, True
            if number > 1:
                self._take(entry, number)
            read.append(line)
            good += len(raw)
        return good, False

    def _entry(self, line: str, number: int) -> Json:
        """What a line holds."""
        said = line.removesuffix("\n").removesuffix("}")[len(_SUM) + _DIGITS + len(_OF) :]
        whole = line == f"{_SUM}{_hash(said)[:_DIGITS]}{_OF}{said}}}\n"
        try:
            entry: Any = json.loads(said) if whole else {}
        except (ValueError, RecursionError):
            entry = {}
        if number == 1 and entry != {"cassette": VERSION}:
            raise CassetteError(f"{self.file}:1: it is no cassette of version {VERSION}")
        if not entry or not isinstance(entry, dict):
            raise CassetteError(f"{self.file}:{number}: the line is not as it was written")
        return cast(Json, entry)

    def _take(self, entry: Json, number: int) -> None:
        try:
            place = Place(str(entry.pop("attempt")), str(entry.pop("key")), int(entry.pop("number")))
            if key(entry["form"], entry["asked"]) != place.key:
                raise ValueError("the request is not the one that was answered")
        except (KeyError, TypeError, ValueError) as error:
            raise CassetteError(f"{self.file}:{number}: no exchange: {error!r}") from None
        self.entries[place], self.lines[place] = entry, number


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise CassetteError(f"{file}: {error.strerror}") from None


def _line(entry: Json) -> str:
    """An entry with the sum of its text."""
    said = text(entry)
    return f"{_SUM}{_hash(said)[:_DIGITS]}{_OF}{said}}}\n"


def _end(lines: Sequence[str]) -> str:
    """The last line, by those before it."""
    return _line({"end": len(lines) - 1, "all": _hash("".join(line[: len(_SUM) + _DIGITS] for line in lines))})
