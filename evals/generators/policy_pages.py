"""Owns made-up policies as pages of the rule language: one rule and one table each, and the kinds and data that they are about.

`pages(policies, members)` gives the files. It must not decide anything.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from evals.generators.conditions import (
    Both,
    Compare,
    Condition,
    Cost,
    Count,
    DaysSince,
    Either,
    Fact,
    Is,
    Not,
    OneOf,
    Order,
    Plus,
    SomeItem,
    Term,
)
from evals.generators.policy import NOW, REASONS, REGIONS, TIERS, Decision, Policy, Row

EXPERIENCE = "policies"
FIELDS = ("tier", "region", "points", "balance", "blocked", "used", "joined")
_WORDS: dict[Order, str] = {
    "<": "less than", "<=": "at most", ">": "more than", ">=": "at least", "==": "exactly", "!=": "other than",
}  # fmt: skip


def pages(policies: Sequence[Policy], members: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Files by path; `members` are facts (`member.points`, …) by id."""
    rows = [",".join(("id", "name", *FIELDS))]
    rows += [
        ",".join((id, id.upper(), *(_cell(facts[f"member.{name}"]) for name in FIELDS)))
        for id, facts in members.items()
    ]
    files = {
        "desk.md": f"---\nexperience: {EXPERIENCE}\nbegins: {NOW:%Y-%m-%d %H:%M}\n---\n# Policies\n"
        "Members ask, and each policy says what they get.\n",
        "kinds/world.md": _kind("world", "", ("limit | int 0..100000 | 0", "granted | int 0..100000 | 0")),
        "kinds/member.md": _kind(
            "member",
            "from: ../data/members.csv\n",
            (
                f"tier | one of {', '.join(TIERS)} | {TIERS[0]}",
                f"region | one of {', '.join(REGIONS)} | {REGIONS[0]}",
                "points | int 0..100000 | 0",
                "balance | number | 0",
                "blocked | yes/no | no",
                "used | int 0..1000000 | 0",
                "joined | time | ",
            ),
        ),
        "data/members.csv": "\n".join((*rows, "")),
    }
    for each in policies:
        files[f"rules/{each.id}.md"] = _rule(each)
        files[f"tables/limits-{each.number}.md"] = _table(each)
    return files


def call(policy: Policy, member: str, facts: Mapping[str, Any]) -> str:
    """The line that asks for a decision."""
    told = {name: facts[name] for name in ("amount", "reason", "urgent", "items")}
    return f"{policy.id} {json.dumps({'member': member, **told})}"


def given(member: str, facts: Mapping[str, Any]) -> tuple[str, ...]:
    """Effects that give a member these facts."""
    root = member.replace("-", "_")
    return tuple(f"set `{root}.{name}` to {_effect(facts[f'member.{name}'])}" for name in FIELDS)


def reason(policy: Policy, decision: Decision) -> str:
    """What a refusal by a condition, an exception or a limit says."""
    match decision.by:
        case "when":
            return _clause(policy, decision.number, policy.when[decision.number])
        case "unless":
            return _clause(policy, len(policy.when) + decision.number, policy.unless[decision.number])
        case "limit":
            return f"({policy.number}.limit) more than {policy.rows[decision.number].limit}"
        case _:
            return ""


def _clause(policy: Policy, number: int, condition: Condition) -> str:
    return f"({policy.number}.{number + 1}) {words(condition)}"


def _rule(policy: Policy) -> str:
    front = (
        f"---\nrule: {policy.id}\non: {policy.id} for <member>\n{'requires: gm' + chr(10) if policy.staff else ''}---\n"
    )
    takes = (
        "## Takes\n| Argument | Type | Meaning |\n|---|---|---|\n| amount | int 0..100000 | what is asked for |\n"
        f"| reason | one of {', '.join(REASONS)} | what for |\n| urgent | yes/no | |\n"
        "| items | list of record (sku text, cost number) | what is bought |\n"
    )
    when = "".join(f"- {reason(policy, Decision('when', n))}: `{source(each)}`\n" for n, each in enumerate(policy.when))
    unless = "".join(
        f"| `{source(each).replace('|', chr(92) + '|')}` | {reason(policy, Decision('unless', n))} |\n"
        for n, each in enumerate(policy.unless)
    )
    then = (
        f"- decide [[limits-{policy.number}]]\n"
        f'- when `amount > world.limit` → refuse "({policy.number}.limit) more than {{world.limit}}"\n'
        '- add `amount` to `member.used`\n- add 1 to `world.granted`\n- say "Granted: {amount}."\n'
    )
    return (
        f"{front}# Policy {policy.number}\n{takes}## When\n{when}"
        f"{'## Unless' + chr(10) + '| If | Say |' + chr(10) + '|---|---|' + chr(10) if unless else ''}{unless}"
        f'## Then\n{then}## Otherwise\n- say "Refused."\n'
    )


def _table(policy: Policy) -> str:
    rows = "".join(f"| {_inputs(each)} | {each.limit} |\n" for each in policy.rows)
    return (
        f"---\ntable: limits-{policy.number}\nhit: first\ntakes: {{member: member, reason: text}}\n---\n"
        f"# Limits of policy {policy.number}\n"
        f"| `member.tier` | `reason` | `member.points` | set `world.limit` |\n|---|---|---|--:|\n{rows}"
    )


def _inputs(row: Row) -> str:
    points = f"{row.points[0]}..{row.points[1]}" if row.points else "-"
    return f"{', '.join(row.tiers) if row.tiers else '-'} | {row.reason or '-'} | {points}"


def source(condition: Condition) -> str:
    """A condition in the rule language."""
    match condition:
        case Compare(one, order, other):
            return f"{_term(one)} {order} {_term(other)}"
        case OneOf(name, of):
            return f"{name} in {json.dumps(list(of))}"
        case Is(name):
            return name
        case SomeItem(order, cost):
            return f"items.exists(i, i.cost {order} {cost})"
        case Not(that):
            return f"!({source(that)})"
        case Both(one, other):
            return f"({source(one)}) && ({source(other)})"
        case Either(one, other):
            return f"({source(one)}) || ({source(other)})"


def _term(term: Term) -> str:
    match term:
        case Fact(name):
            return name
        case Plus(one, other):
            return f"{_term(one)} + {_term(other)}"
        case DaysSince(name):
            return f"days(now, {name})"
        case Cost():
            return "items.map(i, i.cost).sum()"
        case Count():
            return "size(items)"
        case _:
            return json.dumps(term)


def words(condition: Condition) -> str:
    """A condition in English."""
    match condition:
        case Compare(one, order, other):
            return f"{_named(one)} is {_WORDS[order]} {_named(other)}"
        case OneOf(name, of):
            return f"{_named(Fact(name))} is {' or '.join(of)}"
        case Is("urgent"):
            return "it is urgent"
        case Is(_):
            return "the member is blocked"
        case SomeItem(order, cost):
            return f"an item costs {_WORDS[order]} {cost}"
        case Not(that):
            return f"it is not so that {words(that)}"
        case Both(one, other):
            return f"both {words(one)} and {words(other)}"
        case Either(one, other):
            return f"either {words(one)} or {words(other)}"


def _named(term: Term) -> str:
    match term:
        case Fact(name):
            return f"the {name.replace('member.', 'member’s ')}"
        case Plus(one, other):
            return f"{_named(one)} plus {_named(other)}"
        case DaysSince(_):
            return "the number of days since joining"
        case Cost():
            return "the cost of all items"
        case Count():
            return "the number of items"
        case _:
            return str(term)


def _kind(id: str, front: str, fields: Sequence[str]) -> str:
    rows = "".join(f"| {each} | |\n" for each in fields)
    return (
        f"---\nkind: {id}\n{front}---\n# {id.capitalize()}\n## State\n"
        f"| Field | Type | Start | Meaning |\n|---|---|---|---|\n{rows}"
    )


def _cell(fact: Any) -> str:
    """A fact in a CSV file."""
    if isinstance(fact, datetime):
        return f"{fact:%Y-%m-%d %H:%M}"
    return ("yes" if fact else "no") if isinstance(fact, bool) else str(fact)


def _effect(fact: Any) -> str:
    """A fact as an effect's value."""
    if isinstance(fact, datetime):
        return f'`timestamp("{fact:%Y-%m-%dT%H:%M:%SZ}")`'
    return _cell(fact) if not isinstance(fact, str) else f'"{fact}"'
