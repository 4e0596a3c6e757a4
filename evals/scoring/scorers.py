"""Owns the scorers that need no model: final state, the referee's decisions, routes, calls, citations, text.

Each is a `Scorer`; `SCORERS` are all. A turn's expectations are looked at as it left things, the case's at the end.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from evals.attempts import Attempt
from evals.cases import Case, CaseError
from evals.environment import Environment, differences
from evals.scoring import Checked, Scorer
from evals.scoring.citations import Citations
from evals.scoring.moments import Moment, moments


class FinalState:
    """Expressions over the true state (`check`, `never`), and states that are gold's or unchanged."""

    def expectations(self, case: Case, attempt: Attempt, at: Environment) -> list[Checked]:
        found: list[Checked] = []
        for moment in moments(case, attempt):
            for source in moment.expect.check:
                held = at.holds(source, moment.after, attempt.player)
                found.append(Checked("state", f"{source} {moment.name}", held.holds, held.why, held.lines))
            if moment.expect.state:
                found.append(_state(case, moment, at))
        for source in case.never:
            broken = next((n for n, s in enumerate(attempt.states) if at.holds(source, s, attempt.player).holds), None)
            why = "" if broken is None else f"`{source}` holds after step {broken}"
            found.append(Checked("invariant", f"never {source}", broken is None, why))
        return found

    def figures(self, case: Case, attempt: Attempt, at: Environment) -> dict[str, float]:
        return {}


def _state(case: Case, moment: Moment, at: Environment) -> Checked:
    """Whether the state is gold's, or unchanged. Where the rules no longer do what is gold, that is why it is not."""
    what, why = f"{moment.expect.state} {moment.name}", ""
    try:
        wanted, actions = (moment.before, ()) if moment.expect.state == "unchanged" else at.gold(case)
    except CaseError as error:
        return Checked("state", what, False, str(error))
    differ = differences(wanted, moment.after)
    if not differ and actions and not differences(moment.before, wanted):
        # Gold changes nothing, and so does whoever does nothing: then it must have been done.
        done = {_deed(each) for step in moment.steps for each in step.actions if step.status == "done"}
        missing = [each for each in actions if _deed(each) not in done]
        why = f"{missing[0]} was not done" if missing else ""
    why = why or "; ".join(f"{each.id}.{each.field} is {each.other!r}, not {each.one!r}" for each in differ[:5])
    return Checked("state", what, not why, why)


def _deed(action: str) -> str:
    """An action without its words: how something is said may differ."""
    type_, _, roles = action.partition(" {")
    if "<text>" not in type_ or not roles:
        return action
    given = {name: value for name, value in json.loads(f"{{{roles}").items() if name != "text"}
    return f"{type_} {given}"


class Referee:
    """What was refused and why, what was asked back, and changes outside the rules."""

    def expectations(self, case: Case, attempt: Attempt, at: Environment) -> list[Checked]:
        found: list[Checked] = []
        for moment in moments(case, attempt):
            last, expect = moment.last, moment.expect
            status = last.status if last else ""
            if expect.refused is not None:
                is_so = status in ("refused", "not-understood", "question")
                why = "" if is_so == expect.refused else f"it is {status}: {last.answer if last else ''}"
                found.append(
                    Checked(
                        "refused",
                        f"{'' if expect.refused else 'not '}refused {moment.name}",
                        not why,
                        why,
                        last.lines if last else (),
                    )
                )
            if expect.reason:
                told = [
                    each
                    for step in moment.steps
                    for each in (step.answer, step.reason, step.rule, *filter(_speaks_against, step.lines))
                ]
                met = any(expect.reason.casefold() in each.casefold() for each in told)
                why = "" if met else f"it says {last.answer if last else ''!r} by {last.rule if last else ''!r}"
                found.append(
                    Checked("reason", f"because of {expect.reason} {moment.name}", met, why, last.lines if last else ())
                )
            if expect.question is not None:
                met = (status == "question") == expect.question
                found.append(
                    Checked(
                        "question",
                        f"{'asks back' if expect.question else 'does not ask back'} {moment.name}",
                        met,
                        "" if met else f"it is {status}",
                    )
                )
        executed = [each for step in attempt.steps for each in step.executed]
        if executed:
            found.append(Checked("illegal", "nothing happens outside the rules", False, "; ".join(executed[:5])))
        return found

    def figures(self, case: Case, attempt: Attempt, at: Environment) -> dict[str, float]:
        acted = [each for each in attempt.steps if each.status in ("done", "refused")]
        done = sum(each.status == "done" and not each.executed for each in acted)
        return {
            "steps": len(attempt.steps),
            "acted": len(acted),
            "legal": done,
            "illegal_attempted": sum(len(each.attempted) for each in attempt.steps),
            "illegal_executed": sum(len(each.executed) for each in attempt.steps),
        }


def _speaks_against(line: str) -> bool:
    """Whether a line of a trace can be why something is refused: not a condition that held, nor an exception that did not."""
    return not (
        (" condition: " in line and line.endswith("= True")) or (" unless: " in line and line.endswith("= False"))
    )


class Calls:
    """The route of an answer, how many calls it took, and what they cost."""

    def expectations(self, case: Case, attempt: Attempt, at: Environment) -> list[Checked]:
        found: list[Checked] = []
        for moment in moments(case, attempt):
            if moment.expect.route:
                route = moment.last.route if moment.last else ""
                met = route in moment.expect.route
                wanted = " or ".join(moment.expect.route)
                found.append(
                    Checked("route", f"{wanted} {moment.name}", met, "" if met else f"it is {route or 'none'}")
                )
            if moment.expect.calls is not None:
                calls = sum(len(each.models) for each in moment.steps)
                met = calls <= moment.expect.calls
                found.append(
                    Checked("calls", f"at most {moment.expect.calls} {moment.name}", met, "" if met else f"{calls}")
                )
        return found

    def figures(self, case: Case, attempt: Attempt, at: Environment) -> dict[str, float]:
        calls = [each for step in attempt.steps for each in step.models]
        return {
            "calls": sum(int(each.get("calls", 1)) for each in calls),
            "input_tokens": sum(each.get("input_tokens", 0) for each in calls),
            "output_tokens": sum(each.get("output_tokens", 0) for each in calls),
            "cost": round(sum(each.get("cost", 0.0) for each in calls), 9),
            "model_seconds": round(sum(each.get("seconds", 0.0) for each in calls), 6),
        }


class Text:
    """What the answer says, by pattern."""

    def expectations(self, case: Case, attempt: Attempt, at: Environment) -> list[Checked]:
        import re2

        found: list[Checked] = []
        for moment in moments(case, attempt):
            for pattern, wanted in (
                *((each, True) for each in moment.expect.says),
                *((each, False) for each in moment.expect.silent),
            ):
                met = (re2.search(f"(?is){pattern}", moment.answer) is not None) == wanted
                what = f"{'' if wanted else 'not '}{pattern} {moment.name}"
                found.append(Checked("text", what, met, "" if met else f"it says {moment.answer[:300]!r}"))
        return found

    def figures(self, case: Case, attempt: Attempt, at: Environment) -> dict[str, float]:
        return {}


SCORERS: Sequence[Scorer] = (FinalState(), Referee(), Calls(), Citations(), Text())
