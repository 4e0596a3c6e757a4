"""Owns what an NPC says where no model answers: from its page, what it remembers and the lore that it knows, always in character.

`outcome(scene, memory, text)` for what rules did, `talk(scene, memory, words, told)` for free talk. The same situation gives the same
words. It must not know models, nor ever tell of an error.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import sha256

from agents.npcs.memory import Memory, Told
from agents.npcs.recall import topics
from agents.npcs.scene import Scene

_NAME = re.compile(r"\b(?:my name|who am i|what am i called|know me|remember me|remember my name)\b", re.IGNORECASE)
_PROMISED = re.compile(r"\b(?:i promise|did i promise|my promises?|what i promised)\b", re.IGNORECASE)
_ABOUT_ME = re.compile(r"\b(?:(?:know|remember) (?:about|of) me|about me)\b", re.IGNORECASE)
_WHO = re.compile(r"\b(?:who are you|your name|about yourself|about you)\b", re.IGNORECASE)
_BYE = re.compile(r"^(?:good ?bye|farewell|bye|see you|good night)\b", re.IGNORECASE)
_HELLO = re.compile(r"^(?:hello|hi|hey|good (?:day|morning|evening|afternoon)|greetings)\b[^?]*$", re.IGNORECASE)
_UNKNOWN = (
    "“I could not tell you,” says {npc}.",
    "{npc} thinks about it. “That is beyond me.”",
    "“You would have to ask somebody else,” says {npc}.",
    "{npc} shrugs. “I never thought about it.”",
)
_FACT = ("“{fact}? I shall remember that,” says {npc}.", "{npc} nods. “{fact}. Good to know.”")
_PROMISE = ("“I will hold you to that,” says {npc}.", "{npc} looks at you for a while. “A promise is a promise.”")
_AGAIN = ("“Ah, {name} again,” says {npc}.", "{npc} knows you: “{name}.”", "“Back again, {name}?” says {npc}.")
_BACK = ("“You again,” says {npc}.", "{npc} looks up. “Back already?”")


def outcome(scene: Scene, memory: Memory, text: str, *, greeting: bool) -> str:
    """The rules' text; at a greeting with what makes it the player's own before it, and the promise that is still open."""
    if not greeting or not memory.talks:
        return text
    name = memory.fact("name") or scene.player
    parts = [_say(scene, memory, "again", _AGAIN if name else _BACK), text]
    if memory.promises:
        parts.append(f"“You promised to {_turned(memory.promises[-1].text)},” says {scene.name}.")
    return "\n".join(part for part in parts if part)


def talk(scene: Scene, memory: Memory, words: str, told: Sequence[Told]) -> str:
    """An answer to something that no rule answers; `memory` is as it was before the words."""
    if told:
        return _taken_in(scene, memory, told)
    if _BYE.search(words):
        return _say(
            scene, memory, "farewell", ("“Farewell{, name},” says {npc}.", "{npc} raises a hand. “Until next time.”")
        )
    if _HELLO.search(words):
        return outcome(scene, memory, "", greeting=True) or f"“Good day,” says {scene.name}."
    if _PROMISED.search(words):
        return _promises(scene, memory)
    if _ABOUT_ME.search(words) or _NAME.search(words):
        return _known(scene, memory)
    if _WHO.search(words):
        return scene.description or f"“{scene.name}, that is all,” says {scene.name}."
    known = _lore(scene, words)
    if known:
        return f"“{known}”, says {scene.name}." if known[-1] not in ".!?…" else f"“{known}” {scene.name} says no more."
    return _say(scene, memory, "unknown", scene.character.examples or _UNKNOWN, words)


def _say(scene: Scene, memory: Memory, line: str, choices: Sequence[str], salt: str = "", **more: str) -> str:
    """The page's own line, or one of ours, chosen by the situation."""
    name = memory.fact("name") or scene.player
    own = scene.character.lines.get(line, "")
    digest = sha256(f"{scene.npc}\n{line}\n{memory.talks}\n{salt}".encode()).digest()
    chosen = own if own and (name or "{name}" not in own) else choices[digest[0] % len(choices)]
    filled = {"npc": scene.name, "name": name, ", name": f", {name}" if name else "", **more}
    return re.sub(r"\{(npc|name|, name|fact|promise)\}", lambda hole: filled.get(hole[1], ""), chosen)


def _taken_in(scene: Scene, memory: Memory, told: Sequence[Told]) -> str:
    """That a fact or a promise was heard."""
    promise = next((each for each in told if each.kind == "promise"), None)
    if promise is not None:
        return _say(scene, memory, "promise", _PROMISE if promise.value else _BACK, promise=_turned(promise.value))
    last = told[-1]
    name = next((each.value for each in told if each.key == "name"), "")
    known = memory.fact("name")
    if name and known and known != name:
        return f"“{name}, then, not {known},” says {scene.name}."
    fact = name or last.value
    return _say(scene, memory, "fact", _FACT, fact, fact=fact[:1].upper() + fact[1:])


def _promises(scene: Scene, memory: Memory) -> str:
    if memory.promises:
        return (
            f"“You promised to {'; and to '.join(_turned(each.text) for each in memory.promises)},” says {scene.name}."
        )
    if scene.promised:
        return f"“{'; '.join(scene.promised)},” says {scene.name}."
    return f"“You promised me nothing,” says {scene.name}."


def _known(scene: Scene, memory: Memory) -> str:
    name = memory.fact("name") or scene.player
    found = [f"You are {name}"] if name else []
    for key, fact in memory.facts.items():
        if key != "name":
            found.append({"home": "from {}", "work": "you work as {}"}.get(key, "one who {}").format(fact.value))
    return f"“{', '.join(found)},” says {scene.name}." if found else f"“I do not know you,” says {scene.name}."


def _turned(text: str) -> str:
    """A promise as the NPC says it: `bring you the lamp` is `bring me the lamp`."""
    turns = {"you": "me", "your": "my", "yours": "mine", "me": "you", "my": "your", "mine": "yours", "i": "you"}
    return re.sub(
        r"\b(?:you|your|yours|me|my|mine|i)\b", lambda word: turns[word[0].casefold()], text, flags=re.IGNORECASE
    )


def _lore(scene: Scene, words: str) -> str:
    """The sentence of the NPC's lore that has most of the words, at least half of what is asked."""
    asked = topics(words) - topics(scene.name)
    best, found = 0, ""
    for lore in scene.character.lore:
        for paragraph in lore.paragraphs:
            for sentence in re.split(r"(?<=[.!?]) ", paragraph):
                shared = len(asked & topics(sentence)) * 2 + len(asked & topics(lore.title))
                if shared > best:
                    best, found = shared, sentence
    return found if best and best >= len(asked) else ""
