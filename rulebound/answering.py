"""Owns what answers messages in a process: the router with everything that it asks, over one model or none.

`Answering(…).router(knowledge)`. It is the only place that knows both the router's seams and who fills them. It must not know
transports.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agents.access import Principal
from agents.game import Game, GameService, Reply
from agents.judging import Judging
from agents.knowledge_agent import Asker, Finding, KnowledgeAgent
from agents.knowledge_agent import Citation as Found
from agents.models import Model, Tool, Usage
from agents.npcs.minds import Minds
from agents.npcs.voices import Voices
from agents.teams import TeamError
from agents.worlds import World
from router import Router
from router.answer import Citation
from router.cache import AnswerCache
from router.decisions import Recorder
from router.seams import Words
from storage import Store
