"""Owns what an operator says about models: providers, chains, prices and budgets.

`Configuration.load(file, key)` reads a TOML file, `Configuration.one(url=…, model=…)` is a single address. It must not read the
environment: `key` looks a name up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from annotated_types import Ge, Gt

from storage.ledger import UNLIMITED, Limits
from storage.records import Json

Through = Literal["http", "litellm"]
OWN = "default"
"""The name of the provider where there is but one, told by an address."""


class ConfigurationError(Exception):
    """The models' file cannot be used: `args[0]` says where and what, `hint` what to write."""

    def __init__(self, message: str, hint: str = "See docs/operators/models.md."):
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Prices:
    """US dollars for a million tokens."""

    input: Annotated[float, Ge(0)]
    output: Annotated[float, Ge(0)]
    cached: Annotated[float, Ge(0)] | None = None
    """Of input tokens that the provider had kept; None: as any other."""

    def cost(self, input_tokens: int, output_tokens: int, cached_tokens: int = 0) -> float:
        """In US dollars."""
        kept = self.input if self.cached is None else self.cached
        plain = max(0, input_tokens - cached_tokens)
        return (plain * self.input + cached_tokens * kept + output_tokens * self.output) / 1_000_000


@dataclass(frozen=True, slots=True)
class Provider:
    """One model at one place."""

    name: str
    model: str
    """As the endpoint calls it; through litellm with litellm's prefix (`anthropic/…`)."""
    url: str = ""
    """Of an OpenAI-compatible endpoint up to `/v1`; empty: litellm knows it."""
    key: str = field(default="", repr=False)
    through: Through = "http"
    prices: Prices | None = None
    """None: what litellm's price table says; nothing where it does not know the model."""
    concurrency: Annotated[int, Ge(1)] = 8
    """Calls at once."""
    waiting: Annotated[int, Ge(0)] = 256
    """Calls that may wait for a place; more are told `busy`."""
    timeout: Annotated[float, Gt(0)] = 30.0
    """Seconds for one try."""
    schema: bool = True
    """Whether `response_format` is sent; without it the schema stands in the prompt alone."""
    grammar: bool = False
    """Whether it takes llama.cpp's `grammar`: a label is then the bare word, which small models choose better than JSON."""
    extra: Json = field(default_factory=dict[str, Any])
    """More of the request's body."""

    @property
    def near(self) -> bool:
        """Whether it is on this machine, and so costs nothing where no prices are told."""
        return urlsplit(self.url).hostname in ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class Configuration:
    """Who is asked: the providers by name, and what each kind of request goes to."""

    providers: Mapping[str, Provider]
    default: tuple[str, ...]
    """In this order; the next is asked where one is away."""
    embedding: str = ""
    label: str = ""
    """Who is asked for labels; empty: `default`."""
    everybody: Limits = UNLIMITED
    """For all together."""
    each: Limits = UNLIMITED
    """For each principal."""
    off: frozenset[str] = frozenset()
    """Purposes (`agents.models.model.Purpose`) that ask no model: whoever asks goes on as without one."""

    @staticmethod
    def load(file: Path, key: Callable[[str], str | None]) -> Configuration:
        """Reads the models' file; `key` gives what an environment variable holds. Raises `ConfigurationError`."""
        from agents.models.file import read  # and with it pydantic, for those who have such a file

        return read(file, key)

    @staticmethod
    def one(*, url: str, model: str, key: str = "", name: str = OWN, **options: Any) -> Configuration:
        """A single provider for everything; `options` are `Provider`'s."""
        options.setdefault("through", "http" if url else "litellm")
        provider = Provider(name, model, url.rstrip("/"), key, **options)
        return Configuration({name: provider}, (name,), embedding=name)
