"""Owns the messages of the WebSocket: what a client may say, checked, and what it is told of errors.

`read(text)` gives a message or raises `Bad`; `refusal(error)` says what of an error a client is told. It must not know games.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from agents.access import Refused
from agents.game import GameError
from agents.knowledge.errors import KnowledgeError
from agents.worlds import WorldError
from kb.pages.source import SourceError
from storage import NoSuchGame, StoreAway, StoreError

MAX_INPUT = 10_000
"""Bytes of a message."""

Id = Annotated[str, Field(max_length=100)] | Annotated[int, Field(ge=-(2**53), le=2**53)]
"""As large as every reader of JSON can say it again."""
Key = Annotated[str, Field(max_length=100)]
Name = Annotated[str, Field(min_length=1, max_length=200)]


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid")
    id: Id | None = None
    """Comes back with the answer."""


class Start(_Message):
    """A new game, or a place in a shared world."""

    type: Literal["start"]
    world: Name
    player: Annotated[str, Field(min_length=1, max_length=80)] = "you"
    seed: int | None = None


class Resume(_Message):
    """A game that is there: by its handle, or the last one in a world. `since` is the last `event` that the client saw."""

    type: Literal["resume"]
    handle: Annotated[str, Field(max_length=64)] = ""
    world: Annotated[str, Field(max_length=200)] = ""
    player: Annotated[str, Field(min_length=1, max_length=80)] = "you"
    since: Annotated[str, Field(pattern=r"^\d{1,15}(\.\d{1,9})?$")] | Annotated[int, Field(ge=0, lt=10**15)] | None = (
        None
    )


class Command(_Message):
    """A line in plain words. The same `key` again gives the same turn again, not a second one."""

    type: Literal["command"]
    command: Annotated[str, Field(min_length=1, max_length=4_000)]
    key: Key = ""


class Observe(_Message):
    type: Literal["observe"]
    since: Annotated[int, Field(ge=0, lt=10**15)] = 0


class Why(_Message):
    type: Literal["why"]
    turn: Annotated[int, Field(ge=1, lt=10**15)] | None = None


class Ask(_Message):
    """A message in free words, for the router. With `stream` its answer is told as it comes, before the response."""

    type: Literal["ask"]
    question: Annotated[str, Field(min_length=1, max_length=4_000)]
    persona: Annotated[str, Field(max_length=100)] = ""
    key: Key = ""
    stream: bool = False


class Ping(_Message):
    type: Literal["ping"]


Message = Start | Resume | Command | Observe | Why | Ask | Ping
TYPES = ("start", "resume", "command", "observe", "why", "ask", "ping")
_READER: TypeAdapter[Message] = TypeAdapter(Annotated[Message, Field(discriminator="type")])


class Bad(Exception):
    """A message that cannot be taken. `id` is the client's, where it could be read."""

    def __init__(self, code: str, message: str, hint: str, id: Any = None):
        super().__init__(message)
        self.code, self.hint, self.id = code, hint, id


def read(text: str | None) -> Message:
    """The message of a frame; None: a frame of bytes. Raises `Bad`."""
    if text is None:
        raise Bad("bad_message", "Messages are text", "Send JSON in text frames.")
    if len(text) > MAX_INPUT or len(text.encode("utf-8", "surrogatepass")) > MAX_INPUT:
        raise Bad("too_large", f"The message is longer than {MAX_INPUT} bytes", "Say it in fewer words.")
    try:
        return _READER.validate_json(text)
    except ValidationError as error:
        raise _bad(text, error.errors(include_url=False, include_input=False)[0]) from None


def _bad(text: str, problem: Any) -> Bad:
    kind, names = problem["type"], ", ".join(TYPES)
    if kind == "json_invalid":
        return Bad(
            "bad_json", "This is no JSON", 'A message looks like {"type": "command", "command": "look", "id": 1}.'
        )
    if kind in ("model_attributes_type", "model_type", "dict_type"):
        return Bad("bad_message", "A message is an object", f'It has a "type": {names}.')
    said: dict[str, Any] = orjson.loads(text) if _loadable(text) else {}
    id = said.get("id")
    id = id if isinstance(id, int) or (isinstance(id, str) and len(id) <= 100) else None
    if kind.startswith("union_tag"):
        return Bad("unknown_type", "There is no message of this type", f"The types are {names}.", id)
    where = ".".join(str(part) for part in problem["loc"][1:]) or "the message"
    return Bad("bad_message", f"{where}: {problem['msg']}", "Mend this field and send it again.", id)


def _loadable(text: str) -> bool:
    """Whether the strict reader takes it too: what stands for a lone surrogate is JSON to one of them only."""
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True


def refusal(error: Exception) -> tuple[str, str, str] | None:
    """The code, the message and the hint of an error that a client is told; None: nobody expected it."""
    match error:
        case Bad():
            return error.code, str(error), error.hint
        case Refused():
            return "forbidden", str(error), error.hint
        case NoSuchGame():
            return "no_such_game", "There is no such game, or it is somebody else's", error.hint
        case GameError():
            return "refused", str(error), error.hint
        case WorldError() | KnowledgeError() | SourceError():
            return "no_such_world", str(error), error.hint
        case StoreAway():
            return "unavailable", "The database does not answer", error.hint
        case StoreError():
            return "conflict", str(error), error.hint
        case _:
            return None
