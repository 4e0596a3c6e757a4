"""Owns teams of agents that work on one task together: each is a page, and each run is kept step by step.

It must not know transports; LangGraph is imported when the first run begins.
"""

from agents.teams.results import Listed, Progress, TeamError, TeamResult
from agents.teams.service import Teams

__all__ = ["Listed", "Progress", "TeamError", "TeamResult", "Teams"]
