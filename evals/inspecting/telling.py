"""Owns how a played case looks in Inspect: messages, a note for each turn, scores; and a run's rows out of a log.

Everything is read from a `Row`, which the sample's store keeps, so that a log can be scored again. It must not know how it was played.
"""

from __future__ import annotations

from typing import Any, cast

from inspect_ai.log import EvalLog
from inspect_ai.model import ChatMessage, ChatMessageAssistant, ChatMessageTool, ChatMessageUser
from inspect_ai.scorer import CORRECT, INCORRECT, Score
from inspect_ai.tool import ToolCall
from inspect_ai.util import Store

from evals.results import Row
from storage.records import Json

KEPT = "rulebound"
"""Where the store has the row."""
REFEREE = "referee"
"""The tool as which the rules appear in a conversation."""
FIGURES = ("steps", "illegal_attempted", "illegal_executed", "calls", "cost")
"""Those that are scored; Inspect counts tokens and time itself. The others are in the score's metadata."""


def kept(store: Store) -> Row | None:
    """What came of a sample; None: nobody of ours played it."""
    data = cast("Json | None", store.get(KEPT))
    return Row.load(data) if data else None


def messages(row: Row) -> list[ChatMessage]:
    """The conversation: what was said, the referee's decisions with the lines of the rules that they rest on, what was answered."""
    told: list[ChatMessage] = []
    for number, step in enumerate(row.steps):
        actions = list(step.get("actions", ()))
        call = ToolCall(f"step {number}", REFEREE, {"actions": actions}) if actions else None
        if step.get("by") == "solver":
            told.append(ChatMessageAssistant(content=step["says"], tool_calls=[call] if call else None))
        else:
            told.append(ChatMessageUser(content=step["says"]))
            if call:
                told.append(ChatMessageAssistant(content="", tool_calls=[call]))
        if call:
            told.append(ChatMessageTool(content=decided(step), tool_call_id=call.id, function=REFEREE))
        told.append(ChatMessageAssistant(content=step.get("answer", "")))
    return told


def decided(step: Json) -> str:
    """What the rules made of a step: status, rule, reason, the lines that they went through, and what changed."""
    head = " ".join(f"{name}={step[name]}" for name in ("status", "rule", "route", "tier", "reason") if step.get(name))
    changes = [
        f"{each['id']}.{each['field']}: {each['before']!r} → {each['after']!r}" for each in step.get("changes", ())
    ]
    outside = [f"{name} outside the rules: {each}" for name in ("attempted", "executed") for each in step.get(name, ())]
    return "\n".join([head, *step.get("lines", ()), *changes, *outside])


def note(step: Json) -> str:
    """A step with what was decided, for the transcript."""
    return f"> {step['says']}\n{step.get('answer', '')}\n\n{decided(step)}"


def solved(row: Row) -> Score:
    """Whether it is solved, and what of each expectation came."""
    checks = [
        f"{'met' if each['met'] else 'NOT MET'}: {each['kind']}: {each['what']}"
        + (f": {each['why']}" if each.get("why") else "")
        + "".join(f"\n    {line}" for line in each.get("lines", ()))
        for each in row.checks
    ]
    last: Json = row.steps[-1] if row.steps else {}
    return Score(
        value=CORRECT if row.solved else INCORRECT,
        answer=last.get("answer", ""),
        explanation="\n".join([row.why, *checks] if row.why else checks) or "played to the end",
        metadata={"route": last.get("route", ""), "checks": list(row.checks)},
    )


def figures(row: Row) -> Score:
    """How it was played; unscored where it never began."""
    if not row.figures:
        return Score(value=float("nan"), explanation=row.why)
    more: dict[str, Any] = {name: value for name, value in row.figures.items() if name not in FIGURES}
    return Score(value={name: row.figures.get(name, 0) for name in FIGURES}, metadata=more or None)


def rows(log: EvalLog) -> list[Row]:
    """The rows of a log whose samples are there, by case and epoch as they were played: for our own reports and comparisons."""
    order = {id: number for number, id in enumerate(log.eval.dataset.sample_ids or ())}
    found = [row for each in log.samples or () if (row := kept(Store(each.store))) is not None]
    return sorted(found, key=lambda row: (row.contender, order.get(row.case, 0), row.epoch))
