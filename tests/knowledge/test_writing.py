"""Writing to knowledge bases: drafts, the live branch, checks before anything lands."""

import sys

import pytest

_base = sys.modules["knowledge_base"]
ADA, ANN, BO, EVE, Bench = _base.ADA, _base.ANN, _base.BO, _base.EVE, _base.Bench
pytestmark = pytest.mark.anyio
