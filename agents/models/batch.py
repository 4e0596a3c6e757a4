"""Owns asking many questions of one kind at once: those that arrive while others are asked go out together and come back apart.

`Batching(model)` is a `Model`; `await model.chat(request)` as ever. It must not know what is asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from agents.models.answers import mismatch
from agents.models.model import Answer, Message, Model, ModelError, Piece, Purpose, Request, Usage, total
from storage.records import Json

KINDS: frozenset[Purpose] = frozenset({"label", "judge", "freeform", "interpret", "prepare"})
"""Purposes of which several questions may share a call."""
MOST = 16
"""Questions of one call."""
TOKENS = 8_000
"""Of one call's answer."""


@dataclass(slots=True)
class _Question:
    request: Request
    answer: asyncio.Future[Answer]


class Batching:
    """Asks `model`; a question with a schema or labels may share its call with others of its kind.

    Of a kind are questions with the same purpose, system prompt, schema or labels, model and priority, of one message each. The
    first is asked at once, with what comes in the same moment; what comes until that is answered goes out as the next call. The
    cost is shared out evenly. They
    are of one principal, who pays and reads nobody else's words, unless `across`: then the first one's budget pays.
    """

    def __init__(self, model: Model, *, kinds: frozenset[Purpose] = KINDS, most: int = MOST, across: bool = False):
        self._model, self._kinds, self._most, self._across = model, kinds, most, across
        self._waiting: dict[object, list[_Question]] = {}
        """By kind; a kind is here while it is asked."""
        self._tasks: set[asyncio.Task[None]] = set()

    async def chat(self, request: Request) -> Answer:
        """As `Model.chat`."""
        kind = self._kind(request)
        if kind is None:
            return await self._model.chat(request)
        question = _Question(request, asyncio.get_running_loop().create_future())
        if (waiting := self._waiting.get(kind)) is not None:
            waiting.append(question)
        else:
            self._waiting[kind] = [question]
            task = asyncio.create_task(self._ask(kind))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        try:
            async with asyncio.timeout(request.deadline):
                return await question.answer
        except TimeoutError:
            raise ModelError("timeout", f"no answer within {request.deadline:g} s") from None

    def stream(self, request: Request) -> AsyncIterator[Piece]:
        """As `Model.stream`: never shared."""
        return self._model.stream(request)

    async def embed(
        self, texts: Sequence[str], *, principal: str = "local", deadline: float = 10.0
    ) -> list[list[float]]:
        """As `Model.embed`."""
        return await self._model.embed(texts, principal=principal, deadline=deadline)

    def _kind(self, request: Request) -> object | None:
        """What questions must have in common; None: this one is asked alone."""
        typed = request.schema is not None or bool(request.labels)
        if request.purpose not in self._kinds or not typed or request.tools or len(request.messages) != 2:
            return None
        system, user = request.messages
        if (system.role, user.role) != ("system", "user"):
            return None
        bound = (repr(request.schema), request.labels, request.model, request.priority, request.temperature)
        return (request.purpose, "" if self._across else request.principal, system.text, *bound)

    async def _ask(self, kind: object) -> None:
        """Asks as long as there are questions of a kind."""
        try:
            while questions := self._next(kind):
                await self._together(questions)
        finally:
            for each in self._waiting.pop(kind):
                each.answer.cancel()  # nobody is left but after an error of ours

    def _next(self, kind: object) -> list[_Question]:
        """The next that go out together; who went away is left out."""
        waiting = [each for each in self._waiting[kind] if not each.answer.done()]
        size = min(self._most, max(1, TOKENS // max((each.request.max_tokens for each in waiting), default=1)))
        self._waiting[kind] = waiting[size:]
        return waiting[:size]

    async def _together(self, questions: Sequence[_Question]) -> None:
        if len(questions) == 1:
            await self._alone(questions[0])
            return
        try:
            answer = await self._model.chat(_joined([each.request for each in questions]))
        except ModelError as error:
            # Who can be helped alone is asked alone; where nobody answers, all are told so, with their share of what it took.
            shares = zip(questions, _shares(error.usage, len(questions)), strict=True)
            if error.kind == "invalid":
                await asyncio.gather(*(self._alone(each, share) for each, share in shares))
            else:
                for each, share in shares:
                    _refuse(each, ModelError(error.kind, str(error), error.hint, usage=share))
            return
        except Exception as error:  # a cassette's, say: whoever asked is told
            for each in questions:
                _refuse(each, error)
            return
        again: list[Coroutine[Any, Any, None]] = []
        for number, (each, share) in enumerate(zip(questions, _shares([answer.usage], len(questions)), strict=True), 1):
            given = cast(Json, answer.data).get(str(number))
            found = _apart(each.request, given, share[0])
            if found is None:
                again.append(self._alone(each, share))
            elif not each.answer.done():
                each.answer.set_result(found)
        await asyncio.gather(*again)

    async def _alone(self, question: _Question, before: Sequence[Usage] = ()) -> None:
        """A call of its own, beside what was spent on it in vain."""
        if question.answer.done():
            return
        try:
            answer = await self._model.chat(question.request)
        except ModelError as error:
            _refuse(question, ModelError(error.kind, str(error), error.hint, usage=(*before, *error.usage)))
        except Exception as error:
            _refuse(question, error)
        except BaseException:
            question.answer.cancel()
            raise
        else:
            if not question.answer.done():
                question.answer.set_result(replace(answer, usage=total((*before, answer.usage))))


def _joined(requests: Sequence[Request]) -> Request:
    """One request for all: numbered questions, and an object with an answer for each number."""
    first = requests[0]
    one: Json = {"type": "string", "enum": list(first.labels)} if first.labels else first.schema or {}
    numbers = [str(number) for number in range(1, len(requests) + 1)]
    system = (
        f"{first.messages[0].text}\n\nThere are {len(requests)} questions, numbered, and each stands by itself: what one says is "
        "nothing to the others. Answer with one JSON object that holds the answer to each under its number."
    )
    asked = (f"Question {number}:\n{each.messages[1].text}" for number, each in zip(numbers, requests, strict=True))
    return replace(
        first,
        messages=(Message("system", system), Message("user", "\n\n".join(asked))),
        labels=(),
        schema={
            "type": "object",
            "properties": dict.fromkeys(numbers, one),
            "required": numbers,
            "additionalProperties": False,
        },
        loose=True,
        max_tokens=sum(each.max_tokens for each in requests),
        deadline=max(each.deadline for each in requests),
    )


def _apart(request: Request, given: Any, usage: Usage) -> Answer | None:
    """The answer to one of the questions; None: it is none."""
    if request.labels:
        said: Any = cast(Json, given).get("label") if isinstance(given, dict) else given
        label = next(
            (each for each in request.labels if isinstance(said, str) and each.casefold() == said.casefold()), None
        )
        return None if label is None else Answer(label, usage, label=label, data={"label": label})
    if given is None or request.schema is None or mismatch(given, request.schema) is not None:
        return None
    return Answer("", usage, data=given)


def _refuse(question: _Question, error: Exception) -> None:
    if not question.answer.done():
        question.answer.set_exception(error)


def _shares(usage: Sequence[Usage], count: int) -> list[list[Usage]]:
    """For each of so many an even part of what calls took; the calls themselves are counted with the first."""
    return [
        [
            replace(
                each,
                input_tokens=each.input_tokens // count,
                output_tokens=each.output_tokens // count,
                cached_tokens=each.cached_tokens // count,
                cost=each.cost / count,
                calls=0 if number else each.calls,
            )
            for each in usage
        ]
        for number in range(count)
    ]
