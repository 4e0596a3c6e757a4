"""Owns what the knowledge agent answers with: a text, the lines that it stands on, a verdict, what it cost.

`Finding` is given by every mode and kept in the cache by `dump` and `load`. It must not know how an answer is found.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from agents.citations import Citation
from agents.models import Usage

Verdict = Literal["valid", "invalid", "unclear"]
Tier = Literal["rules", "cache", "call"]


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence, and the lines that say it. None: it is what the player perceives, which no page says."""

    text: str
    citations: tuple[Citation, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """An answer. `citations` are those of its sentences, each once."""

    text: str
    citations: tuple[Citation, ...]
    tier: Tier
    reason: str
    verdict: Verdict | None = None
    sentences: tuple[Sentence, ...] = ()
    """What a model said and the pages bear out; empty where sections are quoted or the rules decided."""
    usage: tuple[Usage, ...] = ()
    """What was spent, also on calls that failed."""

    @property
    def model_calls(self) -> int:
        return sum(each.calls for each in self.usage)

    @property
    def cost(self) -> float:
        """In US dollars."""
        return sum(each.cost for each in self.usage)

    def dump(self) -> dict[str, Any]:
        """For the cache: without what it took."""
        return asdict(replace(self, usage=()))

    @staticmethod
    def load(data: dict[str, Any]) -> Finding:
        """From the cache: it takes no call any more."""
        sentences = tuple(Sentence(each["text"], _cited(each["citations"])) for each in data["sentences"])
        return Finding(data["text"], _cited(data["citations"]), "cache", data["reason"], data["verdict"], sentences)


def _cited(data: list[dict[str, Any]]) -> tuple[Citation, ...]:
    return tuple(Citation(**each) for each in data)


def of_sentences(sentences: tuple[Sentence, ...], **others: Any) -> Finding:
    """The finding that these sentences make."""
    cited = dict.fromkeys(citation for each in sentences for citation in each.citations)
    return Finding(" ".join(each.text for each in sentences), tuple(cited), sentences=sentences, **others)
