"""Owns `python -m mcp_server.daemon`: the daemon that a bridge starts. Nothing is collected while modules load: clients wait."""

import gc

gc.disable()

from mcp_server.daemon.serve import local  # noqa: E402

gc.enable()
gc.freeze()
local()
