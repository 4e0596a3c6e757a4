"""Owns what a run has come to, read from its steps: status, text, citations, the draft. It must not know graphs or services."""

from __future__ import annotations

from collections.abc import Sequence

from agents.citations import Citation
from agents.teams.graph import following, over, unsettled
from agents.teams.results import Status, TeamResult
from agents.teams.tools import Desk
from kb.teams import Again, Team
from storage.records import Json

CITATIONS = 10
NO_FACTS: Json = {"text": "", "seen": []}
REASONS = {
    "steps": "its {0.steps} steps are taken",
    "calls": "its {0.calls} calls of a model are used up",
    "cost": "its {0.cost} dollars are spent",
    "deadline": "its {0.deadline:g} seconds are over",
}


def result(desk: Desk, state: Json, waiting: Json | None, facts: Json) -> TeamResult:
    """`facts` are what stands in for a model's words, with what they stand on, where no model answers."""
    team, log = desk.team, state["log"]
    status, reason = _status(team, log, waiting)
    proposed = [did for each in log for did in each["did"] if did.get("branch")]
    text = _text(team, log)
    if status == "failed":
        text = "\n\n".join(part for part in (text, facts["text"]) if part)
    return TeamResult(
        run_id=desk.run,
        team=team.id,
        status=status,
        text=text,
        reason=reason,
        steps=len(log),
        citations=_citations([*(did for each in log for did in each["did"]), facts], text),
        branch=proposed[-1]["branch"] if proposed else "",
        commit=proposed[-1]["commit"] if proposed else "",
        model_calls=sum(each["calls"] for each in log),
        cost=sum(each["cost"] for each in log),
        waiting=waiting,
        trace=tuple(log),
    )


def _status(team: Team, log: Sequence[Json], waiting: Json | None) -> tuple[Status, str]:
    if waiting is not None:
        asked = waiting.get("question") or f"{waiting['tool']}: {waiting['arguments']}"
        return "waiting-approval", f"{waiting['member']} asks: {asked}"
    if not log:
        return "failed", "no model is configured"
    ended = over(team, log)
    if ended.startswith("model"):
        return "failed", "no model answered"
    if ended == "steps" and following(team, log[-1]["part"], log) is None:
        ended = ""
    if ended in REASONS:
        return "stopped", REASONS[ended].format(team)
    left = unsettled(team, log)
    return ("stopped", _why(left, log)) if left and ended != "stop" else ("done", "")


def _why(left: Again, log: Sequence[Json]) -> str:
    if not left.claim.member:
        proposed = any(did.get("errors") is not None for each in log for did in each["did"])
        return "what was proposed still has problems" if proposed else "nothing was proposed"
    return f"{left.claim.member} still says {left.claim.word!r}"


def _text(team: Team, log: Sequence[Json]) -> str:
    """What those said who worked last, without those who only judge others."""
    said = [each for each in log if each["text"] and not team.member(each["member"]).answers]
    last = [each for each in said if (each["part"], each["round"]) == (said[-1]["part"], said[-1]["round"])]
    if len(last) == 1:
        return last[0]["text"]
    return "\n\n".join(f"{each['about'] or team.member(each['member']).name}: {each['text']}" for each in last)


def _citations(told: Sequence[Json], text: str) -> tuple[Citation, ...]:
    """The lines that the text names among those that were read; where it names none, all that were read first."""
    seen = list(dict.fromkeys(Citation(**each) for did in told for each in did.get("seen", ())))
    named = [each for each in seen if each.path in text]
    return tuple((named or seen)[:CITATIONS])
