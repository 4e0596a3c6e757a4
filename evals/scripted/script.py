"""Owns scripts: what a model answers, decided by the conversation so far and nothing else.

A script is any `Decide`, or a YAML or JSON file that `Script.load` reads. It must not know any wire format.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast, get_args

import yaml

from evals.scripted.conversation import Answer, Call, Conversation, Fault, Kind

Decide = Callable[[Conversation], Answer]
"""A script as a function."""

_VALUE = re.compile(r"\{(\w+)\.(\w+)\}")


class ScriptError(Exception):
    """A script's file cannot be used."""


@dataclass(frozen=True, slots=True)
class Case:
    """The answers, in order, after a message of the user that holds the words `when`."""

    when: str
    steps: tuple[Answer, ...]


@dataclass(frozen=True, slots=True)
class Script:
    """Cases; the one whose words were said last holds. Its next answer is the one after as many as the model gave since.

    When all are given, and to requests that do not offer the tool that is to be called (clients also ask for titles), the
    model says `otherwise`. `{start.handle}` in an argument or a text is what the last result of `start` gives for `handle`.
    """

    cases: tuple[Case, ...]
    otherwise: str = "Done."

    def __call__(self, conversation: Conversation) -> Answer:
        begun = [(since, case) for case in self.cases if (since := conversation.since(case.when)) is not None]
        if not begun:
            return Answer(self.otherwise)
        since, case = min(begun, key=lambda each: len(each[0]))
        given = sum(message.role == "assistant" for message in since)
        step = case.steps[given] if given < len(case.steps) else Answer(self.otherwise)
        calls = tuple(
            Call(name, _filled(call.arguments, conversation))
            for call in step.calls
            if (name := conversation.tool(call.tool)) is not None
        )
        if len(calls) < len(step.calls):
            return Answer(self.otherwise)
        return replace(step, text=_filled(step.text, conversation), calls=calls)

    @staticmethod
    def load(file: Path) -> Script:
        """Reads `cases` (each `when` and `steps`), or just `steps`. A step has `say` or `json`, `call` and `with`, `calls` for several at
        once, and `fault`: a kind, or its fields. Raises `ScriptError`."""
        try:
            script: Any = yaml.safe_load(file.read_text("utf-8"))
            cases = script.get("cases") or [{"steps": script["steps"]}]
            return Script(
                tuple(Case(case.get("when", ""), tuple(map(_step, case["steps"]))) for case in cases),
                script.get("otherwise", "Done."),
            )
        except (OSError, yaml.YAMLError, AttributeError, KeyError, TypeError, ValueError) as error:
            raise ScriptError(f"{file}: {type(error).__name__}: {error}") from error


def _step(step: dict[str, Any]) -> Answer:
    if unknown := set(step) - {"say", "json", "likely", "call", "with", "calls", "fault"}:
        raise ValueError(f"a step has no {sorted(unknown)}")
    called: list[dict[str, Any]] = step.get("calls") or ([step] if "call" in step else [])
    fault = _fault(step["fault"]) if "fault" in step else None
    calls = tuple(Call(each["call"], each.get("with") or {}) for each in called)
    text = json.dumps(step["json"]) if "json" in step else step.get("say", "")
    return Answer(text, calls, fault, likely=step.get("likely"))


def _fault(said: Any) -> Fault:
    fault = Fault(**cast(dict[str, Any], said if isinstance(said, dict) else {"kind": str(said)}))
    if fault.kind not in get_args(Kind):
        raise ValueError(f"no fault is called {fault.kind!r}, only {', '.join(get_args(Kind))}")
    return fault


def _filled(value: Any, conversation: Conversation) -> Any:
    """The value with what earlier results gave in place of `{tool.key}`; what nothing gave stays as it is."""
    if isinstance(value, str):
        return _VALUE.sub(lambda found: conversation.value(found[1], found[2]) or found[0], value)
    if isinstance(value, dict):
        return {key: _filled(each, conversation) for key, each in cast(dict[str, Any], value).items()}
    return [_filled(each, conversation) for each in cast(list[Any], value)] if isinstance(value, list) else value
