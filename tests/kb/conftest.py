"""Shared by the tests of kb: the base world of the diagnostics' examples."""

import importlib.util
import sys
from pathlib import Path

_spec = importlib.util.spec_from_file_location("diag_base", Path(__file__).parent / "diag_base.py")
assert _spec is not None
assert _spec.loader is not None
_module = importlib.util.module_from_spec(_spec)
sys.modules["diag_base"] = _module
_spec.loader.exec_module(_module)
