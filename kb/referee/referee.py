"""Owns the referee: one action on one state under one rulebook gives one outcome, always the same.

`Referee(rulebook).resolve(state, player, action, inputs)`. Pure: no clock, no chance, no I/O of its own. It must not
know how words become actions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any

from kb.expressions.frame import EvaluationError
from kb.referee import clock, flows, players, save
from kb.referee.derive import Derivations
from kb.referee.effects import run_effects
from kb.referee.frame import Turn
from kb.referee.invariants import Invariants
from kb.referee.model import Action, Asked, Event, Inputs, Message, Outcome, Refused, TraceLine
from kb.referee.personal import personal
from kb.referee.reach import Reach
from kb.referee.rules import NOTHING, Choice, bind, choose, failing, narrowed, refuse_unless
from kb.referee.shape import Shape
from kb.referee.state import State, new_state
from kb.referee.targets import write_target
from kb.referee.waits import Waits
from kb.rulebook import Agent, Ask, Condition, Decide, Effect, Rule, Rulebook, Table, Target, Workflow
from kb.types import Ref, TypeMismatch, storable

MAX_ROUNDS = 200
MAX_ARRIVALS = 16
MAX_STIRS = 8
_OVER = "The game is over."
NOTHING_COMES = "Nothing comes of it."
MAX_PROPOSALS = 50
MAX_PROPOSAL = 500


class Referee:
    """A rulebook made ready to resolve turns. Make one for each rulebook and keep it."""

    def __init__(self, rulebook: Rulebook):
        self.rulebook = rulebook
        self.shape = Shape.of(rulebook)
        self.derivations = Derivations(self.shape)
        rules = rulebook.rules
        self._rules = {each.id: tuple(rules[id] for id in each.rules) for each in rulebook.actions.values()}
        self._after = {each.id: tuple(rules[id] for id in each.after) for each in rulebook.actions.values()}
        self._events = {event: tuple(rules[id] for id in ids) for event, ids in rulebook.events.items()}
        self._enters = tuple(rules[id] for id in rulebook.enters)
        self._every_turn = tuple(rules[id] for id in rulebook.every_turn)
        self._timers = {id: clock.Timer(rules[id] if id in rules else rulebook.agents[id]) for id in rulebook.timed}
        self._agents = tuple(each for each in rulebook.agents.values() if each.trigger.kind == "turn")
        self.reach = Reach(rulebook)
        self._personal = personal(rulebook)
        self._waits = Waits(rulebook)
        self._invariants = Invariants(rulebook)

    # --- states

    def new(self) -> State:
        """The world at its start, without players."""
        return new_state(self.shape)

    def join(self, state: State, player: str, name: str | None = None, role: str = "player") -> State:
        """The state with one more player at the start. Raises `WorldIsFull`, and ValueError where the id is taken."""
        turn = self.frame(state, "")
        players.join(turn, player, storable(name or player), role)
        return turn.finish()

    def leave(self, state: State, player: str) -> State:
        """The state without the player: what is the world's stays where they stood. Raises ValueError where there is none."""
        turn = self.frame(state, "")
        players.leave(turn, player)
        return turn.finish()

    def load(self, data: Mapping[str, Any]) -> tuple[State, list[str]]:
        """A dumped state, made under this or another rulebook, and what could not be carried over.

        Raises `kb.referee.save.NotAState`.
        """
        return self._told(data, *save.load(self.shape, data))

    def load_parts(self, head: Mapping[str, Any], parts: Mapping[str, Any]) -> tuple[State, list[str]]:
        """As `load`, from what `kb.referee.parts` made of a state. Raises `kb.referee.save.NotAState`."""
        return self._told(head, *save.load_parts(self.shape, head, parts))

    def _told(self, head: Mapping[str, Any], state: State, notes: list[str]) -> tuple[State, list[str]]:
        """What is read under other rules, and which invariants do not hold there; they stop nobody's turns."""
        if head["commit"] != self.rulebook.commit:
            for condition, ids in self._invariants.broken(self.frame(state, "")):
                who = f" for {', '.join(ids[:5])}{' and others' * (len(ids) > 5)}" if ids[0] else ""
                notes.append(f"{condition.prose}: that does not hold{who}")
        return state, notes

    def frame(self, state: State, player: str, now: datetime | None = None) -> Turn:
        """The state as expressions read it, for looking only."""
        return Turn(state, self.derivations, player, Inputs(now or state.rows["world"]["time"]))

    # --- turns

    def resolve(self, state: State, player: str, action: Action, inputs: Inputs) -> Outcome:
        """One action by one player."""

        def act(turn: Turn) -> Rule:
            rule = self._perform(turn, action)
            self._settle(turn)
            if not rule.free:
                self._pass_time(turn)
            return rule

        return self._turn(state, player, inputs, act)

    def tick(self, state: State, inputs: Inputs) -> Outcome:
        """Time alone: what is due at `inputs.now` (real clocks), and workflows that waited for it."""

        def wait(turn: Turn) -> None:
            clock.due(turn, self._timers, lambda what: self._fire(turn, what))

        return self._turn(state, "", inputs, wait, alone=True)

    def next_due(self, state: State) -> datetime | None:
        """When a world on a real clock next needs a `tick`: for timed rules, scheduled events, workflows that wait; a past
        moment is at once, None never. (A tick that is refused leaves it as it is: do not ask again at once.)"""
        if self.rulebook.settings.clock is not None:
            return None
        times = clock.next_due(state, self._timers), self._waits.wakes(state)
        return min((at for at in times if at is not None), default=None)

    def answer(self, state: State, player: str, text: str, inputs: Inputs) -> Outcome | None:
        """The player's answer to the pending question of a workflow; None where there is none or it does not fit."""
        waiting = self.pending(state, player)
        value = None if waiting is None else self._answered(state, waiting[1], text)
        if waiting is None or value is None:
            return None
        flow, ask = waiting

        def reply(turn: Turn) -> None:
            write_target(turn, ask.answer, value, "the answer")
            where = turn.steps(player)[flow.id]
            step = flow.steps[flows.position(flow, where)]
            flows.place(turn, flow, step, where[1] + 1, asked=False)
            self._settle(turn)
            self._pass_time(turn)

        return self._turn(state, player, inputs, reply)

    def pending(self, state: State, player: str) -> tuple[Workflow, Ask] | None:
        """The question that a workflow has put to the player."""
        return flows.pending(state, player)

    def allowed(
        self, state: State, player: str, action: Action, now: datetime | None = None, unknown: frozenset[str] = NOTHING
    ) -> bool:
        """Whether a rule would take the action, as far as its conditions tell; those that read `unknown` roles do not."""
        turn = self.frame(state, player, now)
        if not turn.isa(player, "player") or state.rows[player]["ended"]:
            return False
        try:
            bind(turn, action)
            rule = choose(turn, self._rules[action.type], unknown).rule
            if rule is None:
                return False
            asked = (each.condition for each in rule.unless)
            return not any(each(turn) for each in asked if unknown.isdisjoint(each.names))
        except (Refused, EvaluationError):
            return False

    def prepare(self, state: State, player: str, effects: Iterable[Effect], inputs: Inputs) -> Outcome:
        """Effects on their own, as a scenario's Given has them; no time passes."""

        def run(turn: Turn) -> None:
            run_effects(turn, effects, self)
            self.arrive(turn)
            self._settle(turn)

        return self._turn(state, player, inputs, run)

    def propose(
        self,
        state: State,
        player: str,
        lines: Sequence[str],
        compiled: Callable[[], Sequence[Effect]],
        words: str,
        inputs: Inputs,
    ) -> Outcome:
        """What a model proposes, as a turn of the player: `compiled` gives the effects of the lines or raises `Refused`; they
        change the world itself and the player alone. `words` are what the player is told."""
        freeform, span = self.rulebook.settings.freeform, self.rulebook.settings.freeform_span

        def run(turn: Turn) -> None:
            told = (f"say {words!r}",) if words else ()
            shown = [line[:MAX_PROPOSAL] for line in (*lines[:MAX_PROPOSALS], *told)]
            turn.trace += [TraceLine("proposal", span, line, None) for line in shown]
            effects = compiled()
            for effect in effects:
                target: Target = getattr(effect, "target")  # noqa: B009 (only effects on fields are compiled)
                id = target.root(turn)
                other = turn.isa(id, "player") and id != player
                if other or not any(name == target.field and turn.isa(id, kind) for kind, name in freeform):
                    raise Refused(NOTHING_COMES, f"{effect.source}: this field of {id or 'nothing'} is not free")
            run_effects(turn, effects, self)
            turn.say(player, words, span)
            self.arrive(turn)
            self._settle(turn)
            self._pass_time(turn)

        return self._turn(state, player, inputs, run)

    def try_rule(self, turn: Turn, rule: Rule) -> str | None:
        """One rule without its trigger, for examples; the reason where it refuses. What it says is in the turn."""

        def run() -> None:
            failed = failing(turn, rule.when)
            if failed is not None:
                raise self._no(turn, Choice(None, rule, failed.prose))
            self._follow(turn, rule)

        return self._try(turn, run)

    def try_table(self, turn: Turn, table: Table) -> str | None:
        """A table on its own, for examples; as `try_rule`."""
        effect = Decide(span=table.span, source=f"decide {table.id}", table=table.id)
        return self._try(turn, lambda: run_effects(turn, (effect,), self))

    def _try(self, turn: Turn, run: Callable[[], None]) -> str | None:
        try:
            run()
            self.arrive(turn)
        except Refused as error:
            turn.messages[:] = error.messages or (Message(turn.player, error.text, self.rulebook.settings.span),)
            return error.reason
        except EvaluationError as error:
            return str(error)
        return None

    def _turn(
        self,
        state: State,
        player: str,
        inputs: Inputs,
        run: Callable[[Turn], Rule | None],
        *,
        alone: bool = False,
    ) -> Outcome:
        """All or nothing: what `run` does, if nothing on the way refuses it. `alone`: nobody needs to be able to act."""
        turn = Turn(state, self.derivations, player, inputs)
        try:
            if not alone:
                if not turn.isa(player, "player"):
                    raise Refused("You are not in this game.", f"there is no player {player!r}")
                if state.rows[player]["ended"]:
                    raise Refused(_OVER)
            if self.rulebook.settings.clock is None:
                clock.start_real_clock(turn, self._timers)
            rule = run(turn)
            self._stir(turn, ticked=not player)
            self._invariants.check(turn)
        except (Refused, EvaluationError) as error:
            return self._refused(state, turn, player, error)
        return Outcome(
            status="done",
            state=turn.finish(),
            player=player,
            messages=tuple(turn.messages),
            changes=turn.changes(),
            events=tuple(turn.events),
            trace=tuple(turn.trace),
            rule=rule.id if rule else None,
            reason=None,
            touched=turn.touched,
            asked=tuple(turn.asked),
        )

    def _refused(self, state: State, turn: Turn, player: str, error: Refused | EvaluationError) -> Outcome:
        refused = error if isinstance(error, Refused) else Refused("That cannot be worked out.", str(error))
        messages = refused.messages or (Message(player, refused.text, self.rulebook.settings.span),)
        return Outcome(
            status="refused",
            state=state,
            player=player,
            messages=messages,
            changes=(),
            events=(),
            trace=tuple(turn.trace),
            rule=next((line.text for line in turn.trace if line.kind == "rule"), None),
            reason=refused.reason,
            asked=tuple(turn.asked),
        )

    # --- one action

    def _perform(self, turn: Turn, action: Action) -> Rule:
        """Finds the rule that decides and runs it, and what follows the action."""
        bind(turn, action)
        choice = choose(turn, self._rules[action.type])
        rule = choice.rule
        if rule is None:
            raise self._no(turn, choice)
        turn.trace.append(TraceLine("rule", rule.span, rule.id, True))
        refuse_unless(turn, rule)
        run_effects(turn, rule.then, self)
        for follower in self._after[action.type]:
            self._follow(turn, follower)
        self.arrive(turn)
        return rule

    def do(self, turn: Turn, action: str, roles: dict[str, Any]) -> None:
        """Another action by the same player, in the same turn."""
        names, arrivals = dict(turn.vars), turn.arrivals
        turn.arrivals = []
        self._perform(turn, Action(action, roles))
        turn.arrivals = arrivals
        names["room"] = turn.vars["room"]
        turn.vars = names

    def progress(self, turn: Turn, verb: str, id: str) -> None:
        """start, advance, end or fail a quest or workflow of the acting player."""
        flows.progress(turn, verb, id)

    def _no(self, turn: Turn, choice: Choice) -> Refused:
        """The refusal where no rule applies: the Otherwise of the rule that says so, or the plain reason."""
        before = len(turn.messages)
        if choice.spokesman is not None:
            run_effects(turn, choice.spokesman.otherwise, self)
        spoken = tuple(turn.messages[before:])
        if any(message.to == turn.player for message in spoken):
            return Refused("", choice.reason, spoken)
        return Refused(f"You can't do that: {choice.reason}.", choice.reason)

    def _follow(self, turn: Turn, rule: Rule) -> None:
        """A rule that follows something runs where its conditions hold. Time, which nobody can undo, is not refused
        by an Unless: the rule then does not run."""
        if rule.narrowing and not narrowed(turn, rule):
            return
        if failing(turn, rule.when) is not None:
            return
        if rule.trigger.kind not in {"turn", "every", "at"}:
            refuse_unless(turn, rule)
        elif any(each.condition(turn) for each in rule.unless):
            return
        turn.trace.append(TraceLine("rule", rule.span, rule.id, True))
        run_effects(turn, rule.then, self)

    def arrive(self, turn: Turn) -> None:
        """Runs the rules on `player enters` for every move of a player that was made."""
        seen = 0
        while turn.arrivals:
            player, place = turn.arrivals.pop(0)
            seen += 1
            if seen > MAX_ARRIVALS:
                raise Refused("That goes round in circles.", f"more than {MAX_ARRIVALS} moves, one after another")
            with turn.acting(player):
                turn.vars["place"] = place
                for rule in self._enters:
                    if rule.trigger.place is None or rule.trigger.place in (place, turn.template(place)):
                        self._follow(turn, rule)

    # --- what follows

    def _settle(self, turn: Turn) -> None:
        """Events and workflows, until nothing more happens."""
        for _ in range(MAX_ROUNDS):
            while turn.handled < len(turn.events):
                turn.handled += 1
                self._handle(turn, turn.events[turn.handled - 1])
            if turn.steps(turn.player):
                flows.advance(turn, self)
            if turn.handled >= len(turn.events):
                return
        raise Refused("Too much happens at once.", "events lead to one another without end")

    def _handle(self, turn: Turn, event: Event) -> None:
        """Runs the rules on an event, for the player who acted when it was emitted. Where that was nobody, those that
        concern a player run for each; where that player has left, they do not run."""
        for rule in self._events.get(event.name, ()):
            players: Iterable[str] = (event.player,)
            if event.player not in turn.rows:
                concerned = self._present(turn) if not event.player else ()
                players = concerned if rule.id in self._personal else ("",)
            for player in players:
                with turn.acting(player):
                    turn.vars["event"] = event.values
                    self._follow(turn, rule)
                    self.arrive(turn)

    def _pass_time(self, turn: Turn) -> None:
        player, length = turn.player, self.rulebook.settings.clock
        turn.write(player, "turns", turn.rows[player]["turns"] + 1, "the turn")
        if length is not None:
            try:
                now = turn.rows["world"]["time"] + length
            except OverflowError:
                raise Refused("Time ends here.", "the world's time is out of range") from None
            turn.write("world", "time", now, "the clock")
        clock.due(turn, self._timers, lambda what: self._fire(turn, what))
        if not turn.rows[player]["ended"]:
            for rule in self._every_turn:
                self._follow(turn, rule)
                self.arrive(turn)
            for agent in self._agents:
                if not agent.placed or (turn.vars["room"] and turn.derived(agent.id, "room") == turn.vars["room"]):
                    self._act(turn, agent)
        self._settle(turn)

    def _fire(self, turn: Turn, what: Rule | Agent | Event) -> None:
        """Something is due: what concerns a player for each of them, all else once. Time goes on where it cannot be done."""
        if isinstance(what, Event):
            with turn.attempt(f"event {what.name}", self.rulebook.settings.span):
                turn.events.append(what)
                self._settle(turn)
                self._invariants.check(turn)
            return
        with turn.attempt(what.id, what.span):
            for player in self._present(turn) if what.id in self._personal else ("",):
                with turn.attempt(what.id, what.span), turn.acting(player):
                    if isinstance(what, Rule):
                        self._follow(turn, what)
                        self.arrive(turn)
                    else:
                        self._act(turn, what)
                    self._settle(turn)
            self._invariants.check(turn)

    def _stir(self, turn: Turn, *, ticked: bool) -> None:
        """Goes on with other players' workflows that waited for what the turn did, and with what waited for those."""
        for _ in range(MAX_STIRS):
            before = turn.changed()
            for player in self._waits.stirred(turn, ticked=ticked):
                with turn.attempt(f"what {player} waited for", self.rulebook.settings.span), turn.acting(player):
                    self._settle(turn)
            if turn.changed() == before:
                return

    def _present(self, turn: Turn) -> list[str]:
        """The players whose game goes on."""
        return [each for each in turn.every("player") if not turn.rows[each]["ended"]]

    def _act(self, turn: Turn, agent: Agent) -> None:
        """An agent's Always; its judgements, as a model answered or with their fallback; its Then."""
        if agent.id not in turn.rows:
            return
        turn.vars["agent"] = agent.id
        run_effects(turn, agent.always, self)
        for each in agent.judgements:
            key = each.name if turn.player in ("", turn.actor) else f"{each.name} {turn.player}"
            knows = {expr.source: expr(turn) for expr in agent.knows}
            turn.asked.append(Asked(agent.id, each, knows, agent.budget, key))
            answer = turn.inputs.judged.get(key)
            judged = answer is not None and answer in each.type.options
            answer = answer if answer is not None and judged else each.fallback
            how = "judged by a model" if judged else "as the page says where no model answers"
            turn.trace.append(TraceLine("judgement", each.span, f"{each.name} = {answer}: {how}", None))
            turn.write(agent.id, each.field, answer, each.name)
        run_effects(turn, agent.then, self)
        self.arrive(turn)
        del turn.vars["agent"]

    # --- besides

    def _answered(self, state: State, ask: Ask, text: str) -> Any:
        """The answer as a value of the field's type; None where it is none. A thing may be called by its name."""
        type_ = ask.answer.type
        if isinstance(type_, Ref):
            frame, wanted = self.frame(state, ""), text.strip().casefold()
            named = [id for kind in type_.kinds for id in frame.every(kind) if wanted in _called(id, frame.rows[id])]
            return named[0] if len(named) == 1 else None
        try:
            return type_.coerce(text)
        except TypeMismatch:
            return None

    @cached_property
    def start_problems(self) -> list[tuple[Condition, str]]:
        """Invariants that do not hold for a new player at the start, and for which instance."""
        player = "@player"
        state = self.join(self.new(), player)
        return [(condition, ids[0]) for condition, ids in self._invariants.broken(self.frame(state, player))]


def _called(id: str, row: Mapping[str, Any]) -> set[str]:
    """What a thing may be called in an answer, in lower case."""
    names = {id, row["name"].casefold(), *(each.casefold() for each in row["aliases"])}
    return names | {f"the {each}" for each in names}
