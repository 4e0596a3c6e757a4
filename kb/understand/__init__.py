"""Owns understanding: from a player's words to actions, without a model.

`Understander(referee)` reads lines; `Dialogue` is what it remembers. It must not run actions.
"""

from kb.understand.dialogue import Command, Dialogue, Question, Reply, Understanding
from kb.understand.understand import Understander
from kb.understand.words import split_line

__all__ = ["Command", "Dialogue", "Question", "Reply", "Understander", "Understanding", "split_line"]
