"""Owns the referee: one action on one state under one rulebook gives one outcome, always the same.

`Referee(rulebook).resolve(state, player, action, inputs)`. Pure: no clock, no chance, no I/O of its own. It must not know
how words become actions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from kb.expressions.frame import EvaluationError
from kb.referee.effects import run_effects, write_target
from kb.referee.frame import Derivations, Turn
from kb.referee.model import Action, Inputs, Message, Outcome, Refused, TraceLine
from kb.referee.state import Shape, State, join, load_state, new_state
from kb.rulebook import (
    Act,
    Agent,
    Ask,
    Branch,
    Condition,
    Role,
    Rule,
    Rulebook,
    Step,
    Trigger,
    Wait,
    Workflow,
)
from kb.types import Ref, TypeMismatch

MAX_DEPTH = 16
MAX_STEPS = 100
MAX_FIRINGS = 200
MAX_EVENTS = 200
_RANK = {"player": 0, "gm": 1, "admin": 2}


@dataclass(frozen=True, slots=True)
class Choosing:
    """Which rule decides, or why none does."""

    rule: Rule | None
    considered: Rule | None
    reason: str


class Referee:
    """A rulebook made ready to resolve turns. Make one for each rulebook and keep it."""

    def __init__(self, rulebook: Rulebook):
        self.rulebook = rulebook
        self.shape = Shape.of(rulebook)
        self.derivations = Derivations(self.shape)
        self._rules: dict[str, tuple[Rule, ...]] = {
            id: tuple(rulebook.rules[rule] for rule in action.rules) for id, action in rulebook.actions.items()
        }
        self._after: dict[str, tuple[Rule, ...]] = {
            id: tuple(rulebook.rules[rule] for rule in action.after) for id, action in rulebook.actions.items()
        }
        self._every_turn = tuple(rulebook.rules[id] for id in rulebook.every_turn)
        self._enters = tuple(rulebook.rules[id] for id in rulebook.enters)
        self._turn_agents = tuple(a for a in rulebook.agents.values() if a.trigger.kind == "turn")
        self._kind_invariants = tuple(kind for kind in rulebook.kinds.values() if kind.invariants)

    # --- states

    def new(self) -> State:
        """The world at its start, without players."""
        return new_state(self.shape)

    def join(self, state: State, player: str, name: str | None = None, role: str = "player") -> State:
        """The state with one more player at the start."""
        return join(state, player, name or player, role)

    def load(self, data: Mapping[str, Any]) -> tuple[State, list[str]]:
        """A dumped state, made under this or an earlier rulebook, and what could not be carried over."""
        return load_state(self.shape, data)

    def frame(self, state: State, player: str, now: datetime | None = None) -> Turn:
        """The state as expressions read it, for looking only."""
        return Turn(state, self.derivations, player, Inputs(now or state.rows["world"]["time"]))

    # --- turns

    def resolve(self, state: State, player: str, action: Action, inputs: Inputs) -> Outcome:
        """One action by one player."""
        turn = Turn(state, self.derivations, player, inputs)
        rule: Rule | None = None
        try:
            if player not in state.rows:
                raise Refused("You are not in this game.", f"there is no player {player!r}")
            if state.rows[player]["ended"]:
                raise Refused("The game is over.")
            self._real_clock(turn)
            rule = self._perform(turn, action)
            self._settle(turn)
            if not rule.free:
                self._pass_time(turn)
            self._check_invariants(turn)
            return self._outcome(turn, "done", rule, None)
        except Refused as error:
            return self._refused(state, turn, error, rule)
        except EvaluationError as error:
            return self._refused(state, turn, Refused("That cannot be worked out.", str(error)), rule)

    def tick(self, state: State, inputs: Inputs) -> Outcome:
        """Time alone: timed rules and scheduled events that are due at `inputs.now` (real clocks) or now."""
        players = state.players
        turn = Turn(state, self.derivations, players[0] if len(players) == 1 else "", inputs)
        try:
            before = turn.rows["world"]["time"]
            self._real_clock(turn)
            self._due(turn, before)
            self._settle(turn)
            self._check_invariants(turn)
            return self._outcome(turn, "done", None, None)
        except (Refused, EvaluationError) as error:
            refused = error if isinstance(error, Refused) else Refused("That cannot be worked out.", str(error))
            return self._refused(state, turn, refused, None)

    def allowed(self, state: State, player: str, action: Action, now: datetime | None = None) -> bool:
        """Whether some rule would take the action, as far as its conditions tell."""
        turn = self.frame(state, player, now)
        try:
            self._bind(turn, action)
            choice = self._choose(turn, action)
            return choice.rule is not None and not any(each.condition(turn) for each in choice.rule.unless)
        except (Refused, EvaluationError):
            return False

    def _outcome(self, turn: Turn, status: str, rule: Rule | None, reason: str | None) -> Outcome:
        return Outcome(
            status=status,  # pyright: ignore[reportArgumentType]
            state=turn.finish(),
            player=turn.player,
            messages=tuple(turn.messages),
            changes=turn.changes(),
            events=tuple(turn.events),
            trace=tuple(turn.trace),
            rule=rule.id if rule else None,
            reason=reason,
        )

    def _refused(self, state: State, turn: Turn, error: Refused, rule: Rule | None) -> Outcome:
        messages = error.messages or (Message(turn.player, error.args[0], self.rulebook.settings.span),)
        return Outcome(
            "refused",
            state,
            turn.player,
            messages,
            (),
            (),
            tuple(turn.trace),
            rule.id if rule else None,
            error.reason,
        )

    # --- one action

    def _perform(self, turn: Turn, action: Action, depth: int = 0) -> Rule:
        """Finds the rule that decides and runs it, and what follows the action."""
        if depth > MAX_DEPTH:
            raise Refused("That goes round in circles.", f"more than {MAX_DEPTH} actions lead to one another")
        self._bind(turn, action)
        choice = self._choose(turn, action)
        rule = choice.rule
        if rule is None:
            raise self._no(turn, choice)
        turn.trace.append(TraceLine("rule", rule.span, rule.id, True))
        for refusal in rule.unless:
            held = refusal.condition(turn)
            turn.trace.append(TraceLine("unless", refusal.span, refusal.condition.source, held))
            if held:
                text = refusal.text(turn)
                raise Refused(text, text)
        runner = _Runner(self, depth)
        run_effects(turn, rule.then, runner)
        for follower in self._after.get(action.type, ()):
            self._run_rule(turn, follower, runner)
        runner.finish(turn)
        return rule

    def _bind(self, turn: Turn, action: Action) -> None:
        """The action's roles as local names, checked against their types."""
        type_ = self.rulebook.actions.get(action.type)
        if type_ is None:
            raise Refused("That is not something one can do here.", f"no action is {action.type!r}")
        bound: dict[str, Any] = {"verb": type_.verb, "text": action.text}
        for name, role in type_.roles.items():
            value = action.roles.get(name)
            if value is None:
                if role.required:
                    raise Refused(f"What is the {name.replace('_', ' ')}?", f"{name} is missing: it is {role.type}")
                value = role.type.zero() if role.start is None else role.start
            bound[name] = turn.vars[name] = self._coerced(turn, role, value)
        unknown = [name for name in action.roles if name not in type_.roles]
        if unknown:
            raise Refused("That is not something one can do here.", f"{action.type!r} takes no {unknown[0]!r}")
        turn.vars["action"] = bound

    @staticmethod
    def _coerced(turn: Turn, role: Role, value: Any) -> Any:
        try:
            value = role.type.coerce(value)
        except TypeMismatch as error:
            raise Refused("That does not fit.", f"{role.name}: {error}") from None
        if isinstance(role.type, Ref) and value:
            row = turn.rows.get(value)
            within = turn.shape.within
            if row is None or not any(row["kind"] in within.get(kind, ()) for kind in role.type.kinds):
                raise Refused("There is no such thing.", f"{role.name}: {value!r} is no {role.type}")
        return value

    def _choose(self, turn: Turn, action: Action) -> Choosing:
        """The first rule whose narrowing and conditions hold, or the last one considered and why it does not apply."""
        role = _RANK.get(turn.rows.get(turn.player, {}).get("role", "player"), 0)
        considered: Rule | None = None
        reason = "nothing provides for it"
        for rule in self._rules.get(action.type, ()):
            if rule.narrowing and not self._narrowed(turn, rule):
                continue
            if _RANK[rule.requires] > role:
                considered, reason = rule, f"only a {rule.requires} may do that"
                continue
            failed = self._failing(turn, rule.when)
            if failed is None:
                return Choosing(rule, rule, "")
            if not rule.own:
                considered, reason = rule, failed.prose
        return Choosing(None, considered, reason)

    @staticmethod
    def _failing(turn: Turn, conditions: Sequence[Condition]) -> Condition | None:
        trace = turn.trace
        for condition in conditions:
            held = condition.expr(turn)
            trace.append(TraceLine("condition", condition.span, condition.prose, held))
            if not held:
                return condition
        return None

    @staticmethod
    def _narrowed(turn: Turn, rule: Rule) -> bool:
        for name, allowed in rule.narrowing.items():
            value = turn.vars.get(name)
            row = turn.rows.get(value) if isinstance(value, str) else None
            if (row["template"] if row is not None else value) not in allowed and value not in allowed:
                return False
        return True

    def _no(self, turn: Turn, choice: Choosing) -> Refused:
        """The refusal where no rule applies: the considered rule's Otherwise, or its reason."""
        rule = choice.considered
        if rule is not None and rule.otherwise:
            before = len(turn.messages)
            run_effects(turn, rule.otherwise, _Runner(self, 0))
            spoken = tuple(turn.messages[before:])
            return Refused(" ".join(m.text for m in spoken), choice.reason, spoken)
        return Refused(f"You can't do that: {choice.reason}.", choice.reason)

    def _run_rule(self, turn: Turn, rule: Rule, runner: _Runner) -> None:
        """A rule that follows something: runs where its conditions hold."""
        if rule.narrowing and not self._narrowed(turn, rule):
            return
        if self._failing(turn, rule.when) is not None or any(each.condition(turn) for each in rule.unless):
            return
        turn.trace.append(TraceLine("rule", rule.span, rule.id, True))
        run_effects(turn, rule.then, runner)

    def run_alone(self, turn: Turn, rule: Rule) -> tuple[str, str]:
        """One rule without its trigger, for examples: ("done" | "refused", what it says)."""
        runner = _Runner(self, 0)
        try:
            failed = self._failing(turn, rule.when)
            if failed is not None:
                raise self._no(turn, Choosing(None, rule, failed.prose))
            self._run_rule(turn, rule, runner)
            runner.finish(turn)
        except Refused as error:
            return "refused", error.args[0]
        except EvaluationError as error:
            return "refused", str(error)
        return "done", "\n".join(message.text for message in turn.messages)

    # --- what follows

    def _settle(self, turn: Turn) -> None:
        """Events and workflows, until nothing more happens."""
        done = 0
        for _ in range(MAX_EVENTS):
            while done < len(turn.events):
                event = turn.events[done]
                done += 1
                runner = _Runner(self, 0)
                turn.vars["event"] = dict(event.values)
                for id in self.rulebook.events.get(event.name, ()):
                    self._run_rule(turn, self.rulebook.rules[id], runner)
                runner.finish(turn)
                turn.vars["event"] = {}
            if turn.player and turn.book["steps"].get(turn.player):
                self._advance(turn)
            if done >= len(turn.events):
                return
        raise Refused("Too much happens at once.", "events lead to one another without end")

    def _real_clock(self, turn: Turn) -> None:
        if self.rulebook.settings.clock is None and "time" in turn.rows["world"]:
            turn.write("world", "time", max(turn.inputs.now, turn.rows["world"]["time"]), "the clock")

    def _pass_time(self, turn: Turn) -> None:
        before = turn.state.rows["world"]["time"]
        player = turn.player
        turn.write(player, "turns", turn.rows[player]["turns"] + 1, "the turn")
        if self.rulebook.settings.clock is not None:
            try:
                turn.write("world", "time", turn.rows["world"]["time"] + self.rulebook.settings.clock, "the clock")
            except OverflowError:
                raise Refused("Time ends here.", "the world's time is out of range") from None
        self._due(turn, before)
        for rule in self._every_turn:
            runner = _Runner(self, 0)
            self._run_rule(turn, rule, runner)
            runner.finish(turn)
        for agent in self._turn_agents:
            if not agent.placed or turn.derived(agent.id, "room") == turn.vars["room"]:
                self._act(turn, agent)
        self._settle(turn)

    def _due(self, turn: Turn, before: datetime) -> None:
        """Timed rules and scheduled events between `before` and the world's time, in order of time."""
        now: datetime = turn.rows["world"]["time"]
        firings: list[tuple[datetime, int, Any]] = []
        timers: dict[str, str] = turn.book["timers"]
        for number, id in enumerate(self.rulebook.timed):
            holder = self.rulebook.rules.get(id) or self.rulebook.agents[id]
            last = datetime.fromisoformat(timers[id]) if id in timers else self.rulebook.settings.begins
            if last > now:
                continue
            for at in _occurrences(holder.trigger, last, now):
                firings.append((at, number, holder))
        due = turn.book["due"]
        ready = [entry for entry in due if datetime.fromisoformat(entry[0]) <= now]
        if not firings and not ready:
            return
        firings += [(datetime.fromisoformat(entry[0]), 10_000 + entry[1], entry) for entry in ready]
        firings.sort(key=lambda firing: firing[:2])
        turn.book = {**turn.book, "due": [entry for entry in due if entry not in ready]}
        for at, _, holder in firings[:MAX_FIRINGS]:
            if isinstance(holder, Rule):
                runner = _Runner(self, 0)
                self._run_rule(turn, holder, runner)
                runner.finish(turn)
            elif isinstance(holder, Agent):
                self._act(turn, holder)
            else:
                self._fire(turn, holder)
                continue
            turn.book = {**turn.book, "timers": {**turn.book["timers"], holder.id: at.isoformat()}}

    def _fire(self, turn: Turn, entry: list[Any]) -> None:
        from kb.referee.model import Event

        player = entry[4] if entry[4] in turn.rows else turn.player
        before, turn.player = turn.player, player
        turn.vars["player"] = player
        turn.events.append(Event(entry[2], entry[3]))
        turn.player = before
        turn.vars["player"] = before

    def _act(self, turn: Turn, agent: Agent) -> None:
        """An agent's Always; its judgements with their fallback; its Then."""
        runner = _Runner(self, 0)
        turn.vars["agent"] = agent.id
        run_effects(turn, agent.always, runner)
        for judgement in agent.judgements:
            turn.trace.append(TraceLine("judgement", judgement.span, f"{judgement.name} = {judgement.fallback}", None))
            turn.write(agent.id, judgement.field, judgement.fallback, judgement.name)
        run_effects(turn, agent.then, runner)
        runner.finish(turn)

    # --- workflows

    def _advance(self, turn: Turn) -> None:
        """Moves the player's workflows on as far as they go."""
        budget = MAX_STEPS
        for id in list(turn.book["steps"].get(turn.player, {})):
            flow = self.rulebook.workflows.get(id)
            while flow is not None and budget > 0:
                where = turn.book["steps"].get(turn.player, {}).get(id)
                if where is None or not self._step(turn, flow, where):
                    break
                budget -= 1
        if budget <= 0:
            raise Refused("That goes round in circles.", f"more than {MAX_STEPS} steps of workflows in one turn")

    def _step(self, turn: Turn, flow: Workflow, where: list[Any]) -> bool:
        """Does one line of a workflow; False where it waits."""
        at, asked = _position(flow, where), where[2]
        number: int = where[1]
        if at >= len(flow.steps):
            return self._finish(turn, flow, "done")
        step = flow.steps[at]
        if number >= len(step.lines):
            return self._go(turn, flow, at + 1)
        line = step.lines[number]
        runner = _Runner(self, 0)
        match line:
            case Wait():
                held = line.until(turn)
                turn.trace.append(TraceLine("step", line.span, line.until.source, held))
                if not held:
                    return False
            case Act():
                run_effects(turn, (line.effect,), runner)
                runner.finish(turn)
                if turn.book["steps"].get(turn.player, {}).get(flow.id) != where:
                    return True
            case Branch():
                held = line.condition(turn)
                turn.trace.append(TraceLine("step", line.span, line.condition.source, held))
                if held:
                    return self._go(turn, flow, line.step)
            case Ask():
                if not asked:
                    turn.say(turn.player, line.text(turn), line.span)
                    self._place(turn, flow, step, number, True)
                return False
            case _:
                if line.text is not None:
                    turn.say(turn.player, line.text(turn), line.span)
                return self._finish(turn, flow, "done")
        self._place(turn, flow, step, number + 1, False)
        return True

    def _go(self, turn: Turn, flow: Workflow, step: int) -> bool:
        if step >= len(flow.steps):
            return self._finish(turn, flow, "done")
        self._place(turn, flow, flow.steps[step], 0, False)
        return True

    @staticmethod
    def _place(turn: Turn, flow: Workflow, step: Step, line: int, asked: bool) -> None:
        steps = turn.book["steps"]
        mine = {**steps.get(turn.player, {}), flow.id: [step.slug, line, asked]}
        turn.book = {**turn.book, "steps": {**steps, turn.player: mine}}

    @staticmethod
    def _finish(turn: Turn, flow: Workflow, status: str) -> bool:
        steps = turn.book["steps"]
        mine = {id: where for id, where in steps.get(turn.player, {}).items() if id != flow.id}
        rest = {player: flows for player, flows in steps.items() if player != turn.player}
        turn.book = {**turn.book, "steps": {**rest, turn.player: mine} if mine else rest}
        if flow.quest:
            quests = turn.rows[turn.player]["quests"]
            turn.write(turn.player, "quests", {**quests, flow.id: status}, flow.id)
        return True

    def progress(self, turn: Turn, verb: str, id: str) -> None:
        """start, advance, end or fail a quest or workflow of the acting player."""
        flow = self.rulebook.workflows[id]
        if verb == "start":
            if flow.quest:
                quests = turn.rows[turn.player]["quests"]
                if quests.get(id, "not-started") != "not-started":
                    return
                turn.write(turn.player, "quests", {**quests, id: "active"}, id)
            if flow.steps:
                self._place(turn, flow, flow.steps[0], 0, False)
        elif verb == "advance":
            where = turn.book["steps"].get(turn.player, {}).get(id)
            if where is not None:
                self._go(turn, flow, _position(flow, where) + 1)
        else:
            self._finish(turn, flow, "done" if verb == "end" else "failed")

    def pending(self, state: State, player: str) -> tuple[Workflow, Ask] | None:
        """The question that a workflow has put to the player."""
        positions: dict[str, list[Any]] = state.book["steps"].get(player, {})
        for id, where in positions.items():
            flow = self.rulebook.workflows.get(id)
            if flow is None or not where[2]:
                continue
            at = _position(flow, where)
            lines = flow.steps[at].lines if at < len(flow.steps) else ()
            number: int = where[1]
            line = lines[number] if number < len(lines) else None
            if isinstance(line, Ask):
                return flow, line
        return None

    def answer(self, state: State, player: str, text: str, inputs: Inputs) -> Outcome | None:
        """The player's answer to the pending question; None where it does not fit its field."""
        waiting = self.pending(state, player)
        if waiting is None:
            return None
        flow, ask = waiting
        try:
            value = ask.answer.type.coerce(text)
        except TypeMismatch:
            return None
        turn = Turn(state, self.derivations, player, inputs)
        try:
            self._real_clock(turn)
            if isinstance(ask.answer.type, Ref) and value not in turn.rows:
                return None
            write_target(turn, ask.answer, value, "the answer")
            where = turn.book["steps"][player][flow.id]
            self._place(turn, flow, flow.steps[_position(flow, where)], where[1] + 1, False)
            self._settle(turn)
            self._pass_time(turn)
            self._check_invariants(turn)
            return self._outcome(turn, "done", None, None)
        except Refused as error:
            return self._refused(state, turn, error, None)
        except EvaluationError as error:
            return self._refused(state, turn, Refused("That cannot be worked out.", str(error)), None)

    # --- the end of a turn

    def _check_invariants(self, turn: Turn) -> None:
        for condition in self.rulebook.invariants:
            self._must_hold(turn, condition, "")
        if not self._kind_invariants:
            return
        changed = turn.changed_ids()
        kinds = {row["kind"] for id in changed if (row := turn.rows.get(id) or turn.state.rows.get(id)) is not None}
        for kind in self._kind_invariants:
            within = self.shape.within[kind.id]
            name = kind.id.replace("-", "_")
            for condition in kind.invariants:
                wide = any(other not in within and other in kinds for other, _ in condition.expr.reads)
                ids: Iterable[str] = turn.every(kind.id) if wide else changed
                for id in ids:
                    row = turn.rows.get(id)
                    if row is not None and row["kind"] in within:
                        before = turn.vars.get(name)
                        turn.vars[name] = id
                        self._must_hold(turn, condition, id)
                        if before is None:
                            del turn.vars[name]
                        else:
                            turn.vars[name] = before

    def _must_hold(self, turn: Turn, condition: Condition, id: str) -> None:
        if not condition.expr(turn):
            turn.trace.append(TraceLine("invariant", condition.span, condition.prose, False))
            what = f" ({id})" if id else ""
            raise Refused("That cannot be.", f"{condition.prose} would no longer hold{what}")

    @cached_property
    def start_problems(self) -> list[tuple[Condition, str]]:
        """Invariants that do not hold for a new player at the start, and for which instance."""
        state = self.join(self.new(), "player")
        turn = self.frame(state, "player")
        found: list[tuple[Condition, str]] = []
        for condition in self.rulebook.invariants:
            if not _holds(condition, turn):
                found.append((condition, ""))
        for kind in self._kind_invariants:
            for condition in kind.invariants:
                for id in state.every(kind.id):
                    turn.vars[kind.id.replace("-", "_")] = id
                    if not _holds(condition, turn):
                        found.append((condition, id))
                        break
            turn.vars = {"player": "player", "room": turn.vars["room"], "action": {}, "event": {}}
        return found


def _holds(condition: Condition, turn: Turn) -> bool:
    try:
        return bool(condition.expr(turn))
    except EvaluationError:
        return False


def _position(flow: Workflow, where: list[Any]) -> int:
    """The step's index by its heading; where an edit renamed it, the first step."""
    return next((index for index, step in enumerate(flow.steps) if step.slug == where[0]), 0)


def _occurrences(trigger: Trigger, last: datetime, now: datetime) -> Iterable[datetime]:
    """When a timed rule fires in (last, now], at most `MAX_FIRINGS` times."""
    if trigger.every is not None:
        count = (now - last) // trigger.every
        first = max(0, count - MAX_FIRINGS)
        return [last + trigger.every * (number + 1) for number in range(first, count)]
    found: list[datetime] = []
    day = last.replace(hour=0, minute=0, second=0, microsecond=0)
    if (now - day) > timedelta(days=MAX_FIRINGS):
        day = now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=MAX_FIRINGS)
    while day <= now:
        found += [at for hour, minute in trigger.at if last < (at := day.replace(hour=hour, minute=minute)) <= now]
        day += timedelta(days=1)
    return found[-MAX_FIRINGS:]


class PlainRunner:
    """Runs effects on their own: nothing leads to rules. For examples and the Given of scenarios."""

    def do(self, turn: Turn, action: str, roles: dict[str, Any]) -> None:
        """Other actions are not done."""

    def entered(self, turn: Turn, player: str, place: str) -> None:
        """Entering sets nothing off."""

    def progress(self, turn: Turn, verb: str, id: str) -> None:
        quests = turn.rows[turn.player]["quests"]
        status = {"start": "active", "end": "done", "fail": "failed"}.get(verb)
        if status is not None and turn.shape.rulebook.workflows[id].quest:
            turn.write(turn.player, "quests", {**quests, id: status}, id)


class _Runner:
    """What effects ask of the referee; remembers what entering places sets off, until the rule has run."""

    __slots__ = ("_depth", "_entered", "_referee")

    def __init__(self, referee: Referee, depth: int):
        self._referee, self._depth = referee, depth
        self._entered: list[tuple[str, str]] = []

    def do(self, turn: Turn, action: str, roles: dict[str, Any]) -> None:
        before = dict(turn.vars)
        referee = self._referee
        referee._perform(turn, Action(action, roles, ""), self._depth + 1)  # pyright: ignore
        room = turn.vars["room"]
        turn.vars.clear()
        turn.vars.update(before)
        turn.vars["room"] = room

    def entered(self, turn: Turn, player: str, place: str) -> None:
        self._entered.append((player, place))

    def progress(self, turn: Turn, verb: str, id: str) -> None:
        self._referee.progress(turn, verb, id)

    def finish(self, turn: Turn) -> None:
        """Runs the rules on `player enters` for every move that was made."""
        seen = 0
        while seen < len(self._entered):
            player, place = self._entered[seen]
            seen += 1
            if seen > MAX_DEPTH:
                raise Refused("That goes round in circles.", f"more than {MAX_DEPTH} moves in one turn")
            before, acting = turn.vars, turn.player
            turn.player = player
            turn.vars = {**before, "player": player, "place": place, "room": place}
            if player != acting:
                turn.forget()
            for rule in self._referee._enters:  # pyright: ignore[reportPrivateUsage]
                if rule.trigger.place in (None, place):
                    self._referee._run_rule(turn, rule, self)  # pyright: ignore[reportPrivateUsage]
            turn.vars, turn.player = before, acting
            if player != acting:
                turn.forget()
            turn.vars["room"] = turn.derived(acting, "room") if acting else ""
        self._entered.clear()
