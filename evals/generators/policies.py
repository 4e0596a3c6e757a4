"""Owns cases about made-up policies: requests at and beside every threshold, with what must come of each and why.

`make` writes a knowledge base with `CASES` cases a policy. What is expected comes from `evals.generators.policy.decide` and sums done
here; it must not use the compiler, the referee or a rulebook.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from typing import Any

from evals.bases import HERE
from evals.cases import Case, Expect, Turn
from evals.generators import Made
from evals.generators.policy import SIZE, STAFF_ONLY, Decision, Near, Policy, decide, near, policy, request
from evals.generators.policy_pages import call, given, pages, reason

CASES = 50
MEMBERS = 6
_DRAWS = 12
"""How often facts are drawn for an outcome that is wanted; some policies never come to it."""


def make(n: int, seed: int, size: int = 0) -> Made:
    """`n` cases of one to three requests each."""
    pick = random.Random(f"policies/{seed}/{size}")
    policies = [policy(pick, number + 1, size or SIZE) for number in range(-(-n // CASES))]
    values = [near(each) for each in policies]
    members = {f"m-{number}": request(pick, pick.choice(values)) for number in range(1, MEMBERS + 1)}
    cases = tuple(
        _case(pick, policies[at], values[at], members, f"policies-{seed}-{number + 1}")
        for number, at in enumerate(number // CASES for number in range(n))
    )
    return Made(pages(policies, members), cases)


def _case(pick: random.Random, rule: Policy, values: Near, members: Mapping[str, Mapping[str, Any]], id: str) -> Case:
    role = "gm" if pick.random() < (0.7 if rule.staff else 0.1) else "player"
    member = pick.choice(list(members))
    own = pick.random() < 0.5
    known = _of_member(members[member] if own else request(pick, values))
    begins = () if own else given(member, known)
    turns: list[Turn] = []
    asked: list[str] = []
    used, granted, decision = known["member.used"], 0, Decision()
    for _ in range(pick.choice((1, 1, 1, 2, 3))):
        facts, decision = _wanted(pick, rule, values, {**known, "member.used": used}, role)
        if decision.allowed:
            used, granted = used + facts["amount"], granted + 1
        state = f"{member.replace('-', '_')}.used == {used} && world.granted == {granted}"
        asked.append(_told(facts))
        turns.append(Turn(call(rule, member, facts), _expected(rule, decision, state)))
    tags = {"generator": "policies", "policy": rule.id, "outcome": decision.by or "allowed", "turns": str(len(turns))}
    task = f"{member.upper()} asks under policy {rule.number}{' as staff' if role == 'gm' else ''}: {'; then '.join(asked)}."
    gold = tuple(turn.says for turn in turns)
    return Case(id, HERE, tuple(turns), task=task, gold=gold, given=begins, role=role, tags=tags)


def _wanted(
    pick: random.Random, rule: Policy, values: Near, known: Mapping[str, Any], role: str
) -> tuple[dict[str, Any], Decision]:
    """Facts of a request, if it can be for an outcome that was drawn: what is refused first would else be most."""
    wanted = pick.choice(("", "", "", "when", "unless", "limit"))
    facts = {**request(pick, values), **known}
    for _ in range(_DRAWS):
        if decide(rule, facts, role).by == wanted:
            break
        facts = {**request(pick, values), **known}
    if pick.random() < 0.5:
        facts = _at_the_limit(rule, facts, role)
    return facts, decide(rule, facts, role)


def _at_the_limit(rule: Policy, facts: dict[str, Any], role: str) -> dict[str, Any]:
    """With the highest amount that is allowed, or the lowest that is too much, where nothing else comes of it then."""
    decision = decide(rule, facts, role)
    limit = next(row.limit for row in rule.rows if row.fits(facts))
    moved = {**facts, "amount": limit + 1 if decision.by == "limit" else limit}
    return moved if decide(rule, moved, role) == decision else facts


def _told(facts: Mapping[str, Any]) -> str:
    """A request in English."""
    costs = " and ".join(f"{each['cost']} ({each['sku']})" for each in facts["items"])
    urgent = "urgent" if facts["urgent"] else "not urgent"
    return (
        f"{facts['amount']} for {facts['reason']}, {urgent}, for {f'items that cost {costs}' if costs else 'no items'}"
    )


def _of_member(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: fact for name, fact in facts.items() if name.startswith("member.")}


def _expected(rule: Policy, decision: Decision, state: str) -> Expect:
    if decision.allowed:
        return Expect(check=(state,), refused=False)
    why = STAFF_ONLY if decision.by == "role" else reason(rule, decision)
    # A condition that fails is told as the reason; the others are said.
    says = () if decision.by == "when" else (re.escape(why),)
    return Expect(check=(state,), refused=True, reason=why, says=says)
