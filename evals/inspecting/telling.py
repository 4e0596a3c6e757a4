"""Owns how a played case looks in Inspect: messages, a note for each turn, scores; and a run's rows out of a log.

Everything is read from a `Row`, which the sample's store keeps, so that a log can be scored again. It must not know how it was played.
"""

from __future__ import annotations

from typing import Any, cast

from inspect_ai.log import EvalLog
from inspect_ai.model import ChatMessage, ChatMessageAssistant, ChatMessageTool, ChatMessageUser
from inspect_ai.scorer import CORRECT, INCORRECT, Score
from inspect_ai.tool import ToolCall, ToolCallError
from inspect_ai.util import Store

from evals.results import Row
from storage.records import Json

KEPT = "rulebound"
"""Where the store has the row."""
REFEREE = "referee"
"""The tool as which the rules appear in a conversation."""
FIGURES = (
    "steps", "acted", "legal", "illegal_attempted", "illegal_executed",
    "calls", "input_tokens", "output_tokens", "cost", "model_seconds",
)  # fmt: skip
"""Of the row's figures those that every case has: Inspect reduces epochs only where each has the same."""


def kept(store: Store) -> Row | None:
    """What came of a sample; None: nobody of ours played it."""
    data = cast("Json | None", store.get(KEPT))
    return Row.load(data) if data else None


def messages(row: Row) -> list[ChatMessage]:
    """The conversation: what was said, the referee's decisions with the lines of the rules that they rest on, what was answered."""
    told: list[ChatMessage] = []
    for number, step in enumerate(row.steps):
        actions: list[str] = list(step.get("actions", ()))
        calls = [ToolCall(f"{number}.{place}", REFEREE, {"action": each}) for place, each in enumerate(actions)]
        if step.get("by") == "solver":
            told.append(ChatMessageAssistant(content=step["says"], tool_calls=calls or None))
        else:
            told.append(ChatMessageUser(content=step["says"]))
            if calls:
                told.append(ChatMessageAssistant(content="", tool_calls=calls))
        for call in calls[:1]:  # what came of all is told with the first
            refused = step["status"] == "refused"
            told.append(
                ChatMessageTool(
                    content=decided(step),
                    tool_call_id=call.id,
                    function=REFEREE,
                    error=ToolCallError("permission", step.get("reason", "refused")) if refused else None,
                )
            )
        told += [
            ChatMessageTool(content="as above", tool_call_id=each.id, function=REFEREE) for each in calls[1:]
        ]
        told.append(ChatMessageAssistant(content=step.get("answer", "")))
    return told


def decided(step: Json) -> str:
    """What the rules made of a step: status, rule, reason, the lines that they went through, and what changed."""
    head = " ".join(
        f"{name}={step[name]}" for name in ("status", "rule", "route", "tier", "reason") if step.get(name)
    )
    changes = [
        f"{each['id']}.{each['field']}: {each['before']!r} → {each['after']!r}" for each in step.get("changes", ())
    ]
    outside = [
        f"{name} outside the rules: {each}" for name in ("attempted", "executed") for each in step.get(name, ())
    ]
    return "\n".join([head, *step.get("lines", ()), *changes, *outside])


def note(step: Json) -> str:
    """A step as Markdown, for the transcript. What comes from pages and players stands in fences."""
    said = _fenced(f"> {step['says']}\n{step.get('answer', '')}")
    return f"{said}\n{_fenced(decided(step))}"


def _fenced(text: str) -> str:
    """A fence that the text cannot close."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}\n{text}\n{fence}"


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
