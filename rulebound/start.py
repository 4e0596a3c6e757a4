"""Owns the first step of the command `rulebound`: a chat client's bridge starts without loading the command line."""

from __future__ import annotations

import sys


def main() -> None:
    """Runs `rulebound mcp [WORLD …]` by itself, and everything else through the command line."""
    first, *rest = [*sys.argv[1:], ""][:-1] or [""]
    if (
        first == "mcp"
        and sys.platform != "win32"
        and not any(each in ("install", "uninstall") or each[:1] == "-" for each in rest)
    ):
        from mcp_server.bridge import main as bridge
        from rulebound import __version__
        from rulebound.settings import Settings

        sys.exit(bridge(Settings.from_environment().home, __version__, rest))
    from rulebound.cli import main as command_line

    command_line()
