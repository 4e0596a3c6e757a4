"""As a user does it: Inspect's own command line plays a suite against its mock model, offline, and its viewer serves the log."""

import importlib.util
import json
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from storage.ports import free_port

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("inspect_ai") is None, reason="the extra [inspect] is not installed"
)
PATIENCE = 240
