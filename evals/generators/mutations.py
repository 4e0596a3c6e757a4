"""Owns actions that must be refused: steps of a solution that are changed, and requests that are.

A change is kept only where a reason of its own says that it must be refused: the model of the adventure's pages (`adventure.Model`) or the
policies' oracle (`policy.decide`), both plain Python. It must not use the compiler, the referee or a rulebook.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from evals.bases import HERE
from evals.cases import Case, Expect, Turn
from evals.generators import Made
from evals.generators.adventure import OPPOSITE, Command, Model, Plan
from evals.generators.policies import CASES as OF_A_POLICY
from evals.generators.policy import SIZE as CONDITIONS
from evals.generators.policy import STAFF_ONLY, decide, near, policy, request
from evals.generators.policy_pages import EXPERIENCE, call, given, reason
from evals.generators.policy_pages import pages as policy_pages
from evals.generators.worlds import SIZE, pages, plan, solution

CASES = 40
"""Cases of one world."""
_REFUSED = Expect(state="unchanged", refused=True)
_MEMBER = "m-1"


def make(n: int, seed: int, size: int = 0) -> Made:
    """`n` cases: three of four are steps in worlds, each fourth is a request under a policy."""
    requests = n // 4
    files: dict[str, str] = {}
    cases: list[Case] = []
    for world in range(-(-(n - requests) // CASES)):
        pick = random.Random(f"mutations/{seed}/{world}")
        drawn, id = plan(pick, size or SIZE), f"world-{world + 1}"
        steps = solution(drawn)
        files |= pages(drawn, id)
        for _ in range(min(CASES, n - requests - len(cases))):
            before, command, kind, why = _mutated(pick, drawn, steps)
            tags = {"generator": "mutations", "mutation": kind, "why": why}
            setup = tuple(str(each) for each in before)
            cases.append(_case(f"mutations-{seed}-{len(cases) + 1}", str(command), id, tags, setup=setup))
    if requests:
        more, asked = _requests(requests, seed, size or CONDITIONS, len(cases))
        files |= more
        cases += asked
    return Made(files, tuple(cases))


def _case(id: str, says: str, experience: str, tags: dict[str, str], expect: Expect = _REFUSED, **more: Any) -> Case:
    return Case(id, HERE, (Turn(says),), expect, says, (says,), experience=experience, steps=1, tags=tags, **more)


def _mutated(pick: random.Random, drawn: Plan, steps: list[Command]) -> tuple[list[Command], Command, str, str]:
    """The steps before, a command that cannot be done then, what sort of change it is, and why it cannot be done."""
    for at in pick.sample(range(len(steps)), len(steps)):
        model = Model(drawn)
        for step in steps[:at]:
            model.do(step)
        found: dict[str, list[tuple[Command, str]]] = {}
        for kind, command in _changes(model, steps, at):
            if why := model.why_not(command):
                found.setdefault(kind, []).append((command, why))
        if found:
            kind = pick.choice(sorted(found))
            command, why = pick.choice(found[kind])
            return steps[:at], command, kind, why
    raise AssertionError("a door cannot be put on the altar")


def _changes(model: Model, steps: list[Command], at: int) -> Iterator[tuple[str, Command]]:
    """Every small change of the step that is due."""
    step, others = steps[at], [each for each in model.plan.things if each not in (steps[at].what, steps[at].to)]
    yield from (("skipped step", later) for later in steps[at + 1 : at + 4])
    yield from (("done again", earlier) for earlier in steps[max(0, at - 3) : at])
    if step.verb == "go":
        yield from (("wrong way", Command("go", way)) for way in OPPOSITE if way != step.what)
        return
    yield from (("wrong thing", Command(step.verb, other, step.to)) for other in others)
    if step.to:
        yield from (("wrong second thing", Command(step.verb, step.what, other)) for other in others)


def _requests(n: int, seed: int, size: int, before: int) -> tuple[dict[str, str], list[Case]]:
    """Requests that are allowed, with one fact changed so that they no longer are."""
    pick = random.Random(f"mutations/{seed}/requests")
    drawn = [policy(pick, number + 1, size) for number in range(-(-n // OF_A_POLICY))]
    policies = [replace(each, staff=number % 2 == 0) for number, each in enumerate(drawn)]
    values = [near(each) for each in policies]
    cases: list[Case] = []
    while len(cases) < n:
        at = len(cases) // OF_A_POLICY
        # A part is drawn as the policy itself was tried, so that some are allowed.
        rule, facts = policies[at], request(pick, values[at] if pick.random() < 0.7 else {})
        if not decide(rule, facts, "gm").allowed:
            continue
        kind, changed, role = pick.choice(list(_asked_otherwise(request(pick, values[at]), facts)))
        decision = decide(rule, changed, role)
        if decision.allowed:
            continue
        why = STAFF_ONLY if decision.by == "role" else reason(rule, decision)
        tags = {"generator": "mutations", "mutation": kind, "why": decision.by}
        expect = Expect(state="unchanged", refused=True, reason=why)
        says, begins = call(rule, _MEMBER, changed), given(_MEMBER, changed)
        id = f"mutations-{seed}-{before + len(cases) + 1}"
        cases.append(_case(id, says, EXPERIENCE, tags, expect, given=begins, role=role))
    made = policy_pages(policies, {_MEMBER: request(pick, values[0])})
    return {f"{EXPERIENCE}/{path}": text for path, text in made.items()}, cases


def _asked_otherwise(other: dict[str, Any], facts: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Sorts of change, the facts with it, and who asks then."""
    yield "too much", {**facts, "amount": facts["amount"] + max(1, other["amount"])}, "gm"
    yield "other role", facts, "player"
    for name in ("reason", "items", "urgent"):
        yield f"other {name}", {**facts, name: other[name]}, "gm"
    for name in ("tier", "points", "joined", "blocked"):
        yield f"other {name}", {**facts, f"member.{name}": other[f"member.{name}"]}, "gm"
