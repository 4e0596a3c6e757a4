"""Owns `python -m evals.scripted --script FILE --port 0`: prints the server's address and serves until it is stopped.

It must not know what the server does.
"""

from __future__ import annotations

import argparse
import sys
import threading
from pathlib import Path

from evals.scripted.script import Script, ScriptError
from evals.scripted.server import serving


def main() -> int:
    """Returns 2 where the script cannot be used or the port is taken."""
    parser = argparse.ArgumentParser(
        prog="python -m evals.scripted", description="A model that says what a script says."
    )
    parser.add_argument("--script", type=Path, required=True, help="a YAML or JSON file; see docs/evaluators")
    parser.add_argument("--port", type=int, default=0, help="where to listen on 127.0.0.1; default: any free port")
    arguments = parser.parse_args()
    try:
        with serving(Script.load(arguments.script), port=arguments.port) as model:
            print(model.url, flush=True)  # noqa: T201
            threading.Event().wait()
    except (ScriptError, OSError) as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
