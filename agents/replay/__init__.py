"""Owns replay: stored turns run again, under their own commits or under another.

`replay(open_archive, wanted, against=…)` gives a `Report`. It must not know transports.
"""

from agents.replay.recorded import Archive, Head, Recorded, Tape, Wanted
from agents.replay.report import Report
from agents.replay.run import ReplayError, replay
from agents.replay.stored import StoredGames

__all__ = [
    "Archive",
    "Head",
    "Recorded",
    "ReplayError",
    "Report",
    "StoredGames",
    "Tape",
    "Wanted",
    "replay",
]
