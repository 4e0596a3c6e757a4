"""Owns `rulebound serve` and `rulebound mcp`. It must not know how clients are served."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rulebound import __version__
from rulebound.settings import Settings


def serve(worlds: Sequence[str], site: Mapping[str, Any], *, workers: int) -> int:
    """Serves until it is told to end."""
    from mcp_server.daemon.serve import main
    from mcp_server.daemon.worker import Options
    from mcp_server.web.site import Site

    options = Options(tuple(worlds), Site(**site))
    main(Settings.from_environment(), options, workers=workers, say=lambda line: print(line, flush=True))
    return 0


def stop() -> int:
    """Ends the daemon; 1 where none runs."""
    from mcp_server.daemon.place import Place

    if Place(Settings.from_environment().home).stop():
        return 0
    print("rulebound: no daemon serves this home.", file=sys.stderr)
    return 1


def mcp(worlds: Sequence[str], *, standalone: bool) -> int:
    """Serves standard input and output until the client leaves."""
    if standalone or sys.platform == "win32":
        from mcp_server.standalone import main as alone

        return alone(worlds)
    from mcp_server.bridge import main as bridge

    return bridge(Settings.from_environment().home, __version__, worlds)
