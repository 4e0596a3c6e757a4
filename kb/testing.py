"""Owns running what designers wrote as tests: the examples on rule and table pages, and scenarios.

`run_examples(rulebook)` and `run_scenarios(rulebook)` give results with the lines that decided. It must not print.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from kb.diagnostics import Diagnostic, Span, problem
from kb.expressions.frame import EvaluationError
from kb.referee import Action, Inputs, Referee, Refused, State, TraceLine, Turn
from kb.referee.targets import read_target, write_target
from kb.rulebook import Example, Role, Rule, Rulebook, Scenario, Table, Target
from kb.session import Said, Session
from kb.types import Ref
from kb.understand import Dialogue

PLAYER = "player"


@dataclass(frozen=True, slots=True)
class Result:
    """One example or scenario: its name, where it stands, why it fails (None: it passes), what decided."""

    name: str
    span: Span
    failure: str | None
    trace: tuple[TraceLine, ...] = ()


def run_examples(rulebook: Rulebook, session: Session | None = None) -> list[Result]:
    """Every example of every rule and table."""
    session = session or Session(rulebook)
    results: list[Result] = []
    base: State | None = None
    holders: Iterable[Rule | Table] = (*rulebook.rules.values(), *rulebook.tables.values())
    for holder in holders:
        for number, example in enumerate(holder.examples, 1):
            base = base or session.referee.join(session.referee.new(), PLAYER)
            name = f"{holder.id} example {number}"
            results.append(_run_example(name, holder, example, session.referee, base))
    return results


def _run_example(name: str, holder: Rule | Table, example: Example, referee: Referee, base: State) -> Result:
    turn = Turn(base, referee.derivations, PLAYER, Inputs(referee.rulebook.settings.begins))
    try:
        roles = _roles(holder, referee)
        _prepare(turn, holder, roles, example)
    except (Refused, EvaluationError) as error:
        return Result(name, example.span, f"its values cannot be set: {getattr(error, 'reason', error)}")
    if isinstance(holder, Table):
        return _alone(name, example, turn, lambda: referee.try_table(turn, holder))
    if holder.trigger.kind != "action" or holder.trigger.action == "any":
        return _alone(name, example, turn, lambda: referee.try_rule(turn, holder))
    values = {role.name: turn.vars[role.name] for role in roles}
    outcome = referee.resolve(turn.finish(), PLAYER, Action(holder.trigger.action or "", values), turn.inputs)
    decided = referee.rulebook.rules.get(outcome.rule or holder.id, holder)
    if _of_library(holder) and not _of_library(decided):
        return Result(name, example.span, None, outcome.trace)  # the world has a rule of its own for this
    after = referee.frame(outcome.state, PLAYER)
    after.vars.update(values)
    return Result(name, example.span, _compare(example, outcome.text, outcome.status, after), outcome.trace)


def _of_library(holder: Rule | Table) -> bool:
    return holder.span.path.startswith("shared/")


def _roles(holder: Rule | Table, referee: Referee) -> list[Role]:
    if isinstance(holder, Table):
        return [Role(name, type_, in_pattern=False) for name, type_ in holder.takes.items()]
    action = referee.rulebook.actions.get(holder.trigger.action or "")
    return list(action.roles.values()) if action is not None else []


def _prepare(turn: Turn, holder: Rule | Table, roles: list[Role], example: Example) -> None:
    """Sets what the row gives: names first, so that fields of roles have something to stand on."""
    given = {key: value for key, value in example.given if isinstance(key, str)}
    for role in roles:
        allowed = holder.narrowing.get(role.name, ()) if isinstance(holder, Rule) else ()
        turn.vars[role.name] = given[role.name] if role.name in given else _stand_in(turn, role, allowed)
    if isinstance(holder, Rule) and holder.requires != "player":
        turn.write(PLAYER, "role", holder.requires, "requires")
    for key, value in example.given:
        if isinstance(key, Target):
            write_target(turn, key, value, key.source)
    for name in ("action", "event"):
        prefix = f"{name}."
        turn.vars[name] = {key.removeprefix(prefix): v for key, v in given.items() if key.startswith(prefix)}


def _stand_in(turn: Turn, role: Role, allowed: tuple[str, ...]) -> Any:
    """What fills a role that no column gives: what the rule narrows it to, or a fresh thing in the player's place."""
    for id in allowed:
        if not isinstance(role.type, Ref) or id in turn.rows:
            return id
    if not isinstance(role.type, Ref):
        return role.type.zero() if role.start is None else role.start
    kind = "item" if role.type.kinds[0] == "thing" else role.type.kinds[0]
    id = f"example-{role.name}"
    row = {**turn.shape.fresh[kind], "id": id, "name": role.name.replace("_", " ")}
    if "location" in row:
        row["location"] = turn.vars["room"]
    turn.add_instance(row)
    return id


def _alone(name: str, example: Example, turn: Turn, run: Callable[[], str | None]) -> Result:
    """A rule without its trigger, or a table: what it says and leaves behind in the turn itself."""
    status = "done" if run() is None else "refused"
    spoken = "\n".join(message.text for message in turn.messages)
    return Result(name, example.span, _compare(example, spoken, status, turn), tuple(turn.trace))


def _compare(example: Example, spoken: str, status: str, turn: Turn) -> str | None:
    """Why what came out is not what the example says."""
    wanted = example.result
    if wanted in {"done", "refused"}:
        if status != wanted:
            return f"it is {status}, not {wanted}; it says “{spoken}”"
    elif wanted is not None and wanted not in spoken:
        return f"it says “{spoken}”, not “{wanted}”"
    for target, value in example.then:
        actual = read_target(turn, target)
        if actual != value:
            return f"`{target.source}` is {actual!r} afterwards, not {value!r}"
    return None


def run_scenarios(rulebook: Rulebook, session: Session | None = None) -> list[Result]:
    """Every scenario that the rules alone play."""
    session = session or Session(rulebook)
    return [run_scenario(session, each) for each in rulebook.scenarios if "rules" in each.by]


def left_to_models(rulebook: Rulebook) -> list[Scenario]:
    """The scenarios that the rules alone cannot play."""
    return [each for each in rulebook.scenarios if "rules" not in each.by]


def run_scenario(session: Session, scenario: Scenario) -> Result:
    """A scenario as the rules alone play it, up to the first turn that fails."""
    playing, said = played(session, scenario), None
    while True:
        try:
            step = playing.send(said)
        except StopIteration as end:
            return end.value
        said = session.say(step.state, PLAYER, step.line, step.dialogue, step.inputs)


class Step(NamedTuple):
    """A turn of a scenario that is to be played."""

    state: State
    line: str
    dialogue: Dialogue
    inputs: Inputs


def played(session: Session, scenario: Scenario) -> Generator[Step, Said | None, Result]:
    """A scenario turn by turn: each is sent what the line led to, by whoever plays; up to the first that fails."""
    referee = session.referee
    state = referee.join(referee.new(), PLAYER, "you", scenario.role)
    now = session.rulebook.settings.begins
    if scenario.given:
        given = referee.prepare(state, PLAYER, scenario.given, Inputs(now, scenario.seed))
        if given.status == "refused":
            return Result(scenario.id, scenario.span, f"Given cannot be set: {given.reason}", given.trace)
        state = given.state
    dialogue = Dialogue()
    for number, step in enumerate(scenario.turns):
        said = yield Step(state, step.says, dialogue, Inputs(now, scenario.seed * 1_000 + number))
        assert said is not None, "who plays sends what came of it"
        state, dialogue = said.state, said.dialogue
        trace = tuple(line for outcome in said.outcomes for line in outcome.trace)
        failure = _step_failure(session, state, step.holds, said.text)
        refused = any(outcome.status == "refused" for outcome in said.outcomes) or not said.understood
        if failure is None and step.refused is not None and refused != step.refused:
            failure = f"it is {'refused' if refused else 'done'}: “{said.text}”"
        if failure is None and step.check is not None:
            frame = referee.frame(state, PLAYER)
            frame.trace.extend(trace)
            try:
                held = step.check(frame)
            except EvaluationError as error:
                failure = f"`{step.check.source}` cannot be worked out: {error}"
            else:
                failure = None if held else f"`{step.check.source}` does not hold; it says “{said.text}”"
        if failure is not None:
            return Result(scenario.id, step.span, f"after “{step.says}”, {failure}", trace)
    return Result(scenario.id, scenario.span, None)


def _step_failure(session: Session, state: State, holds: str, text: str) -> str | None:
    absent = holds.startswith('not "')
    wanted = holds[5:].rstrip('"') if absent else holds.strip('"')
    if not wanted or wanted == "-":
        return None
    if (wanted.casefold() in text.casefold()) is absent:
        return f"it says “{text}”, {'which holds' if absent else 'not'} “{wanted}”"
    return None


def example_problems(rulebook: Rulebook, session: Session | None = None) -> list[Diagnostic]:
    """Failing examples as problems on their lines."""
    return [
        problem("RB701", each.span, f"The example fails: {each.failure}", "Mend the rule or the example.")
        for each in run_examples(rulebook, session)
        if each.failure is not None
    ]


def scenario_problems(rulebook: Rulebook, session: Session | None = None) -> list[Diagnostic]:
    """Failing scenarios as problems on their lines."""
    return [
        problem(
            "RB702",
            each.span,
            f"The scenario `{each.name}` fails: {each.failure}",
            "Mend the rules or the scenario.",
        )
        for each in run_scenarios(rulebook, session)
        if each.failure is not None
    ]
