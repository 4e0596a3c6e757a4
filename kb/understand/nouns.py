"""Owns noun phrases: what a player's words mean among the things that this player perceives.

`Look(referee, lexicon, state, player, dialogue).nouns(words, type)`. It must not know patterns or run actions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from kb.referee import Referee, State, Turn
from kb.types import ListOf, MapOf, Record, Ref, Type
from kb.understand.dialogue import Dialogue, hole_number
from kb.understand.lexicon import Lexicon, Names, matches, names_of, plural_matches
from kb.understand.typos import nearest, note
from kb.understand.words import ARTICLES, clean, number, words_of

MAX_WORDS = 60
"""A name in an answer is cut at this many characters."""
ORDINALS = {"first": 0, "second": 1, "third": 2, "fourth": 3, "fifth": 4}
_PERSON = frozenset({"him", "her"})
_PRONOUNS = frozenset({"it", "that", "this", "them", "they", "those", "these"}) | _PERSON
_MANY = frozenset({"them", "they", "those", "these"})
_ALL = frozenset({"all", "everything", "both", "every"})
_ANY = frozenset({"any", "one", "either"})
_BUT = ("but", "except", "excluding")
_SELF = frozenset({"me", "myself", "self"})


@dataclass(frozen=True, slots=True)
class Nouns:
    """What a noun phrase means: ids (several for "all"), or what is wrong with it."""

    ids: tuple[str, ...] = ()
    several: bool = False
    """Whether several were meant."""
    all: bool = False
    """Whether whatever fits was meant ("all", "lamps"), not each that was named."""
    count: int = 0
    """How many of these were meant ("two lamps"); 0 for all of them."""
    unclear: tuple[str, ...] = ()
    """Candidates between which the words do not decide."""
    part: tuple[int, int] | None = None
    """Which of the words are unclear, where it is not all of them."""
    missing: str = ""
    """The words that name nothing here; with a `holder`, the id of what another player has in hand."""
    holder: str = ""
    unfit: str = ""
    """The id of what is here but is no such thing."""
    echo: str = ""

    @property
    def wrong(self) -> bool:
        return bool(self.missing or self.unfit)


class Unseen(Exception):
    """An argument names something that the player does not perceive, or several things: `args[0]` says so."""


class Look:
    """What one player perceives while one line is read."""

    def __init__(self, referee: Referee, lexicon: Lexicon, state: State, player: str, dialogue: Dialogue):
        self.referee, self.lexicon, self.state, self.player = referee, lexicon, state, player
        self.dialogue = dialogue
        self._turn: Turn | None = None
        self._perceived: dict[tuple[str, ...], list[str]] = {}

    @property
    def turn(self) -> Turn:
        if self._turn is None:
            self._turn = self.referee.frame(self.state, self.player)
        return self._turn

    def names(self, id: str) -> Names:
        row = self.state.rows[id]
        return names_of(str(row.get("name") or id), tuple(row.get("aliases") or ()))

    def called(self, id: str, article: str) -> str:
        row = self.state.rows[id]
        name = str(row.get("name") or id)
        return name if not article or row.get("proper") or row["kind"] == "player" else f"{article} {name}"

    def isa(self, id: str, kinds: Sequence[str]) -> bool:
        kind = self.state.rows[id]["kind"]
        return any(kind in self.state.shape.within.get(each, ()) for each in kinds)

    def written(self, text: str) -> str:
        """A line with the names of what earlier answers settled in place of their holes."""
        if not self.dialogue.settled:
            return text
        return "".join(each if (at := hole_number(each)) is None else self._settled_names(at) for each in text)

    def _settled_names(self, at: int) -> str:
        chosen = self.dialogue.settled[at] if at < len(self.dialogue.settled) else ()
        return " and ".join(self.called(id, "the") for id in chosen if id in self.state.rows)

    # --- what may be meant

    def perceived(self, type_: Ref) -> list[str]:
        """Ids of the kinds' instances that the player perceives."""
        found = self._perceived.get(type_.kinds)
        if found is None:
            turn = self.turn
            found = self._perceived[type_.kinds] = [
                id
                for kind in type_.kinds
                if not self._abstract(kind)
                for id in self.referee.reach.of(turn, kind)
                if turn.derived(id, "perceivable") is True
            ]
        return found

    def _abstract(self, kind: str) -> bool:
        """Whether instances of the kind are nowhere (loans, quests): every one of them may be named."""
        return "perceivable" not in self.referee.derivations.of(kind)

    def candidates(self, type_: Ref) -> list[str]:
        """What the words may name: what is perceived; of abstract kinds everything."""
        abstract = [kind for kind in type_.kinds if self._abstract(kind)]
        return [*self.perceived(type_), *(id for kind in abstract for id in self.state.every(kind))]

    def alike(self, ids: Sequence[str], *, anywhere: bool = False) -> list[str]:
        """One of each sort: things that differ in nothing but their id (`anywhere`: and where they are) are one sort."""
        skip = {"id", "location"} if anywhere else {"id"}
        sorts: list[tuple[str, dict[str, Any]]] = []
        for id in ids:
            row = {name: value for name, value in self.state.rows[id].items() if name not in skip}
            if all(row != other for _, other in sorts):
                sorts.append((id, row))
        return [id for id, _ in sorts]

    # --- phrases

    def nouns(self, words: Sequence[str], type_: Ref) -> Nouns:
        """What a noun phrase, or a list of them, means among the candidates of a type."""
        pool = self.candidates(type_)
        parts = _listed(words)
        if len(parts) > 1 and any(matches(self.names(id), _plain(words)) for id in pool):
            parts = [(0, list(words))]  # A name that holds "and".
        if len(parts) == 1 or any(word in _BUT for word in words):
            return self._phrase(parts[0][1] if len(parts) == 1 else list(words), pool, type_)
        ids: list[str] = []
        echo: list[str] = []
        whatever = False
        for start, part in parts:
            nouns = self._phrase(part, pool, type_)
            if nouns.wrong:
                return nouns
            if nouns.unclear:
                return replace(nouns, part=(start, start + len(part)))
            ids += [id for id in nouns.ids if id not in ids]
            echo += [nouns.echo] if nouns.echo else []
            whatever = whatever or nouns.all
        return Nouns(tuple(ids), several=True, all=whatever, echo=" ".join(echo))

    def _phrase(self, words: list[str], pool: list[str], type_: Ref, like: frozenset[str] = frozenset()) -> Nouns:
        """One phrase. `like` are the nouns that "one" stands for ("the lamps but the old one")."""
        but = next((at for at, word in enumerate(words) if word in _BUT and at), None)
        if but is not None:
            return self._but(words[:but], words[but + 1 :], pool, type_)
        if len(words) == 1 and (number := hole_number(words[0])) is not None:
            return self._settled(number, pool)
        plain = _plain(words)
        shown = " ".join(words)[:MAX_WORDS]
        if not plain:
            return Nouns(missing=shown)
        first = plain[0]
        if first in _ALL:
            return self._all(plain, pool)
        if len(plain) == 1 and first in _SELF:
            fits = self.isa(self.player, type_.kinds)
            return Nouns((self.player,)) if fits else Nouns(unfit=self.player)
        if len(plain) == 1 and first in _PRONOUNS:
            return self._pronoun(first, pool)
        found = [id for id in pool if matches(self.names(id), plain)]
        if found:
            return self._one(found, shown)
        if first == "other" and self.dialogue.it in self.state.rows:
            rest = plain[1:] if plain[1:] != ["one"] else []
            same = rest or [next(iter(sorted(self.names(self.dialogue.it).nouns)), "")]
            found = [id for id in pool if id != self.dialogue.it and matches(self.names(id), same)]
            return self._one(found, shown)
        if plain == ["one"] and any(id in pool for id in self.dialogue.them):
            return Nouns((next(id for id in self.dialogue.them if id in pool),))
        if plain[-1] == "one" and len(plain) > 1:
            return self._such(plain[:-1], pool, like, shown)
        if len(plain) > 1 and (counted := self._counted(plain, pool)) is not None:
            return counted
        several = [id for id in pool if plural_matches(self.names(id), plain)]
        if several:
            return Nouns(tuple(several), several=True, all=True)
        return self._unmatched(plain, pool)

    def _one(self, found: list[str], words: str) -> Nouns:
        if not found:
            return Nouns(missing=words)
        found = found if len(found) == 1 else self.alike(found)
        return Nouns((found[0],)) if len(found) == 1 else Nouns(unclear=tuple(found))

    def _settled(self, number: int, pool: list[str]) -> Nouns:
        """What an earlier answer settled, as far as it is still there."""
        chosen = self.dialogue.settled[number] if number < len(self.dialogue.settled) else ()
        ids = tuple(id for id in chosen if id in pool)
        return Nouns(ids, several=len(chosen) > 1) if ids else Nouns(missing="that")

    def _such(self, words: list[str], pool: list[str], like: frozenset[str], shown: str) -> Nouns:
        """ "the brass one": something of these words, of the sort that was spoken of where that is known."""
        found = [id for id in pool if all(word in self.names(id).words for word in words)]
        it = self.dialogue.it
        nouns = like or (self.names(it).nouns if it in self.state.rows else frozenset())
        return self._one([id for id in found if self.names(id).nouns & nouns] or found, shown)

    def _counted(self, plain: list[str], pool: list[str]) -> Nouns | None:
        """ "any lamp", "the second lamp", "two lamps"; None where it is none of these."""
        first, rest = plain[0], plain[1:]
        among = [id for id in pool if matches(self.names(id), rest)]
        if first in _ANY and among:
            return Nouns((among[0],))
        if first in ORDINALS:
            at = ORDINALS[first]
            return Nouns((among[at],)) if at < len(among) else None
        count = number(first)
        among = [id for id in pool if plural_matches(self.names(id), rest)]
        if isinstance(count, int) and 2 <= count <= len(among):
            return Nouns(tuple(among), several=True, all=True, count=count)
        return None

    def _all(self, plain: list[str], pool: list[str]) -> Nouns:
        rest = plain[2:] if plain[1:2] == ["of"] else plain[1:]
        if rest and rest[0] in _MANY and len(rest) == 1:
            return self._pronoun(rest[0], pool)
        if rest:
            pool = [id for id in pool if plural_matches(self.names(id), rest) or matches(self.names(id), rest)]
        elif plain[0] == "both":
            pool = [id for id in self.dialogue.them if id in pool]
        ids = tuple(id for id in pool if id != self.player)
        return Nouns(ids, several=True, all=True) if ids else Nouns(missing=" ".join(plain)[:MAX_WORDS])

    def _but(self, words: list[str], out: list[str], pool: list[str], type_: Ref) -> Nouns:
        """ "all but the rope and the lamps": what is left out must be here, or the player is told."""
        base = self.nouns(words, type_)
        if base.wrong or base.unclear:
            return base
        like = frozenset(noun for id in base.ids for noun in self.names(id).nouns)
        left_out: set[str] = set()
        for _, part in _listed([word for word in out if word != "for"]):
            nouns = self._phrase(part, pool, type_, like)
            if nouns.missing:
                return nouns
            left_out.update(nouns.ids, nouns.unclear)
            if not nouns.several:
                # Not just one of several that are alike: whatever these words can mean stays.
                left_out.update(id for id in base.ids if matches(self.names(id), _plain(part)))
        ids = tuple(id for id in base.ids if id not in left_out)
        return replace(base, ids=ids, several=True) if ids else Nouns(missing=" ".join(words)[:MAX_WORDS])

    def _pronoun(self, word: str, pool: list[str]) -> Nouns:
        dialogue = self.dialogue
        if word in _MANY and dialogue.them:
            here = tuple(id for id in dialogue.them if id in pool)
            return Nouns(here, several=True) if here else Nouns(missing=word)
        meant = (dialogue.whom or dialogue.it) if word in _PERSON else dialogue.it
        if meant in pool:
            return Nouns((meant,))
        if meant in self.state.rows and self.turn.derived(meant, "perceivable") is True:
            return Nouns(unfit=meant)
        return Nouns(missing=word)

    def _unmatched(self, plain: list[str], pool: list[str]) -> Nouns:
        """Nothing of the type fits: something here that is of another kind, or a misspelling."""
        others = [id for id in self.perceived(Ref(("thing",))) if matches(self.names(id), plain)]
        if others:
            return Nouns(unfit=others[0])
        if held := self._held_by_others(plain):
            return held
        last = plain[-1]
        if len(last) >= 4 and last not in self.lexicon.known:
            taken = nearest(last, sorted({noun for id in pool for noun in self.names(id).nouns}))
            if taken is not None:
                found = [id for id in pool if matches(self.names(id), [*plain[:-1], taken])]
                if found:
                    return replace(self._one(found, ""), echo=note(last, taken))
        if not self.lexicon.has_places and len(plain) == 1 and plain[0] in pool:
            return Nouns((plain[0],))
        return Nouns(missing=" ".join(plain)[:MAX_WORDS])

    def _held_by_others(self, plain: list[str]) -> Nouns | None:
        """Something that another player in the room has in hand."""
        contents = self.turn.index["location"]
        for other in contents.get(self.turn.vars["room"], ()):
            if other != self.player and self.turn.isa(other, "player"):
                for id in contents.get(other, ()):
                    if matches(self.names(id), plain):
                        return Nouns(missing=id, holder=other)
        return None

    # --- arguments

    def argument(self, value: Any, type_: Type) -> Any:
        """An argument's value with each reference in it, an id or a name, as the id of something that may be named.

        Raises `Unseen`, in the same words whether it is elsewhere or does not exist.
        """
        match type_:
            case Ref() if isinstance(value, str) and value:
                return self._referred(value, type_)
            case ListOf(item) if isinstance(value, list):
                return [self.argument(each, item) for each in cast("list[Any]", value)]
            case MapOf(inner) if isinstance(value, Mapping):
                return {key: self.argument(each, inner) for key, each in cast("Mapping[str, Any]", value).items()}
            case Record() if isinstance(value, Mapping):
                return {
                    key: self.argument(each, type_.field(key) or type_)
                    for key, each in cast("Mapping[str, Any]", value).items()
                }
            case _:
                return value

    def _referred(self, value: str, type_: Ref) -> str:
        if value in self.candidates(type_):
            return value
        nouns = self.nouns([word.key for word in words_of(clean(value))] or [""], type_)
        if len(nouns.ids) == 1:
            return nouns.ids[0]
        if nouns.unclear or len(nouns.ids) > 1:
            names = ", ".join(self.called(id, "the") for id in (nouns.unclear or nouns.ids)[:8])
            raise Unseen(f"“{value[:MAX_WORDS]}” could be any of these: {names}.")
        if nouns.unfit:
            raise Unseen(f"{self.called(nouns.unfit, 'The')} is no {type_}.")
        if all(self._abstract(kind) for kind in type_.kinds):
            return value  # Everything may be named: the referee says that there is no such thing.
        raise Unseen(f"You can't see any “{value[:MAX_WORDS]}” here.")


def _plain(words: Sequence[str]) -> list[str]:
    """The words without articles; "her" alone is a pronoun."""
    return [word for word in words if word not in ARTICLES] or [word for word in words if word in _PRONOUNS][:1]


def _listed(words: Sequence[str]) -> list[tuple[int, list[str]]]:
    """The parts of "lamp, rope and key", each with where it begins."""
    parts: list[tuple[int, list[str]]] = []
    start: int | None = None
    for at, word in enumerate([*words, ","]):
        if word in {",", "and"}:
            if start is not None:
                parts.append((start, list(words[start:at])))
            start = None
        elif start is None:
            start = at
    return parts or [(0, list(words))]
