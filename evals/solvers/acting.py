"""Owns a model that chooses what is done: the loop, the prompt and what is counted, the same with a referee and without one.

`await acted(case, at, model, hands, order)`; `Hands` are its tools and what they do. It must not know who decides what is allowed.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from typing import Protocol

from agents.models import MARKED, Answer, Marked, Message, Model, ModelError, Request, Tool, ToolCall, Usage
from agents.worlds import with_libraries
from evals.attempts import Attempt, Status, Step
from evals.cases import Case
from evals.environment import PLAYER, Environment
from kb.referee import State
from storage.records import Json

PAGES = 60_000
"""Characters of pages in a prompt."""
RESULT = 4_000
"""Characters of what a tool gives."""
ANSWER = 600.0
"""Seconds for an answer, those of a model on this machine that others ask too."""
TOKENS = 400
WORDS: Json = {"type": "string"}
OUTCOMES = ("done", "refused", "question")


def function(name: str, description: str, required: Sequence[str], **properties: Json) -> Tool:
    """A tool."""
    schema: Json = {"type": "object", "properties": properties, "required": list(required)}
    return Tool(name, description, {**schema, "additionalProperties": False})


FINISH = function(
    "finish",
    "Tells the user what came of it, when everything is done, or cannot be done, or something must be asked.",
    ("outcome", "text"),
    outcome={"type": "string", "enum": list(OUTCOMES)},
    text=WORDS,
)
_ENDED: dict[str, Status] = {"refused": "refused", "question": "question"}


NO_TOOL = "There is no such tool. Call one of those that are offered."
READING = (
    "How to read them: a rule is tried when its `on` is asked for. It is done only if every line under When holds, and not if a line "
    "of a table under Unless does; then everything under Then happens, in order, and nothing else. `a.b` is the field b of the thing "
    "a; in formulas the id ferry-bell is written ferry_bell. `decide [[x]]` does what the first row of table x says that fits. The user "
    "is `player`, and `room` is where the player is. Turns, time and positions in workflows are counted by themselves."
)


class Hands(Protocol):
    """What a model acts with in one attempt."""

    @property
    def state(self) -> State: ...
    @property
    def tools(self) -> tuple[Tool, ...]: ...
    def seen(self) -> str:
        """What the model is shown when a user begins to speak."""
        ...

    def hears(self, line: str) -> None:
        """The user says this."""
        ...

    async def does(self, call: ToolCall) -> tuple[Step, str]:
        """What comes of a call, and what the model is told of it. Raises nothing."""
        ...

    def ended(self, attempt: Attempt) -> Attempt:
        """The attempt, with what is to be said about the whole."""
        ...


async def acted(case: Case, model: Model, hands: Hands, system: str) -> Attempt:
    """Plays a case: its turns as a user says them, or else its task. It is over when the model has finished with the last, or has
    made as many calls of tools as the case has steps."""
    messages = [Message("system", system)]
    steps: list[Step] = []
    states = [hands.state]
    turns: list[int] = []
    error = ""
    for line in [turn.says for turn in case.turns] or [case.task]:
        hands.hears(line)
        messages.append(Message("user", f"{Marked(line, 'the user')}\n{Marked(hands.seen(), 'the world')}"))
        over = False
        while not over and not error and len(steps) < case.steps:
            asked = Request(
                tuple(messages), "test", tools=hands.tools, choice="required", max_tokens=TOKENS, deadline=ANSWER
            )
            try:
                answer = await model.chat(asked)
            except ModelError as failed:
                if failed.kind != "invalid":
                    error = f"the model: {failed.kind}: {failed}"
                    break
                spent = tuple(map(_spent, failed.usage))
                steps.append(Step("", "", "not-understood", "solver", reason=str(failed), models=spent))
                states.append(hands.state)
                messages.append(Message("user", NO_TOOL))
                continue
            # Providers count calls for everybody; named so, the same attempt asks the same, whoever else plays.
            named = (replace(call, id=f"call_{len(steps)}_{n}") for n, call in enumerate(answer.calls))
            answer = replace(answer, calls=tuple(named))
            spent = (_spent(answer.usage),)
            heard: list[Message] = []
            async for step, message in _steps(answer, hands, case.steps - len(steps)):
                steps.append(replace(step, models=spent))
                states.append(hands.state)
                heard.append(message)
                over, spent = step.says == FINISH.name, ()
            calls = tuple(call for call in answer.calls if any(each.call_id == call.id for each in heard))
            messages.append(Message("assistant", answer.text, calls))
            messages += sorted(heard, key=lambda each: each.role != "tool")  # results come right after their calls
        turns.append(len(steps))
    return hands.ended(Attempt(tuple(steps), tuple(states), tuple(turns), error, PLAYER))


async def _steps(answer: Answer, hands: Hands, left: int) -> AsyncGenerator[tuple[Step, Message]]:
    """What comes of an answer, as it comes, and what the model hears of it: its first calls, up to the one that finishes."""
    for call in answer.dropped[:left]:
        wish = f"{call.name}: no tool that is offered"
        yield Step(call.name, NO_TOOL, "refused", "solver", attempted=(wish,)), Message("user", NO_TOOL)
    for call in answer.calls[: max(0, left - len(answer.dropped))]:
        if call.name == FINISH.name:
            outcome, text = str(call.arguments.get("outcome")), str(call.arguments.get("text", ""))
            step = Step(FINISH.name, text, _ENDED.get(outcome, "answered"), "solver")
            yield step, Message("tool", "The user reads it.", call_id=call.id)
            return
        step, told = await hands.does(call)
        yield step, Message("tool", str(Marked(_clipped(told), call.name)), call_id=call.id)


def _spent(usage: Usage) -> Json:
    return {**usage.recorded("test"), "calls": usage.calls, "seconds": usage.seconds}


def _clipped(text: str) -> str:
    """As much of a text as a tool gives."""
    return text if len(text) <= RESULT else f"{text[:RESULT]}\n… ({len(text) - RESULT} more characters)"


def prompt(at: Environment, order: str, pages: int) -> str:
    """The rules as their pages tell them, at most so many characters, then what is to be done with them."""
    told, left = list[str](), pages
    for path, text in sorted(_pages(at).items(), key=lambda each: (each[0].startswith("shared/"), each[0])):
        if len(text) <= left:
            told.append(str(Marked(text, path)))
            left -= len(text)
    return "\n".join(
        (f"The world {at.session.rulebook.settings.name!r} has these pages.", READING, *told, order, MARKED)
    )


def _pages(at: Environment) -> dict[str, str]:
    """By path, all but scenarios (which tell how cases are solved) and pages about the repository."""
    found = with_libraries(at.world.checked.pages)
    return {
        path: page.text
        for path, page in found.items()
        if page.text and not path.endswith("README.md") and "scenario" not in page.front.entries
    }
