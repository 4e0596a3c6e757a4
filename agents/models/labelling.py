"""Owns putting one label on a message by a model, small enough to be asked before any dearer call.

`Labeller(model, kinds, examples)`, then `await labeller.label(message)`. It must not know what a label leads to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agents.models.model import Message, Model, ModelError, Request, Usage


@dataclass(frozen=True, slots=True)
class Kind:
    """A label as the model knows it: a plain word that stands for it, and what it means. A small model reads `command` and
    `question` right, and `action` and `knowledge` wrong."""

    word: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Labelled:
    """A label, how likely it is (0..1; 0 where the provider does not tell), and what it took. Below what the caller has measured
    to be enough, somebody dearer is asked."""

    label: str
    probability: float
    usage: Usage


class Labeller:
    """Labels messages by a handful of examples; some four of each kind are enough, and more cost time with every call."""

    def __init__(self, model: Model, kinds: Mapping[str, Kind], examples: Sequence[tuple[str, str]]):
        """`kinds` by their labels; `examples` are messages with their labels."""
        self._model = model
        self._labels = {kind.word: label for label, kind in kinds.items()}
        says = "\n".join(f"{kind.word}: {kind.meaning}" for kind in kinds.values())
        shown = [
            message
            for said, label in examples
            for message in (Message("user", said), Message("assistant", kinds[label].word))
        ]
        self._prompt = (Message("system", says), *shown)

    async def label(self, message: str, *, principal: str = "local", deadline: float = 10.0) -> Labelled:
        """The most likely label. Raises `ModelError`."""
        # The message stands as it is, without marks: whatever it says, one of the labels is all that can come of it.
        answer = await self._model.chat(
            Request(
                (*self._prompt, Message("user", message)),
                "label",
                labels=tuple(self._labels),
                max_tokens=16,
                deadline=deadline,
                principal=principal,
            )
        )
        if answer.label not in self._labels:
            raise ModelError("invalid", f"{answer.label!r} is no label", usage=[answer.usage])
        return Labelled(self._labels[answer.label], answer.probability or 0.0, answer.usage)
