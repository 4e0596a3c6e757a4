"""As a user does it: Inspect's own command line plays a suite against its mock model, offline, and its viewer serves the log."""

import importlib.util

import pytest

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("inspect_ai") is None, reason="the extra [inspect] is not installed"
)
PATIENCE = 240
