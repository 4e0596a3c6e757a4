"""Owns the tools that chat clients call. Each module adds its own to a server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def may_ask(tool: str, arguments: Mapping[str, Any]) -> bool:
    """Whether a call may ask the user before it does something that cannot be taken back."""
    return tool == "kb_delete" or (tool == "act" and arguments.get("action") == "reset")
