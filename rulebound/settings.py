"""Owns the settings: the only reader of the environment.

`Settings.from_environment()`. It must not know what the settings are for.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_data_path


@dataclass(frozen=True, slots=True)
class Settings:
    """What the environment says. `docs/reference/settings.md` explains each to users."""

    home: Path
    """`RULEBOUND_HOME`: everything that is kept on disk; default the platform's user data directory."""
    debug: bool = False
    """`RULEBOUND_DEBUG`: an unexpected error shows its traceback."""
    database_url: str | None = None
    """`RULEBOUND_DATABASE_URL`: a PostgreSQL of the operator's; None: the embedded one."""
    redis_url: str | None = None
    """`RULEBOUND_REDIS_URL`: a Redis or Valkey of the operator's; None: the embedded one."""

    secret: str | None = None
    """`RULEBOUND_SECRET`: at least 32 random characters that all workers share, where they have different homes."""

    @staticmethod
    def from_environment(environment: Mapping[str, str] | None = None) -> Settings:
        """The settings of this process."""
        environment = os.environ if environment is None else environment
        home = environment.get("RULEBOUND_HOME")
        debug = environment.get("RULEBOUND_DEBUG", "") not in ("", "0")
        return Settings(
            Path(home).expanduser().absolute() if home else user_data_path("rulebound"),
            debug,
            environment.get("RULEBOUND_DATABASE_URL") or None,
            environment.get("RULEBOUND_REDIS_URL") or None,
            environment.get("RULEBOUND_SECRET") or None,
        )

    @property
    def cache(self) -> Path:
        """Parsed pages and remote repositories; may be deleted at any time."""
        return self.home / "cache"

    @property
    def waiting(self) -> Path:
        """Turns that wait for the database to come back."""
        return self.home / "waiting"

    @property
    def history(self) -> Path:
        """What was typed at the prompt."""
        return self.home / "history"

    @property
    def crash(self) -> Path:
        """The traceback of the last unexpected error."""
        return self.home / "crash.txt"
