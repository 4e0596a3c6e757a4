"""Owns the settings: the only reader of the environment.

`Settings.from_environment()`. It must not know what the settings are for.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
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
    url: str = ""
    """`RULEBOUND_URL`: the public address of this server, which tokens must be made for."""
    public: bool = True
    """`RULEBOUND_PUBLIC`: without a credential one reads what is shared."""
    proxies: tuple[str, ...] = ()
    """`RULEBOUND_PROXIES`: addresses or networks of reverse proxies, whose `X-Forwarded-For` is believed."""
    issuer: str = ""
    """`RULEBOUND_ISSUER`: whose tokens are recognised; none: API keys alone."""
    jwks_url: str = ""
    """`RULEBOUND_JWKS_URL`: the issuer's keys, where its metadata does not tell."""
    roles_claim: str = "roles"
    """`RULEBOUND_ROLES_CLAIM`: the claim of a token that names roles."""
    teams_claim: str = "groups"
    """`RULEBOUND_TEAMS_CLAIM`: the claim of a token that names teams."""
    models: Path | None = None
    """`RULEBOUND_MODELS`: the file of model providers; default `models.toml` in the home, where there is one."""
    model: str = ""
    """`RULEBOUND_MODEL`: a single model instead, as its provider (or litellm) calls it."""
    model_url: str = ""
    """`RULEBOUND_MODEL_URL`: its OpenAI-compatible address, up to `/v1`; none: litellm knows the provider."""
    model_key: str = field(default="", repr=False)
    """`RULEBOUND_MODEL_KEY`: its key."""
    variables: Mapping[str, str] = field(default_factory=dict[str, str], repr=False, compare=False)
    """The environment, for the keys that the file of providers names."""
    secret: str | None = None
    """`RULEBOUND_SECRET`: at least 32 random characters that all workers share, where they have different homes."""

    @staticmethod
    def from_environment(environment: Mapping[str, str] | None = None) -> Settings:
        """The settings of this process."""
        environment = os.environ if environment is None else environment
        home = environment.get("RULEBOUND_HOME")
        models = environment.get("RULEBOUND_MODELS")
        debug = environment.get("RULEBOUND_DEBUG", "") not in ("", "0")
        return Settings(
            Path(home).expanduser().absolute() if home else user_data_path("rulebound"),
            debug,
            environment.get("RULEBOUND_DATABASE_URL") or None,
            environment.get("RULEBOUND_REDIS_URL") or None,
            models=Path(models).expanduser().absolute() if models else None,
            model=environment.get("RULEBOUND_MODEL", ""),
            model_url=environment.get("RULEBOUND_MODEL_URL", "").rstrip("/"),
            model_key=environment.get("RULEBOUND_MODEL_KEY", ""),
            variables=dict(environment),  # processes that work together pass settings on
            secret=environment.get("RULEBOUND_SECRET") or None,
            url=environment.get("RULEBOUND_URL", "").rstrip("/"),
            public=environment.get("RULEBOUND_PUBLIC", "") not in ("0", "no", "false"),
            proxies=tuple(environment.get("RULEBOUND_PROXIES", "").replace(",", " ").split()),
            issuer=environment.get("RULEBOUND_ISSUER", ""),
            jwks_url=environment.get("RULEBOUND_JWKS_URL", ""),
            roles_claim=environment.get("RULEBOUND_ROLES_CLAIM") or "roles",
            teams_claim=environment.get("RULEBOUND_TEAMS_CLAIM") or "groups",
        )

    @property
    def models_file(self) -> Path:
        """Where providers of models are told, if anywhere."""
        return self.models or self.home / "models.toml"

    @property
    def has_models(self) -> bool:
        """Whether a model is configured. A file that was named and is not there counts: it is told when it is read."""
        return bool(self.model) or self.models is not None or self.models_file.is_file()

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
