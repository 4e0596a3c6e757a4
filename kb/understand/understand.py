"""Owns understanding: a player's words as actions on what the player perceives, a question, or a helpful reply.

`Understander(referee).understand(state, player, line, dialogue)`. Deterministic and without a model; a guess is never
silent. It must not run actions.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rapidfuzz import process
from rapidfuzz.distance import DamerauLevenshtein

from kb.referee import Action, Referee, State
from kb.referee.frame import Turn
from kb.rulebook import ActionType, Role
from kb.types import Choice, Int, Number, Point, Ref, Text, Type, TypeMismatch
from kb.understand.dialogue import Command, Dialogue, Question, Reply, Understanding
from kb.understand.lexicon import Form, Lexicon, Names, matches, names_of, plural_matches
from kb.understand.words import ARTICLES, MAX_LINE, Word, clean, direction, number, words_of

MAX_ALL = 100
_PRONOUNS = frozenset({"it", "that", "him", "them", "they", "her"})
_ANY = frozenset({"any", "one", "either"})
_ORDINALS = {"first": 0, "second": 1, "third": 2, "fourth": 3, "fifth": 4}


@dataclass(frozen=True, slots=True)
class _Nouns:
    """What a noun phrase means: ids (several for "all"), or what is wrong with it."""

    ids: tuple[str, ...] = ()
    several: bool = False
    """Whether several were meant."""
    unclear: tuple[str, ...] = ()
    """Candidates between which the words do not decide."""
    missing: str = ""
    """The words that name nothing here; with a `holder`, the id of what another player has in hand."""
    holder: str = ""
    unfit: str = ""
    """The id of what is here but is no such thing."""
    echo: str = ""


@dataclass(slots=True)
class _Parse:
    """One way to read a line as a form."""

    form: Form
    values: dict[str, Any]
    nouns: dict[str, _Nouns]
    spans: dict[str, tuple[int, int]]
    empty: str = ""
    """The role that the line leaves out."""
    corrections: int = 0

    @property
    def rank(self) -> tuple[int, int, int, int, int]:
        """Smaller is better: whole, clear, without corrections, with more literal words."""
        wrong = sum(1 for each in self.nouns.values() if each.missing or each.unfit)
        unclear = sum(1 for each in self.nouns.values() if each.unclear)
        literal = self.form.literal if self.empty else -self.form.literal
        return (1 if self.empty else 0, wrong, self.corrections, unclear, literal)


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
        if not text:
            return Reply("Say something.", dialogue)
        if "{" in text and (direct := self._direct(state, player, text, dialogue)) is not None:
            return direct
        words = words_of(text)
        if not words:
            return Reply("Say something.", dialogue)
        if text.casefold() in {"again", "g"}:
            if not dialogue.last:
                return Reply("There is nothing to do again.", dialogue)
            return self.understand(state, player, dialogue.last, replace(dialogue, last="", asked=False))
        look = _Look(self, state, player, dialogue)
        if dialogue.asked and not self._whole_command(look, text, words):
            answer = self._answer(look, text)
            if answer is not None:
                return answer
        return self._command(look, text, words)

    # --- questions

    def _whole_command(self, look: _Look, text: str, words: Sequence[Word]) -> bool:
        """Whether a line after a question is a command of its own."""
        if len(words) == 1 and look.dialogue.choices and not self.lexicon.is_verb(words[0].key):
            return False
        parses = [parse for parse in self._parses(look, text, words) if not parse.empty]
        return any(parse.rank[1] == 0 for parse in parses)

    def _answer(self, look: _Look, text: str) -> Understanding | None:
        """The pending command with the answer in its hole."""
        dialogue = look.dialogue
        words = [word.key for word in words_of(text) if word.key not in ARTICLES]
        if words in (["no"], ["none"], ["neither"], ["never", "mind"], ["cancel"]):
            return Reply("As you like.", replace(dialogue, asked=False, choices=()))
        if dialogue.choices:
            chosen = self._chosen(look, words)
            if chosen is None:
                return None
            whole = f"{dialogue.before} {look.called(chosen, '')} {dialogue.after}".strip()
            cleared = replace(dialogue, asked=False, choices=())
            return self._command(look.again(cleared, chosen), whole, words_of(whole), only=chosen)
        whole = f"{dialogue.before} {text} {dialogue.after}".strip()
        return self._command(look.again(replace(dialogue, asked=False)), whole, words_of(whole))

    def _chosen(self, look: _Look, words: Sequence[str]) -> str | None:
        """Which of the offered choices a short answer names: a word of it, its number."""
        choices = look.dialogue.choices
        plain = [word for word in words if word not in {"one", "please"}] or list(words)
        if len(plain) == 1:
            at = _ORDINALS.get(plain[0], (number(plain[0]) or 0) - 1)
            if isinstance(at, int) and 0 <= at < len(choices):
                return choices[at]
        found = [id for id in choices if all(word in look.names(id).words for word in plain)]
        return found[0] if len(found) == 1 else None

    # --- commands

    def _command(self, look: _Look, text: str, words: Sequence[Word], only: str | None = None) -> Understanding:
        look.only = only
        parses = self._parses(look, text, words)
        if not parses:
            corrected = self._corrected(words, text)
            if corrected is not None:
                fixed, note = corrected
                again = self._command(look, fixed, words_of(fixed))
                if isinstance(again, Command):
                    return replace(again, echo=f"{note} {again.echo}".strip())
                return again
            return self._unknown(look, text, words)
        best = min(parses, key=lambda parse: parse.rank)
        return self._settle(look, best, text)

    def _parses(self, look: _Look, text: str, words: Sequence[Word]) -> list[_Parse]:
        forms = [*self.lexicon.forms.get(words[0].key, ()), *self.lexicon.open_forms]
        found = [parse for form in forms if (parse := self._match(look, form, text, words)) is not None]
        if found:
            return found
        # A pattern that lacks its last role: "take" asks what.
        for form in self.lexicon.forms.get(words[0].key, ()):
            lacking = self._lacking(form, words)
            if lacking is not None:
                found.append(_Parse(form, {}, {}, {}, empty=lacking))
        return found

    @staticmethod
    def _lacking(form: Form, words: Sequence[Word]) -> str | None:
        """The role that is missing where the words are exactly what stands before it."""
        for at, part in enumerate(form.parts):
            if isinstance(part, Role):
                rest = form.parts[at + 1 :]
                return part.name if at == len(words) and (not rest or all(isinstance(p, str) for p in rest)) else None
            if at >= len(words) or words[at].key != part:
                return None
        return None

    def _match(self, look: _Look, form: Form, text: str, words: Sequence[Word]) -> _Parse | None:
        """The words read as this form: literals in order, what lies between them as roles."""
        spans: dict[str, tuple[int, int]] = {}
        at = 0
        parts = form.parts
        for index, part in enumerate(parts):
            if isinstance(part, str):
                if at >= len(words) or words[at].key != part:
                    return None
                at += 1
                continue
            following = parts[index + 1] if index + 1 < len(parts) else None
            if following is None:
                end = len(words)
            elif isinstance(following, str):
                last = index + 2 >= len(parts) or not any(isinstance(p, Role) for p in parts[index + 2 :])
                places = [i for i in range(at + 1, len(words)) if words[i].key == following]
                if not places:
                    return None
                end = places[-1] if last or len(places) == 1 else places[0]
            else:
                end = at + 1
            if end <= at:
                return None
            spans[part.name] = (at, end)
            at = end
        if at != len(words):
            return None
        parse = _Parse(form, dict(form.fixed), {}, spans)
        for part in parts:
            if isinstance(part, Role) and not self._fill(look, parse, part, text, words):
                return None
        return parse

    def _fill(self, look: _Look, parse: _Parse, role: Role, text: str, words: Sequence[Word]) -> bool:
        """Reads a role's words as its type; False where they cannot be that."""
        start, end = parse.spans[role.name]
        inside = words[start:end]
        if isinstance(role.type, Ref):
            nouns = look.nouns([word.key for word in inside], role.type)
            parse.nouns[role.name] = nouns
            parse.corrections += 1 if nouns.echo else 0
            return True
        value = _plain(role.type, [word.key for word in inside], text[inside[0].start : inside[-1].end])
        if value is None:
            return False
        parse.values[role.name] = value
        return True

    def _settle(self, look: _Look, parse: _Parse, text: str) -> Understanding:
        """The best reading as actions, or the question or reply that it leads to."""
        dialogue = replace(look.dialogue, asked=False, choices=(), before="", after="")
        action = parse.form.action
        if parse.empty:
            verb = " ".join(p for p in parse.form.parts if isinstance(p, str))
            asked = "What" if not _is_person(action.roles[parse.empty].type) else "Whom"
            return Question(f"{asked} do you want to {verb}?", (), replace(dialogue, asked=True, before=text))
        for name, nouns in parse.nouns.items():
            if nouns.holder:
                return Reply(f"{look.called(nouns.holder, 'The')} has {look.called(nouns.missing, 'the')}.", dialogue)
            if nouns.missing:
                return Reply(f"You can't see any “{nouns.missing}” here.", dialogue)
            if nouns.unfit:
                wanted = str(action.roles[name].type)
                return Reply(f"{look.called(nouns.unfit, 'The')} is no {wanted}.", dialogue)
        several = [name for name, nouns in parse.nouns.items() if nouns.several]
        if len(several) > 1:
            return Reply("Say one thing at a time.", dialogue)
        echo = " ".join(nouns.echo for nouns in parse.nouns.values() if nouns.echo)
        unclear: str | None = next((name for name, nouns in parse.nouns.items() if nouns.unclear), None)
        if unclear is not None:
            chosen = self._only_possible(look, parse, unclear)
            if chosen is None:
                return self._which(look, parse, unclear, text, dialogue)
            parse.nouns[unclear] = _Nouns((chosen,))
            echo = f"{echo} ({look.called(chosen, 'the')})".strip()
        values = {**parse.values, **{name: nouns.ids[0] for name, nouns in parse.nouns.items() if nouns.ids}}
        if several:
            name = several[0]
            ids = parse.nouns[name].ids
            ids = self._worth(look, action, name, ids, values)
            if not ids:
                return Reply("There is nothing to do that with.", dialogue)
            actions = tuple(Action(action.id, {**values, name: id}, text) for id in ids[:MAX_ALL])
            labels = tuple(look.called(id, "") for id in ids[:MAX_ALL])
            after = replace(dialogue, them=ids[:MAX_ALL], it=ids[0] if len(ids) == 1 else dialogue.it, last=text)
            return Command(actions, labels, echo, after)
        referred = [nouns.ids[0] for nouns in parse.nouns.values() if nouns.ids]
        after = replace(dialogue, it=referred[0] if referred else dialogue.it, last=text)
        return Command((Action(action.id, values, text),), ("",), echo, after)

    def _worth(
        self, look: _Look, action: ActionType, role: str, ids: tuple[str, ...], values: dict[str, Any]
    ) -> tuple[str, ...]:
        """Of "all": those for which the action is allowed; all where it is for none (so that the refusal is told)."""
        allowed = tuple(
            id for id in ids if self.referee.allowed(look.state, look.player, Action(action.id, {**values, role: id}))
        )
        return allowed or ids[:1]

    def _only_possible(self, look: _Look, parse: _Parse, role: str) -> str | None:
        """The one candidate for which the action is allowed, if it is exactly one."""
        values = {**parse.values, **{name: nouns.ids[0] for name, nouns in parse.nouns.items() if nouns.ids}}
        action = parse.form.action.id
        candidates = parse.nouns[role].unclear[:20]
        fit = [
            id
            for id in candidates
            if self.referee.allowed(look.state, look.player, Action(action, {**values, role: id}))
        ]
        return fit[0] if len(fit) == 1 else None

    def _which(self, look: _Look, parse: _Parse, role: str, text: str, dialogue: Dialogue) -> Question:
        choices = parse.nouns[role].unclear[:8]
        start, end = parse.spans[role]
        words = words_of(text)
        noun = words[end - 1].key
        called = [look.called(id, "the") for id in choices]
        listed = ", ".join(called[:-1]) + (" or " if len(called) == 2 else ", or ") + called[-1]
        before = text[: words[start].start].strip()
        after = text[words[end - 1].end :].strip()
        asked = replace(dialogue, asked=True, before=before, after=after, choices=choices)
        return Question(f"Which {noun}: {listed}?", choices, asked)

    # --- what is not understood

    def _corrected(self, words: Sequence[Word], text: str) -> tuple[str, str] | None:
        """The line with one misspelt verb mended, and what to say of it."""
        word = words[0].key
        if len(word) < 3 or word in self.lexicon.known:
            return None
        allowed = 1 if len(word) < 8 else 2
        found = process.extract(
            word, self.lexicon.verbs, scorer=DamerauLevenshtein.distance, score_cutoff=allowed, limit=3
        )
        best = [verb for verb, distance, _ in found if distance == found[0][1]]
        # Letters that changed places are the likelier slip: "taek" is take, not talk.
        swapped = [verb for verb in best if sorted(verb) == sorted(word)]
        best = swapped if len(swapped) == 1 else best
        if len(best) != 1 or len(best[0]) < 3 or direction(best[0]):
            return None
        fixed = text[: words[0].start] + best[0] + text[words[0].end :]
        return fixed, f"(taking “{word}” as “{best[0]}”)"

    def _unknown(self, look: _Look, text: str, words: Sequence[Word]) -> Reply:
        verb = words[0].key[:30]
        dialogue = replace(look.dialogue, asked=False, choices=())
        if self.lexicon.is_verb(verb):
            shapes = sorted({_shape(form) for form in self.lexicon.forms[verb]}, key=len)[:3]
            return Reply(f"I don't understand that. You can say: {'; '.join(shapes)}.", dialogue)
        if any(matches(look.names(id), [verb]) for id in look.perceived(Ref(("thing",)))):
            return Reply(f"What do you want to do with the {verb}?", dialogue)
        known = [verb for verb in self.lexicon.verbs if len(verb) > 1][:200]
        near = [
            each
            for each, _, _ in process.extract(verb, known, scorer=DamerauLevenshtein.normalized_similarity, limit=6)
        ]
        hint = f" You can, for example: {', '.join(near)}." if near else " There is nothing that one can do here."
        return Reply(f"I don't know how to “{verb}”.{hint}", dialogue)

    # --- actions with arguments

    def _direct(self, state: State, player: str, text: str, dialogue: Dialogue) -> Understanding | None:
        """`return-book {"loan": "l-1"}`: a rule's or action's id and its arguments as JSON."""
        name, _, arguments = text.partition("{")
        action = self.action_named(name.strip())
        if action is None:
            return None
        try:
            given: Any = json.loads("{" + arguments)
        except (ValueError, RecursionError):
            return Reply('The arguments are not JSON: write {"name": value}.', dialogue)
        look = _Look(self, state, player, dialogue)
        roles = {name: look.by_name(value, action.roles.get(name)) for name, value in given.items()}
        return Command((Action(action.id, roles, text),), ("",), "", replace(dialogue, last=text, asked=False))

    def action_named(self, name: str) -> ActionType | None:
        """The action with this id, or of the rule with this id."""
        rulebook = self.referee.rulebook
        rule = rulebook.rules.get(name)
        if rule is not None and rule.trigger.kind == "action" and rule.trigger.action in rulebook.actions:
            return rulebook.actions[rule.trigger.action or name]
        return rulebook.actions.get(name)


def _shape(form: Form) -> str:
    return " ".join(part if isinstance(part, str) else f"<{part.name}>" for part in form.parts)


def _is_person(type_: Type) -> bool:
    return isinstance(type_, Ref) and set(type_.kinds) <= {"npc", "player"}


def _plain(type_: Type, words: Sequence[str], text: str) -> Any:
    """Words as a number, a choice, a point or text; None where they are not."""
    match type_:
        case Text():
            return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text
        case Int() | Number():
            value = number(words[0]) if len(words) == 1 else None
            if value is None or (isinstance(type_, Int) and not isinstance(value, int)):
                return None
            return value
        case Choice():
            word = " ".join(words)
            plain = direction(word) if "north" in type_.options else word
            return plain if plain in type_.options and plain else None
        case Point():
            pass
        case _:
            pass
    try:
        return type_.coerce(text)
    except TypeMismatch:
        return None


class _Look:
    """What one player perceives while one line is read."""

    def __init__(self, owner: Understander, state: State, player: str, dialogue: Dialogue):
        self.owner, self.state, self.player, self.dialogue = owner, state, player, dialogue
        self.only: str | None = None
        self._turn: Turn | None = None
        self._perceived: dict[tuple[str, ...], list[str]] = {}

    def again(self, dialogue: Dialogue, only: str | None = None) -> _Look:
        look = _Look(self.owner, self.state, self.player, dialogue)
        look.only = only
        return look

    @property
    def turn(self) -> Turn:
        if self._turn is None:
            self._turn = self.owner.referee.frame(self.state, self.player)
        return self._turn

    def names(self, id: str) -> Names:
        row = self.state.rows[id]
        return names_of(str(row.get("name") or id), tuple(row.get("aliases") or ()))

    def called(self, id: str, article: str) -> str:
        row = self.state.rows[id]
        name = str(row.get("name") or id)
        return name if not article or row.get("proper") or row["kind"] == "player" else f"{article} {name}"

    def perceived(self, type_: Ref) -> list[str]:
        """Ids of the kinds' instances that the player perceives."""
        found = self._perceived.get(type_.kinds)
        if found is None:
            turn = self.turn
            found = self._perceived[type_.kinds] = [
                id for kind in type_.kinds for id in self._possible(kind) if turn.derived(id, "perceivable") is True
            ]
        return found

    def _possible(self, kind: str) -> Iterable[str]:
        """Instances that may be perceived at all: of kinds that are nowhere, or that lack `perceivable`, all."""
        if "perceivable" not in self.owner.referee.derivations.of(kind):
            return ()
        return self.state.every(kind)

    def candidates(self, type_: Ref) -> list[str]:
        """What the words may name: what is perceived; of abstract kinds (loans, quests) everything."""
        found = self.perceived(type_)
        abstract = [k for k in type_.kinds if "perceivable" not in self.owner.referee.derivations.of(k)]
        return [*found, *(id for kind in abstract for id in self.state.every(kind))]

    def nouns(self, words: list[str], type_: Ref) -> _Nouns:
        """What a noun phrase means among the candidates of a type."""
        pool = self.candidates(type_)
        if self.only is not None and self.only in pool and any(w in self.names(self.only).words for w in words):
            return _Nouns((self.only,))
        lists = _listed(words)
        if len(lists) > 1:
            return self._joined(lists, type_)
        plain = [word for word in words if word not in ARTICLES or word == "her"]
        if not plain:
            return _Nouns(missing=" ".join(words))
        if plain[0] in {"all", "everything", "both"}:
            return self._all(plain, pool, type_)
        if plain == ["me"] or plain == ["myself"] or plain == ["self"]:
            fits = any(self.state.rows[self.player]["kind"] in self.state.shape.within.get(k, ()) for k in type_.kinds)
            return _Nouns((self.player,)) if fits else _Nouns(unfit=self.player)
        if len(plain) == 1 and plain[0] in _PRONOUNS:
            return self._pronoun(plain[0], pool)
        if plain[0] == "other" and self.dialogue.it:
            rest = plain[1:] if plain[1:] != ["one"] else []
            same = rest or [next(iter(self.names(self.dialogue.it).nouns), "")]
            found = [id for id in pool if id != self.dialogue.it and matches(self.names(id), same)]
            return self._one(found, " ".join(words))
        if plain[0] in _ANY and len(plain) > 1:
            found = [id for id in pool if matches(self.names(id), plain[1:])]
            return _Nouns((found[0],)) if found else _Nouns(missing=" ".join(plain))
        found = [id for id in pool if matches(self.names(id), plain)]
        if not found and plain[0] in _ORDINALS and len(plain) > 1:
            among = [id for id in pool if matches(self.names(id), plain[1:])]
            at = _ORDINALS[plain[0]]
            return _Nouns((among[at],)) if at < len(among) else _Nouns(missing=" ".join(plain))
        if not found:
            several = [id for id in pool if plural_matches(self.names(id), plain)]
            if several:
                return _Nouns(tuple(several), several=True)
            return self._unmatched(plain, words, pool)
        return self._one(found, " ".join(words))

    def _one(self, found: list[str], words: str) -> _Nouns:
        if not found:
            return _Nouns(missing=words)
        if len(found) == 1 or self._twins(found):
            return _Nouns((found[0],))
        return _Nouns(unclear=tuple(found))

    def _twins(self, ids: list[str]) -> bool:
        """Whether the candidates are alike in all but id: then any will do."""
        skip = {"id", "location"}
        rows = [{k: v for k, v in self.state.rows[id].items() if k not in skip} for id in ids]
        places = {self.state.rows[id].get("location") for id in ids}
        return len(places) == 1 and all(row == rows[0] for row in rows[1:])

    def _all(self, plain: list[str], pool: list[str], type_: Ref) -> _Nouns:
        rest = plain[1:]
        but: list[str] = []
        for word in ("but", "except"):
            if word in rest:
                at = rest.index(word)
                rest, but = rest[:at], rest[at + 1 :]
        but = [word for word in but if word not in ARTICLES and word != "for"]
        out = {
            id
            for part in _listed(but)
            for id in pool
            if matches(self.names(id), part) or plural_matches(self.names(id), part)
        }
        if rest and rest != ["of", "them"]:
            pool = [id for id in pool if plural_matches(self.names(id), rest) or matches(self.names(id), rest)]
        ids = tuple(id for id in pool if id not in out and id != self.player)
        return _Nouns(ids, several=True) if ids else _Nouns(missing=" ".join(plain))

    def _joined(self, lists: list[list[str]], type_: Ref) -> _Nouns:
        ids: list[str] = []
        for part in lists:
            nouns = self.nouns(part, type_)
            if nouns.missing or nouns.unclear or nouns.unfit:
                return nouns
            ids += [id for id in nouns.ids if id not in ids]
        return _Nouns(tuple(ids), several=True)

    def _pronoun(self, word: str, pool: list[str]) -> _Nouns:
        if word in {"them", "they"} and self.dialogue.them:
            here = tuple(id for id in self.dialogue.them if id in pool)
            return _Nouns(here, several=True) if here else _Nouns(missing=word)
        it = self.dialogue.it
        if it and it in pool:
            return _Nouns((it,))
        if it and it in self.state.rows and self.turn.derived(it, "perceivable") is True:
            return _Nouns(unfit=it)
        return _Nouns(missing=word)

    def _unmatched(self, plain: list[str], words: list[str], pool: list[str]) -> _Nouns:
        """Nothing of the type fits: a misspelling, or something here that is of another kind."""
        others = [id for id in self.perceived(Ref(("thing",))) if matches(self.names(id), plain)]
        if others:
            return _Nouns(unfit=others[0])
        last = plain[-1]
        if len(last) >= 4 and last not in self.owner.lexicon.known:
            nouns = {noun for id in pool for noun in self.names(id).nouns}
            allowed = 1 if len(last) < 8 else 2
            near = process.extract(
                last, sorted(nouns), scorer=DamerauLevenshtein.distance, score_cutoff=allowed, limit=2
            )
            if near and (len(near) == 1 or near[0][1] < near[1][1]):
                fixed = [*plain[:-1], near[0][0]]
                found = [id for id in pool if matches(self.names(id), fixed)]
                if len(found) == 1:
                    return _Nouns((found[0],), echo=f"(taking “{last}” as “{near[0][0]}”)")
                if found:
                    return _Nouns(unclear=tuple(found), echo=f"(taking “{last}” as “{near[0][0]}”)")
        if held := self._held_by_others(plain):
            return held
        if not self.owner.lexicon.has_places and len(words) == 1 and words[0] in self.state.rows and words[0] in pool:
            return _Nouns((words[0],))
        return _Nouns(missing=" ".join(word for word in words if word not in ARTICLES)[:60])

    def _held_by_others(self, plain: list[str]) -> _Nouns | None:
        """Something that another player in the room has in hand."""
        contents = self.turn.index["location"]
        for other in contents.get(self.turn.vars["room"], ()):
            if other != self.player and self.turn.isa(other, "player"):
                for id in contents.get(other, ()):
                    if matches(self.names(id), plain):
                        return _Nouns(missing=id, holder=other)
        return None

    def by_name(self, value: Any, role: Role | None) -> Any:
        """An argument's reference: an id among the candidates, or a name that means exactly one of them."""
        if role is None or not isinstance(role.type, Ref) or not isinstance(value, str):
            return value
        pool = self.candidates(role.type)
        if value in pool:
            return value
        nouns = self.nouns([word.key for word in words_of(clean(value))] or [""], role.type)
        return nouns.ids[0] if len(nouns.ids) == 1 else value


def _listed(words: Sequence[str]) -> list[list[str]]:
    """The parts of "lamp, rope and key"; "all but the lamp and the rope" stays whole."""
    if not words:
        return []
    if words[0] in {"all", "everything"}:
        return [list(words)]
    parts: list[list[str]] = [[]]
    for word in words:
        if word in {",", "and"}:
            if parts[-1]:
                parts.append([])
        else:
            parts[-1].append(word)
    return [part for part in parts if part] or [[]]
