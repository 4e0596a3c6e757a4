"""Shared by the tests of kb: the base worlds, importable by name though tests are no package."""

import importlib.util
import sys
from pathlib import Path

for _name in ("diag_base", "expr_base"):
    _spec = importlib.util.spec_from_file_location(_name, Path(__file__).parent / f"{_name}.py")
    assert _spec is not None
    assert _spec.loader is not None
    sys.modules[_name] = _module = importlib.util.module_from_spec(_spec)
    _spec.loader.exec_module(_module)
