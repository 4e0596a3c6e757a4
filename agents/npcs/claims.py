"""Owns the check of what a model lets an NPC say: nothing that the rules have not done and the NPC cannot know.

`Claims(scene, material).wrong(sentence)` tells why a sentence may not be said, or "". It is strict: what is refused is replaced by the
rules' own text, so that nothing is lost. It must not know models.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from agents.npcs.recall import topics
from agents.npcs.scene import Scene

MAX_SENTENCE = 400
_NUMBERS = {
    name: str(number)
    for number, name in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
        "eighteen nineteen twenty".split()
    )
} | {"thirty": "30", "forty": "40", "fifty": "50", "sixty": "60", "seventy": "70", "eighty": "80", "ninety": "90",
     "hundred": "100", "thousand": "1000", "million": "1000000", "dozen": "12", "twice": "2", "half": "1/2"}  # fmt: skip
_NUMBER = re.compile(
    r"\d+(?:[.,]\d+)*|\b(?:" + "|".join(name for name in _NUMBERS if name != "one") + r")\b", re.IGNORECASE
)
_MACHINE = re.compile(
    r"<|>|\{|\}|https?:|```|\bas an? (?:ai|language|assistant)|language model|system prompt|\binstructions?\b|\bAPI\b|\bJSON\b|"
    r"\b(?:error|exception|traceback|timeout)\b|\bthe player\b|\bNPC\b|\btool call",
    re.IGNORECASE,
)
_STATE = re.compile(
    r"\byou(?:['’]ve| have| are| now|['’]re)?(?: now| just| already)? (?:win|won|lose|lost|die|died|dead|receive[ds]?|gain(?:ed)?|earn(?:ed)?"
    r"|obtain(?:ed)?|acquire[ds]?|unlock(?:ed)?|level(?:l?ed)?|complete[ds]?|finish(?:ed)?|free to|score[ds]?|(?:been )?(?:given|granted|"
    r"awarded|rewarded|promoted|healed|cursed|blessed|crowned))\b"
    r"|\b(?:victory|game over|quest (?:complete|done|is)|level up|achievement|experience points?|xp|points?|reward(?:s|ed)?|bounty|prize|score)\b"
    r"|\byou(?:['’]ve)? (?:now )?(?:have|hold|carry|own|got|possess|wear)\b|\b(?:is|are) (?:now )?yours\b|\bmy trust\b|\btrust (?:rises|grows|falls)"
    r"|\b(?:opens|opened|unlocks|unlocked|unlocking|vanishes|appears|appeared|collapses|explodes|dies|is dead|is destroyed)\b",
    re.IGNORECASE,
)
_GIVING = re.compile(
    r"\b(?:i|i['’]ll|i['’]d|i will|i shall|i can|we|we['’]ll|let me|allow me to)\b[^.!?]{0,40}?\b(?:give|giving|gave|hand|handing|pay|paying|reward|"
    r"grant|offer|lend|sell|trade|bring|fetch|open|unlock|show you the way|teleport|heal|make you|let you|owe|promise|swear|gift|toss|slip|pass you)\b"
    r"|\b(?:take|have|accept|keep|catch) (?:this|these|my|the|an?|it|them)\b"
    r"|\bhere(?:['’]s| is| are|, take| you (?:go|are)| it is)\b|\bin return\b|\bfor you\b|\bas a (?:gift|reward|token|present)\b|\byou (?:shall|will|may|can) (?:have|get|keep|take|"
    r"receive|find|win|enter|pass|go)\b|\bhands? (?:you|over)\b|\bgives? (?:you|them|him|her)\b",
    re.IGNORECASE,
)
_EXISTS = re.compile(
    r"\b(?:there(?:['’]s| is| are| was| were| lies| stands| hangs| waits)|i (?:have|hold|keep|own|carry|hid|see|found|saw|left|buried)|i['’]ve (?:got|hidden|seen|found)|you(?:['’]ll| will| can|"
    r" may| should)? (?:find|see|notice)|(?:lies|stands|hidden|buried|waits|hides|kept|hangs|locked)\b[^.!?]{0,12}?\b(?:in|under|behind|beneath|inside|beyond|below|above|near|beside|on|at)"
    r"|behind|beneath|underneath|inside|beyond) (?:\w+ ){0,2}?(?:an?|the|my|some|this|that|another|your|his|her|its|these|those|our|their) (?=(?P<what>(?:[\w'’-]+ ?){1,3}))",
    re.IGNORECASE,
)
_WAY = re.compile(
    r"\b(?:go|head|walk|run|climb|leads?|led|leading|exit|way|path|door|passage|tunnel|road|stairs?|gate|to the|turn)\b[^.!?]{0,30}?"
    r"\b(?P<way>north|south|east|west|northeast|northwest|southeast|southwest|up|down)\b",
    re.IGNORECASE,
)
_DENIES = re.compile(
    r"\b(?:no|not|never|nothing|nobody|none|n['’]t|don['’]t|cannot|can['’]t|know(?:s)? (?:nothing|naught|little)|heard of|what is|who is)\b|n['’]t\b", re.IGNORECASE
)  # fmt: skip
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_FREE = frozenset("I I'm I'll I've I'd I’m I’ll I’ve I’d Sir Madam Lord Lady Monday Tuesday Wednesday Thursday Friday Saturday Sunday "
                  "January February March April May June July August September September October November December God Heavens".split())  # fmt: skip


class Claims:
    """`happened` is the rules' text; `material` everything that the NPC may know; `words` what the player said, which proves
    nothing."""

    def __init__(self, scene: Scene, happened: str, material: Iterable[str], words: str = ""):
        self._scene, self._happened, self._own = scene, topics(happened), _numbers(happened)
        known = "\n".join((happened, *material, scene.name, scene.player, scene.place, *scene.things, *scene.exits))
        self._known, self._said = topics(known), topics(words)
        self._proper = {word.casefold() for word in re.findall(r"[^\W_]+", known)}
        self._said_proper = {word.casefold() for word in re.findall(r"[^\W_]+", words)}
        self._numbers = _numbers(known)
        self._exits = {*scene.exits, *re.findall(r"[a-z]+", happened.casefold())}
        self._hidden = [
            re.compile(rf"\b{re.escape(name)}\b", re.IGNORECASE)
            for name in scene.hidden
            if not topics(name) <= self._known
        ]

    def wrong(self, sentence: str) -> str:
        """Why this may not be said; "": it may."""
        if len(sentence) > MAX_SENTENCE:
            return "it is too long"
        if _MACHINE.search(sentence):
            return "it speaks as a machine"
        if invented := _numbers(sentence) - self._numbers:
            return f"it tells a number that nobody gave: {min(invented)}"
        denies = _DENIES.search(sentence) is not None
        if not denies and any(hidden.search(sentence) for hidden in self._hidden):
            return "it names something that is not here"
        for pattern, what in (
            (_STATE, "it claims what no rule did"),
            (_GIVING, "it gives or promises what no rule gave"),
        ):
            if (
                (match := pattern.search(sentence))
                and not (denies and pattern is _STATE)
                and not self._happens(sentence, match[0])
            ):
                return what
        for match in _WAY.finditer(sentence):
            if match["way"].casefold() not in self._exits:
                return f"it tells of a way that is not there: {match['way']}"
        for match in _EXISTS.finditer(sentence):
            if not denies and not topics(match["what"]) & self._known and topics(match["what"]):
                return f"it tells of something that is not known: {match['what'].strip()}"
        for name in _proper(sentence):
            word = re.split("['’]", name.casefold())[0]
            if name not in _FREE and word not in self._proper and not (denies and word in self._said_proper):
                return f"it names somebody or something unknown: {name}"
        return ""

    def _happens(self, sentence: str, claim: str) -> bool:
        """Whether the rules' text says so too: everything that the sentence names, and something of the claim itself."""
        about = topics(sentence)
        return bool(about) and about <= self._happened | _HARMLESS and bool(about & self._happened)

    def missing(self, said: str, changed: Iterable[str] = ()) -> bool:
        """Whether what was said leaves out a number of the rules' text, or something that it names: of what is perceived or was
        `changed`."""
        text = topics(said)
        things = (topics(name) for name in (*self._scene.things, *changed))
        return bool(self._own - _numbers(said)) or any(
            each <= self._happened and not each <= text for each in things if each
        )


_HARMLESS = frozenset("well friend take keep careful good thing yours now then may please gladly".split())


def _numbers(text: str) -> set[str]:
    """The numbers of a text, in digits."""
    return {_NUMBERS.get(each.casefold(), each.replace(",", "")) for each in _NUMBER.findall(text)}


def _proper(sentence: str) -> list[str]:
    """The words with a capital letter that do not begin a sentence or something quoted."""
    found = (match for match in _WORD.finditer(sentence) if match[0][0].isupper())
    return [match[0] for match in found if re.search(r"[\w,;)’'] $", sentence[: match.start()])]
