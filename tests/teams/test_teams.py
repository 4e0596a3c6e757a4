"""Teams work as their pages say, over real HTTP, within their limits, as nobody but who asked."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from agents.teams import Progress, TeamError, TeamResult
from evals.scripted import Answer, Call, Conversation, Scripted

from .conftest import Studio, given, member
