"""Owns the replay of one game: its turns in order, each under its own commit and, if wanted, under another.

`Replay(head, tape, rulebooks, report).turn(recorded)`. It must not know where turns are stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agents import resets
from agents.filled import Filled
from agents.held import read
from agents.record import action_of, status_of
from agents.replay.compare import Difference, Side, difference
from agents.replay.recorded import Head, Recorded, Tape
from agents.replay.report import Report
from agents.replay.rulebooks import Gone, Rulebooks
from agents.worlds import Where
from kb.referee import Action, Inputs, NotAState, Outcome, State
from kb.session import Session
from kb.understand import Dialogue

Dialogues = Mapping[str, Dialogue]
"""Of each player's instance."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a turn came to."""

    state: State
    dialogues: Dialogues
    status: str
    text: str
    actions: tuple[Action, ...]
    outcomes: tuple[Outcome, ...]

    def same(self, other: Resolved) -> bool:
        """Whether nothing that counts differs; states are not compared, since rulebooks may add fields to them."""
        return (
            self.status == other.status
            and self.text == other.text
            and len(self.outcomes) == len(other.outcomes)
            and all(
                one.status == two.status
                and one.changes == two.changes
                and one.events == two.events
                and [each[:2] for each in one.messages] == [each[:2] for each in two.messages]
                for one, two in zip(self.outcomes, other.outcomes, strict=True)
            )
        )

    def as_data(self, commit: str) -> dict[str, Any]:
        """As `agents.record` stores it."""
        pairs = zip(self.actions, self.outcomes, strict=True)
        return {
            "status": self.status,
            "text": self.text,
            "actions": [action_of(commit, action, outcome) for action, outcome in pairs],
        }


class _Skipped(Exception):
    """This turn cannot be replayed: `args[0]` says why."""


class Replay:
    """One game as it is being replayed. `against` is a location and a commit; turns before `since` are not reported."""

    def __init__(
        self,
        head: Head,
        tape: Tape,
        rulebooks: Rulebooks,
        report: Report,
        *,
        against: tuple[Where, str] | None = None,
        since: datetime | None = None,
    ):
        self._head, self._tape, self._rulebooks, self._report = head, tape, rulebooks, report
        self._against, self._since = against, since
        self._number = -1
        self._state: State | None = None
        self._dialogues: Dialogues = {}
        self._lost = "the turns before are not stored"
        self._experience = head.where.experience
        self._undoable, self._restorable = set(tape.undone.values()), set(tape.restored.values())
        self._undos: dict[int, tuple[State, Dialogues]] = {}
        """Turn that will be undone → the state and the dialogues before it."""
        self._versions: dict[int, tuple[State, Dialogues]] = {}
        """Versions that will be restored."""

    @property
    def state(self) -> State | None:
        """What the turns so far came to; None where one could not be replayed."""
        return self._state

    def turn(self, turn: Recorded) -> None:
        """The next turn."""
        counts = (
            turn.kind != "new"
            and (self._since is None or turn.at >= self._since)
            and (self._head.only is None or turn.player in self._head.only)
        )
        try:
            self._replay(turn, counts)
        except _Skipped as skipped:
            if counts:
                self._report.skip(str(skipped))
            return
        except Exception as error:
            error.add_note(f"while turn {turn.number} of game {turn.game} was replayed")
            raise
        if counts:
            self._report.turns += 1
            self._report.replayed += 1
            self._report.players |= {turn.player} - {""}

    def _replay(self, turn: Recorded, counts: bool) -> None:
        try:
            session = self._at(self._head.where, turn.commit)
            self._experience = session.rulebook.settings.id
            before = self._before(turn, session)
            dialogues = self._dialogues
            if turn.hash_before and before.hash != turn.hash_before:
                self._report.unreproduced.add(turn, _hashes("(state before)", turn.hash_before, before.hash))
                self._lose(_FOLLOWS)
                return
            resolved = self._resolved(turn, session, before)
            same = self._verify(turn, resolved)
        except _Skipped as skipped:
            self._lose(str(skipped))
            raise
        finally:
            self._number = turn.number
        if not same:
            self._lose(_FOLLOWS)
            return
        self._state, self._dialogues = resolved.state, resolved.dialogues
        if turn.number in self._undoable:
            self._undos[turn.number] = (before, dialogues)
        if turn.number in self._restorable:
            self._versions[turn.number] = (resolved.state, resolved.dialogues)
        if counts and self._against is not None and turn.kind in ("say", "tick"):
            where, commit = self._against
            other = self._at(where, commit)
            if other.rulebook is not session.rulebook:
                self._compare(turn, resolved, resolve(turn, other, self._carried(before, other), dialogues), commit)

    def _lose(self, why: str) -> None:
        """The turns that follow cannot be replayed, up to the next version that was saved."""
        self._state, self._lost = None, why

    def _at(self, where: Where, commit: str) -> Session:
        """The session at a commit. A game keeps to its experience, also where there was only one at first."""
        try:
            return self._rulebooks.at(where, commit, self._experience)
        except Gone as gone:
            raise _Skipped(str(gone)) from None

    def _before(self, turn: Recorded, session: Session) -> State:
        """The state that the turn began with, under its rulebook."""
        if turn.kind == "new":
            return session.referee.new()
        if turn.number != self._number + 1:
            self._lose("the turns before are not stored")
        if self._state is None:
            if turn.number - 1 not in self._tape.kept:
                raise _Skipped(self._lost)
            self._state, self._dialogues = self._read(turn.number - 1, session)
        return self._carried(self._state, session)

    def _read(self, version: int, session: Session) -> tuple[State, Dialogues]:
        """The game as it was saved at a version."""
        try:
            held = read(self._tape.kept[version], session)
        except NotAState as error:
            raise _Skipped(f"a save cannot be read: {error}") from None
        return held.state, {id: Dialogue.load(each) for id, each in held.dialogues.items()}

    def _carried(self, state: State, session: Session) -> State:
        try:
            return self._rulebooks.carried(state, session)
        except NotAState as error:
            raise _Skipped(f"a state cannot be carried to commit {session.rulebook.commit[:14]}: {error}") from None

    def _resolved(self, turn: Recorded, session: Session, state: State) -> Resolved:
        dialogues, referee = self._dialogues, session.referee
        match turn.kind:
            case "say" | "tick":
                return resolve(turn, session, state, dialogues)
            case "new" | "join":
                if turn.instance:
                    state = referee.join(state, turn.instance, turn.inputs["name"])
                dialogues = {**dialogues, turn.instance: Dialogue()}
            case "leave":
                state = referee.leave(state, turn.instance)
            case "undo":
                state, dialogues = self._undone(turn, session)
            case "restore":
                version = self._tape.restored.get(turn.number, -1)
                if version not in self._versions and version not in self._tape.kept:
                    raise _Skipped("what a restore went back to is not known")
                state, dialogues = self._versions.get(version) or self._read(version, session)
                state = self._carried(state, session)
                if "players" in turn.inputs:
                    state = resets.with_members(session, state, turn.inputs)
                    dialogues = {}
            case "reset":
                state = resets.begun(session, state, turn.instance, turn.inputs, shared=self._head.shared)
                dialogues = {**dialogues, turn.instance: Dialogue()} if turn.instance else {}
            case "erased":
                raise _Skipped("they were, or follow, a turn of a player who was erased")
            case _:
                raise _Skipped(f"turns of kind {turn.kind!r} are not replayed")
        return Resolved(state, dialogues, "done", "", (), ())

    def _undone(self, turn: Recorded, session: Session) -> tuple[State, Dialogues]:
        """As the game service does it: as it was before the turn and what time did since."""
        kept = self._undos.get(self._tape.undone.get(turn.number, -1))
        if kept is None:
            raise _Skipped("what an undo took back is not known")
        before, dialogues = kept
        return self._carried(before, session), dialogues

    def _verify(self, turn: Recorded, resolved: Resolved) -> bool:
        """Reports what is not as it was recorded; whether the state is."""
        after, said = resolved.state.hash, turn.kind == "say"
        same = not turn.hash_after or after == turn.hash_after
        if same and not (said and (resolved.status, resolved.text) != (turn.outcome["status"], turn.outcome["text"])):
            return True
        found = difference(turn.outcome, resolved.as_data(turn.commit), turn.instance) if said else None
        self._report.unreproduced.add(turn, found or _hashes("(state after)", turn.hash_after, after))
        return same

    def _compare(self, turn: Recorded, own: Resolved, other: Resolved, commit: str) -> None:
        if own.same(other):
            return
        found = difference(own.as_data(turn.commit), other.as_data(commit), turn.instance)
        if found is not None:
            self._report.changed.add(turn, found)


_FOLLOWS = "they follow a turn that is not reproduced"


def resolve(turn: Recorded, session: Session, state: State, dialogues: Dialogues) -> Resolved:
    """A `say` or `tick` under a session's rulebook, from recorded inputs alone."""
    filled = Filled.load(turn.inputs)
    inputs = Inputs(datetime.fromisoformat(turn.inputs["now"]), turn.inputs["seed"], filled.judged)
    if turn.kind == "tick":
        outcome = session.referee.tick(state, inputs)
        return Resolved(outcome.state, dialogues, "done", "", (Action(""),), (outcome,))
    dialogue = dialogues.get(turn.instance, Dialogue())
    said = filled.said(session, state, turn.instance, turn.text, dialogue, inputs)
    dialogues = {**dialogues, turn.instance: said.dialogue}
    return Resolved(said.state, dialogues, status_of(said), said.text, said.actions, said.outcomes)


def _hashes(what: str, recorded: str, replayed: str) -> Difference:
    return Difference(Side(what, "", "", ""), Side(what, "", "", ""), (f"hash {recorded}",), (f"hash {replayed}",))
