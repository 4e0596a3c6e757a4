"""Owns understanding: a player's words as actions on what the player perceives, a question, or a helpful reply.

`Understander(referee).understand(state, player, line, dialogue)`. Deterministic and without a model; a guess is never
silent. It must not run actions.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from rapidfuzz import process
from rapidfuzz.distance import DamerauLevenshtein

from kb.referee import Action, Referee, State
from kb.rulebook import ActionType
from kb.types import Ref, Type, TypeMismatch, storable_data
from kb.understand.dialogue import Command, Dialogue, Question, Reply, Understanding, hole
from kb.understand.lexicon import Lexicon, matches
from kb.understand.nouns import ORDINALS, Look, Nouns, Unseen
from kb.understand.parses import Parse, parses, shape
from kb.understand.typos import nearest, note
from kb.understand.words import ARTICLES, MAX_LINE, Word, clean, direction, number, spoken, words_of

MAX_ALL = 100
MAX_CHOICES = 8
MAX_SETTLED = 20
"""How many questions one command may lead to."""
_NO = (["no"], ["none"], ["neither"], ["never", "mind"], ["nevermind"], ["cancel"])
_EVERY = (["both"], ["all"], ["either", "both"], ["all", "of", "them"], ["both", "of", "them"])


class Understander:
    """Understands lines under one rulebook."""

    def __init__(self, referee: Referee):
        self.referee = referee
        self.lexicon = Lexicon(referee.rulebook)

    def understand(self, state: State, player: str, line: str, dialogue: Dialogue) -> Understanding:
        """One command (no "then"). `dialogue` is what the former line left."""
        if len(line) > MAX_LINE:
            return Reply(f"That is more than {MAX_LINE} characters. Say it shorter.", dialogue)
        text = clean(line)
        look = Look(self.referee, self.lexicon, state, player, dialogue)
        if "{" in line and (direct := self._direct(look, line)) is not None:
            return direct
        said = words_of(text)
        words = spoken(said, self.lexicon.is_verb, self.lexicon.takes_text)
        if not words:
            return Reply("Say something.", dialogue)
        if len(words) < len(said):
            text = text[words[0].start : words[-1].end]
            words = words_of(text)
        if len(words) == 1 and words[0].key in {"again", "g"}:
            if not dialogue.last:
                return Reply("There is nothing to do again.", dialogue)
            return self.understand(state, player, dialogue.last, replace(dialogue.cleared(), last=""))
        if dialogue.asked and not self._whole_command(look, text, words):
            answer = self._answer(look, text)
            if answer is not None:
                return answer
        look.dialogue = dialogue.cleared()
        return self._command(look, text, words)

    # --- questions

    def _whole_command(self, look: Look, text: str, words: Sequence[Word]) -> bool:
        """Whether a line after a question is a command of its own."""
        if len(words) == 1 and look.dialogue.choices and not self.lexicon.is_verb(words[0].key):
            return False
        return any(not parse.empty and parse.rank[1] == 0 for parse in parses(self.lexicon, look, text, words))

    def _answer(self, look: Look, text: str) -> Understanding | None:
        """The pending command with the answer in its hole; None where the line is no answer."""
        dialogue = look.dialogue
        words = [word.key for word in words_of(text) if word.key not in ARTICLES]
        if words in _NO:
            return Reply("As you like.", dialogue.cleared())
        settled = dialogue.settled
        if dialogue.choices:
            chosen = self._chosen(look, words)
            if not chosen or len(settled) >= MAX_SETTLED:
                return None
            text, settled = hole(len(settled)), (*settled, chosen)
        look.dialogue = replace(dialogue.cleared(), settled=settled)
        whole = f"{dialogue.before} {text} {dialogue.after}".strip()
        return self._command(look, whole, words_of(whole))

    def _chosen(self, look: Look, words: Sequence[str]) -> tuple[str, ...]:
        """Which of the offered choices a short answer names: by a word of it, its number, or all of them."""
        choices = look.dialogue.choices
        if list(words) in _EVERY:
            return choices
        plain = [word for word in words if word not in {"one", "please"}] or list(words)
        if len(plain) == 1:
            at = ORDINALS.get(plain[0], (number(plain[0]) or 0) - 1)
            if isinstance(at, int) and 0 <= at < len(choices):
                return (choices[at],)
        here = [id for id in choices if id in look.state.rows]
        found = [id for id in here if all(word in look.names(id).words for word in plain)]
        return (found[0],) if len(found) == 1 else ()

    # --- commands

    def _command(self, look: Look, text: str, words: Sequence[Word]) -> Understanding:
        found = parses(self.lexicon, look, text, words)
        if found:
            return self._settle(look, min(found, key=lambda parse: parse.rank), text)
        # "I" alone is a command, and in "I take the lamp" it says nothing.
        plain = spoken(words, lambda _: False, self.lexicon.takes_text)
        if len(plain) < len(words):
            text = text[plain[0].start : plain[-1].end]
            return self._command(look, text, words_of(text))
        taken = self._corrected(words[0].key)
        if taken is None:
            return self._unknown(look, words)
        text = taken + text[words[0].end :]
        again = self._command(look, text, words_of(text))
        if isinstance(again, Command):
            return replace(again, echo=f"{note(words[0].key, taken)} {again.echo}".strip())
        return again

    def _settle(self, look: Look, parse: Parse, text: str) -> Understanding:
        """A reading as actions, or the question or reply that it leads to."""
        before = look.dialogue.cleared()
        action = parse.form.action
        if parse.empty:
            verb = " ".join(p for p in parse.form.parts if isinstance(p, str))
            asked = "Whom" if _is_person(action.roles[parse.empty].type) else "What"
            waits = replace(look.dialogue, asked=True, before=text, after="")
            return Question(f"{asked} do you want to {verb}?", (), waits)
        for name, nouns in parse.nouns.items():
            if nouns.holder:
                return Reply(f"{look.called(nouns.holder, 'The')} has {look.called(nouns.missing, 'the')}.", before)
            if nouns.missing:
                return Reply(f"You can't see any “{nouns.missing}” here.", before)
            if nouns.unfit == look.player:
                return Reply("You can't do that with yourself.", before)
            if nouns.unfit:
                return Reply(f"{look.called(nouns.unfit, 'The')} is no {action.roles[name].type}.", before)
        several = [name for name, nouns in parse.nouns.items() if nouns.several]
        if len(several) > 1:
            return Reply("Say one thing at a time.", before)
        echo = " ".join(nouns.echo for nouns in parse.nouns.values() if nouns.echo)
        unclear: str | None = next((name for name, nouns in parse.nouns.items() if nouns.unclear), None)
        if unclear is not None:
            chosen = self._only_possible(look, parse, unclear)
            if chosen is None:
                return self._which(look, parse, unclear, text)
            parse.nouns[unclear] = Nouns((chosen,))
            echo = f"{echo} ({look.called(chosen, 'the')})".strip()
        values, said = parse.roles(), look.written(text)
        referred = [nouns.ids[0] for nouns in parse.nouns.values() if nouns.ids and not nouns.several]
        people = [id for id in referred if look.isa(id, ("npc", "player"))]
        after = replace(before, it=(referred or [before.it])[0], whom=(people or [before.whom])[0], last=said)
        if not several:
            return Command((Action(action.id, values, said),), ("",), echo, after)
        nouns = parse.nouns[several[0]]
        ids = self._worth(look, action, several[0], nouns.ids, values) if nouns.all else nouns.ids
        ids = ids[: nouns.count or MAX_ALL]
        actions = tuple(Action(action.id, {**values, several[0]: id}, said) for id in ids)
        after = replace(after, them=ids, it=ids[0] if len(ids) == 1 else after.it)
        return Command(actions, tuple(look.called(id, "") for id in ids), echo, after)

    def _worth(
        self, look: Look, action: ActionType, role: str, ids: tuple[str, ...], values: dict[str, Any]
    ) -> tuple[str, ...]:
        """Of "all": those for which the action is allowed; the first where it is for none, so that the refusal is told."""
        allowed = (id for id in ids if self._allowed(look, action, {**values, role: id}))
        return tuple(allowed) or ids[:1]

    def _only_possible(self, look: Look, parse: Parse, role: str) -> str | None:
        """The one sort of candidate for which the action is allowed."""
        values = parse.roles()
        candidates = parse.nouns[role].unclear[:20]
        fit = [id for id in candidates if self._allowed(look, parse.form.action, {**values, role: id})]
        return fit[0] if fit and len(look.alike(fit, anywhere=True)) == 1 else None

    def _allowed(self, look: Look, action: ActionType, values: dict[str, Any]) -> bool:
        return self.referee.allowed(look.state, look.player, Action(action.id, values))

    def _which(self, look: Look, parse: Parse, role: str, text: str) -> Question:
        nouns = parse.nouns[role]
        choices = nouns.unclear[:MAX_CHOICES]
        words = words_of(text)
        start, end = parse.spans[role]
        if nouns.part is not None:
            start, end = start + nouns.part[0], start + nouns.part[1]
        called = [look.called(id, "the") for id in choices]
        listed = ", ".join(called[:-1]) + (" or " if len(called) == 2 else ", or ") + called[-1]
        before, after = text[: words[start].start].strip(), text[words[end - 1].end :].strip()
        asked = replace(look.dialogue, asked=True, before=before, after=after, choices=choices)
        return Question(f"Which {words[end - 1].key}: {listed}?", tuple(called), asked)

    # --- what is not understood

    def _corrected(self, word: str) -> str | None:
        """The verb that a misspelt one means."""
        if word in self.lexicon.known:
            return None
        taken = nearest(word, self.lexicon.verbs)
        return None if taken is None or direction(taken) else taken

    def _unknown(self, look: Look, words: Sequence[Word]) -> Reply:
        verb = look.written(words[0].key)[:30]
        if self.lexicon.is_verb(verb):
            shapes = sorted({shape(form) for form in self.lexicon.forms[verb]}, key=len)[:3]
            return Reply(f"I don't understand that. You can say: {'; '.join(shapes)}.", look.dialogue)
        if any(matches(look.names(id), [verb]) for id in look.perceived(Ref(("thing",)))):
            return Reply(f"What do you want to do with the {verb}?", look.dialogue)
        known = [verb for verb in self.lexicon.verbs if len(verb) > 1][:200]
        near = process.extract(verb, known, scorer=DamerauLevenshtein.normalized_similarity, limit=6)
        hint = f" You can, for example: {', '.join(each for each, _, _ in near)}." if near else ""
        return Reply(f"I don't know how to “{verb}”.{hint or ' There is nothing that one can do here.'}", look.dialogue)

    # --- actions with arguments

    def _direct(self, look: Look, text: str) -> Understanding | None:
        """`return-book {"loan": "l-1"}`: a rule's or action's id and its arguments as JSON."""
        name, _, arguments = text.partition("{")
        action = self.action_named(name.strip())
        if action is None:
            return None
        dialogue = look.dialogue.cleared()
        try:
            given: dict[str, Any] = storable_data(json.loads("{" + arguments))
        except (ValueError, RecursionError) as error:
            why = str(error) if isinstance(error, TypeMismatch) else 'write {"name": value}'
            return Reply(f"The arguments are not JSON: {why}.", dialogue)
        try:
            values = {
                name: look.argument(value, role.type) if (role := action.roles.get(name)) else value
                for name, value in given.items()
            }
        except Unseen as error:
            return Reply(str(error), dialogue)
        return Command((Action(action.id, values, text),), ("",), "", replace(dialogue, last=text))

    def action_named(self, name: str) -> ActionType | None:
        """The action with this id, or of the rule with this id."""
        rulebook = self.referee.rulebook
        rule = rulebook.rules.get(name)
        if rule is not None and rule.trigger.kind == "action" and rule.trigger.action in rulebook.actions:
            return rulebook.actions[rule.trigger.action or name]
        return rulebook.actions.get(name)


def _is_person(type_: Type) -> bool:
    return isinstance(type_, Ref) and set(type_.kinds) <= {"npc", "player"}
