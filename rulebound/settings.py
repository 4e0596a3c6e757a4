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
    """Where things are kept.

    `home` (`RULEBOUND_HOME`): everything on disk; default the platform's user data directory.
    """

    home: Path

    @staticmethod
    def from_environment(environment: Mapping[str, str] | None = None) -> Settings:
        """The settings of this process."""
        environment = os.environ if environment is None else environment
        home = environment.get("RULEBOUND_HOME")
        return Settings(Path(home).expanduser() if home else user_data_path("rulebound"))

    @property
    def cache(self) -> Path:
        """Parsed pages and remote repositories; may be deleted at any time."""
        return self.home / "cache"

    @property
    def journal(self) -> Path:
        """The games of this machine."""
        return self.home / "games.jsonl"

    @property
    def history(self) -> Path:
        """What was typed at the prompt."""
        return self.home / "history"
