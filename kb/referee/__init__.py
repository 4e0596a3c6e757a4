"""Owns the referee: rulebook × state × action × recorded inputs → outcome, and nothing else.

`Referee(rulebook)` makes states and resolves turns; all values are immutable. It must not do I/O or know who asks.
"""

from kb.referee.frame import Turn
from kb.referee.model import Action, Asked, Change, Event, Inputs, Message, Outcome, Refused, TraceLine
from kb.referee.players import WorldIsFull
from kb.referee.referee import Referee
from kb.referee.save import NotAState
from kb.referee.state import State

__all__ = [
    "Action",
    "Asked",
    "Change",
    "Event",
    "Inputs",
    "Message",
    "NotAState",
    "Outcome",
    "Referee",
    "Refused",
    "State",
    "TraceLine",
    "Turn",
    "WorldIsFull",
]
