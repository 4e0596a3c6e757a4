"""Writing to knowledge bases: drafts, the live branch, checks before anything lands."""

import sys
from pathlib import Path

import pytest

from agents.access import LOCAL, Refused
from agents.knowledge import KnowledgeError, NotThere
from agents.worlds import Where, World
from kb.pages.names import WriteError
from kb.pages.writing import Conflict, Edit

_base = sys.modules["knowledge_base"]
ADA, ANN, BO, EVE, Bench = _base.ADA, _base.ANN, _base.BO, _base.EVE, _base.Bench
pytestmark = pytest.mark.anyio
