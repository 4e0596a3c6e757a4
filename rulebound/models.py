"""Owns which models are used: what the settings and the models' file say. It must not know how models are asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rulebound.settings import Settings

if TYPE_CHECKING:
    from agents.models.configuration import Configuration


def configured(settings: Settings) -> Configuration | None:
    """The providers; None where no model is configured. Raises `agents.models.configuration.ConfigurationError`.

    A file that `RULEBOUND_MODELS` names comes first, then `RULEBOUND_MODEL`, then `models.toml` in the home.
    """
    from agents.models.configuration import Configuration, ConfigurationError

    if settings.models is None and settings.model:
        return Configuration.one(url=settings.model_url, model=settings.model, key=settings.model_key)
    if settings.models is None and (settings.model_url or settings.model_key):
        raise ConfigurationError("RULEBOUND_MODEL says nothing, but its URL or key is set", "Name the model in it too.")
    file = settings.models or settings.home / "models.toml"
    if settings.models is None and not file.exists():
        return None
    return Configuration.load(file, settings.key)
