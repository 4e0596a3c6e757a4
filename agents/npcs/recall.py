"""Owns what of a memory stands in a prompt: the parts that matter to what is said now, within a budget of tokens.

`blocks(scene, memory, heard, words)` in order of importance; `fitted(blocks, limit)`. Whatever players or pages wrote is `Marked`. It
must not know models.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from agents.models.model import Marked
from agents.npcs.facts import sentences
from agents.npcs.memory import RECENT, Line, Memory
from agents.npcs.scene import Scene

LIMIT = 1_500
"""Tokens of a whole prompt, system text included."""
MAX_MATCHING = 5
MAX_HEARD = 6
_WORD = re.compile(r"[^\W_]{3,}")
_COMMON = frozenset(
    "the and you your for are was were what who how why when where with that this have has had not but can could would will "
    "tell about say said they them then there here from into does did his her hers him she its our all any one out".split()
)


def tokens(text: str) -> int:
    """An estimate from above: a token has about four bytes of English, and less of names and other languages."""
    return (len(text.encode()) + 2) // 3


def topics(text: str) -> frozenset[str]:
    """The words that a text is about, without endings."""
    found = (word.casefold() for word in _WORD.findall(text))
    return frozenset(
        word[:-1] if word.endswith("s") and len(word) > 4 else word for word in found if word not in _COMMON
    )


@dataclass(frozen=True, slots=True)
class Block:
    """One part of a prompt. `lines` are left out from the end where they do not fit (`newest_last`: from the beginning)."""

    title: str
    source: str
    lines: tuple[str, ...]
    share: int
    """Tokens that it may take at most."""
    newest_last: bool = False

    @property
    def text(self) -> str:
        return f"{self.title}\n{Marked(chr(10).join(self.lines), self.source)}"


def blocks(scene: Scene, memory: Memory, heard: Memory, words: str, *, leave_out: str = "") -> list[Block]:
    """What the NPC may have in mind when it hears `words`, the most important first. `leave_out` is the key of this very exchange."""
    character, asked = scene.character, topics(words)
    called = memory.fact("name") or scene.player or "The player"
    recent = [each for each in memory.recent if each.key != leave_out]
    found = [
        Block("WHO YOU ARE", character.path, _lines(f"{scene.name}. {scene.description}"), 220),
        Block("HOW YOU SPEAK", character.path, (*_lines(character.voice), *character.examples), 160),
        Block("WHERE YOU ARE", "world", _surroundings(scene), 120),
        Block("WHAT YOU KNOW NOW", character.path, scene.knows, 120),
        Block("HOW YOU STAND TO THE PLAYER", "world", _standing(scene, memory, called), 80),
        Block("FACTS AND PROMISES OF THE PLAYER", "player", _facts(scene, memory), 180),
        Block("WHAT YOU SAID LAST", "talk", tuple(_said(e, scene.name) for e in recent), 360, newest_last=True),
        Block("WHAT YOU SAID EARLIER ABOUT THIS", "talk", tuple(_matching(memory.older, asked, scene.name)), 160),
        Block("WHAT YOU KNOW OF THIS", "lore", tuple(_lore(scene, asked)), 240),
        Block("EARLIER TALKS", "talk", tuple(f"(turn {e.first} to {e.last}) {e.text}" for e in reversed(memory.episodes)), 160),
        Block("WHAT YOU OVERHEARD HERE", "talk", tuple(_overheard(heard, asked)), 120, newest_last=True),
    ]  # fmt: skip
    return [each for each in found if each.lines]


def fitted(found: Iterable[Block], limit: int) -> list[str]:
    """The texts of as many blocks, and of each as many lines, as fit."""
    texts: list[str] = []
    for block in found:
        room = min(block.share, limit)
        lines: list[str] = []
        spent = tokens(Block(block.title, block.source, (), 0).text)
        for line in reversed(block.lines) if block.newest_last else block.lines:
            if spent + tokens(line) + 1 > room:
                left = room - spent - 2
                if not lines and left > 20:
                    lines.append(_cut(line, left))
                break
            lines.append(line)
            spent += tokens(line) + 1
        if lines:
            kept = tuple(reversed(lines)) if block.newest_last else tuple(lines)
            text = Block(block.title, block.source, kept, 0).text
            texts.append(text)
            limit -= tokens(text) + 1
    return texts


def _cut(line: str, limit: int) -> str:
    """The beginning of a line, of at most so many tokens."""
    return line.encode()[: 3 * (limit - 1)].decode(errors="ignore") + "…"


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line for line in text.splitlines() if line.strip())


def _surroundings(scene: Scene) -> tuple[str, ...]:
    found = [f"You are in: {scene.place}."] if scene.place else []
    if scene.things:
        found.append(f"You see: {', '.join(scene.things)}.")
    if scene.exits:
        found.append(f"Ways out: {', '.join(scene.exits)}.")
    return tuple(found)


def _standing(scene: Scene, memory: Memory, called: str) -> tuple[str, ...]:
    if scene.band:
        return (f"{scene.name} {scene.band} {called} ({scene.trust} of 100).",)
    known = "has never talked with" if not memory.talks else "knows" if memory.talks < RECENT else "knows well"
    return (f"{scene.name} {known} {called}.",)


def _facts(scene: Scene, memory: Memory) -> tuple[str, ...]:
    """Facts in the order of importance, each with its turn."""
    turns = [fact.turn for fact in memory.facts.values()]
    told = sentences({key: fact.value for key, fact in memory.facts.items()})
    lines = [f"The player {text} (turn {turn})." for text, turn in zip(told, turns, strict=True)]
    # Who somebody is comes before what they like, and what was promised before both.
    ranked = sorted(zip(memory.facts, lines, strict=True), key=lambda each: ":" in each[0])
    promises = [f"The player promised to {each.text} (turn {each.turn})." for each in reversed(memory.promises)]
    kept = [*(f"Promise: {each}." for each in scene.promised), *(f"Learned: {each}." for each in scene.learned)]
    return (*promises, *(line for _, line in ranked), *kept)


def _said(line: Line, npc: str) -> str:
    answer = f" — {npc}: {line.answer}" if line.answer else ""
    return f"(turn {line.turn}) {line.who}: {line.said}{answer}"


def _matching(older: Sequence[Line], asked: frozenset[str], npc: str) -> list[str]:
    """The older lines that share words with what is asked, the closest and most important first."""
    scored = [(len(asked & topics(f"{e.said} {e.answer}")), e.weight, e.turn, e) for e in older]
    best = sorted((each for each in scored if each[0]), key=lambda each: each[:3], reverse=True)
    return [_said(each[3], npc) for each in best[:MAX_MATCHING]]


def _lore(scene: Scene, asked: frozenset[str]) -> list[str]:
    """Paragraphs of the pages that the NPC's page links to, those about what is asked first."""
    found = [(lore.title, text) for lore in scene.character.lore for text in lore.paragraphs]
    scored = [
        (len(asked & topics(f"{title} {text}")), -at, f"{title}: {text}") for at, (title, text) in enumerate(found)
    ]
    return [text for _, _, text in sorted(scored, reverse=True)]


def _overheard(heard: Memory, asked: frozenset[str]) -> list[str]:
    """What the NPC heard others say, what is about this and what was last."""
    last = heard.lines[-MAX_HEARD:]
    about = [each for each in heard.lines[:-MAX_HEARD] if asked & topics(each.said)][-MAX_HEARD:]
    return [f"(turn {each.turn}) {each.who}: {each.said}" for each in (*about, *last)]
