"""Owns how a replay's report is shown: at the terminal, as JSON, and as markdown for a pull request's comment.

`render(report, form)`. It must not find differences.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Final

from agents.replay.compare import Difference, Side
from agents.replay.report import Example, Group, Groups, Report

MAX_GROUPS = 20
MAX_FACTS = 6
MAX_WIDTH = 160
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def as_text(report: Report) -> str:
    """For people at a terminal."""
    lines = [_summary(report)]
    for title, groups in _sections(report):
        lines += ["", f"{title}:"]
        for group in groups.ranked()[:MAX_GROUPS]:
            lines += ["", f"  {_counted(group)}  {_rules(group)}", *(f"    {each}" for each in _places(group))]
            for example in group.examples:
                lines += [f"      {_turn(example)}", *(f"        {each}" for each in _changes(example.difference))]
            lines += [f"      {each}" for each in _more(group.count - len(group.examples))]
        lines += [f"  {each}" for each in _more(len(groups) - MAX_GROUPS, " rules and lines")]
    lines += ["", "Not replayed:", *(f"  {each}" for each in _skipped(report))] if report.skipped else []
    return "\n".join(lines)


def as_markdown(report: Report) -> str:
    """For a comment. It names turns, not players, but shows what was typed."""
    lines = ["### Replay", "", _summary(report)]
    for title, groups in _sections(report):
        ranked = groups.ranked()[:MAX_GROUPS]
        lines += ["", f"#### {title}", "", "| Turns | Players | Rule | Before | After |", "|--:|--:|---|---|---|"]
        for group in ranked:
            before, after = group.sides
            cells = (_code(_rules(group)), _code(before.at), _code(after.at))
            lines.append(f"| {group.count:,} | {len(group.players):,} | {' | '.join(cells)} |")
        lines += ["", *_more(len(groups) - MAX_GROUPS, " rules and lines")]
        for group in ranked:
            shown = [*_places(group)]
            for example in group.examples:
                shown += ["", _turn(example), *_changes(example.difference)]
            shown += _more(group.count - len(group.examples))
            fence = "`" * max(3, *(len(run) + 1 for line in shown for run in re.findall("`+", line)), 3)
            summary = f"{_html(_rules(group))}: {_counted(group)}"
            lines += ["", f"<details><summary>{summary}</summary>", "", f"{fence}diff", *shown, fence, "</details>"]
    lines += ["", "#### Not replayed", "", *(f"- {_html(each)}" for each in _skipped(report))] if report.skipped else []
    return "\n".join(lines)


def as_json(report: Report) -> str:
    """Everything, with each turn that differs."""
    data = {
        "against": report.against or None,
        "games": report.games,
        "turns": report.turns,
        "replayed": report.replayed,
        "players": len(report.players),
        "changed": _data(report.changed),
        "unreproduced": _data(report.unreproduced),
        "skipped": [{"reason": reason, "turns": report.skipped[reason]} for reason in sorted(report.skipped)],
    }
    return json.dumps(data, indent=2, ensure_ascii=False)


FORMS: Final[dict[str, Callable[[Report], str]]] = {"text": as_text, "json": as_json, "markdown": as_markdown}


def _data(groups: Groups) -> dict[str, Any]:
    return {
        "turns": groups.count,
        "players": len(groups.players),
        "groups": [_group(group) for group in groups.ranked()],
    }


def _group(group: Group) -> dict[str, Any]:
    before, after = group.sides
    return {
        "turns": group.count,
        "players": len(group.players),
        "before": {"rule": before.rule, "at": before.at, "line": before.line},
        "after": {"rule": after.rule, "at": after.at, "line": after.line},
        "examples": [
            {
                "game": each.game,
                "turn": each.number,
                "said": each.text,
                "before": list(each.difference.gone),
                "after": list(each.difference.new),
            }
            for each in group.examples
        ],
        "games": {game: group.turns[game] for game in sorted(group.turns)},
    }


def _summary(report: Report) -> str:
    """Counts in a sentence or two."""
    turns = (
        f"{_many(report.replayed, 'turn')} of {_many(report.games, 'game')} by {_many(len(report.players), 'player')}"
    )
    said = f"{turns} replayed under their own commits: "
    wrong = report.unreproduced.count
    said += f"{_many(wrong, 'turn')} not as recorded." if wrong else "every one as recorded."
    if not report.against:
        return said
    changed, under = report.changed, ", ".join(each[:14] for each in report.against.split(", "))
    if not changed:
        return f"{said} Under {under} every one ends the same."
    share = f"{100 * changed.count / max(report.replayed, 1):.2g} %"
    touched = f"{_many(changed.count, 'turn')} ({share}) of {_many(len(changed.players), 'player')}"
    return f"{said} Under {under} {touched} would end differently."


def _sections(report: Report) -> list[tuple[str, Groups]]:
    sections = (("Would end differently", report.changed), ("Not as recorded", report.unreproduced))
    return [(title, groups) for title, groups in sections if groups]


def _skipped(report: Report) -> list[str]:
    ranked = sorted(report.skipped.items(), key=lambda each: (-each[1], each[0]))
    return [
        *(f"{_many(turns, 'turn')}: {_clean(why)}" for why, turns in ranked[:MAX_GROUPS]),
        *_more(len(ranked) - MAX_GROUPS),
    ]


def _counted(group: Group) -> str:
    return f"{_many(group.count, 'turn')}, {_many(len(group.players), 'player')}"


def _rules(group: Group) -> str:
    before, after = group.sides
    return before.rule if before.rule == after.rule else f"{before.rule} → {after.rule}"


def _places(group: Group) -> list[str]:
    return [f"{sign} {_cited(side)}" for sign, side in zip("-+", group.sides, strict=True) if side.place]


def _cited(side: Side) -> str:
    return f"{side.at}  {_clean(side.line)}"


def _turn(example: Example) -> str:
    return f"game {example.game} turn {example.number}: {_clean(example.text)}"


def _changes(difference: Difference) -> list[str]:
    lines: list[str] = []
    for sign, facts in (("-", difference.gone), ("+", difference.new)):
        lines += [f"{sign} {_clean(each)}" for each in facts[:MAX_FACTS]]
        lines += _more(len(facts) - MAX_FACTS)
    return lines


def _more(count: int, what: str = "") -> list[str]:
    return [f"… and {count:,} more{what}"] if count > 0 else []


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'s' * (count != 1)}"


def _clean(text: str) -> str:
    """One line without what a terminal or a reader would be misled by."""
    text = _CONTROL.sub(" ", text)
    return text if len(text) <= MAX_WIDTH else text[: MAX_WIDTH - 1] + "…"


def _code(text: str) -> str:
    """A table's cell that is read as it is written."""
    return f"<code>{_html(text)}</code>" if text else ""


def _html(text: str) -> str:
    escapes = {
        "&": "&amp;",
        "<": "&lt;",
        ">": "&gt;",
        "|": "&#124;",
        "[": "&#91;",
        "*": "&#42;",
        "_": "&#95;",
        "`": "&#96;",
    }
    return "".join(escapes.get(each, each) for each in _clean(text))


def render(report: Report, form: str) -> str:
    """The report in one of `FORMS`; the same report always gives the same text."""
    return FORMS[form](report)
