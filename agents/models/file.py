"""Owns the models' file: TOML in, a `Configuration` out, with every problem at its line.

`read(file, key)`. It must not know what a provider does with what is said.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, cast

import orjson
from annotated_types import Ge
from pydantic import ConfigDict, TypeAdapter, ValidationError

from agents.models.configuration import Configuration, ConfigurationError, Prices, Provider, Through
from agents.models.model import Purpose
from agents.models.prices import known
from storage.ledger import Limits
from storage.records import Json

Place = tuple[str, ...]
_CLOSED = ConfigDict(extra="forbid", strict=True)


@dataclass(frozen=True)
class _Prices(Prices):
    __pydantic_config__ = _CLOSED


@dataclass(frozen=True)
class _Each:
    """What one principal may spend in a day."""

    __pydantic_config__ = _CLOSED
    calls: Annotated[int, Ge(0)] | None = None
    cost: Annotated[float, Ge(0)] | None = None


@dataclass(frozen=True)
class _Budget(_Each):
    principal: _Each = field(default_factory=_Each)


@dataclass(frozen=True)
class _Provider(Provider):
    __pydantic_config__ = _CLOSED
    through: Through | None = None  # pyright: ignore[reportIncompatibleVariableOverride]  # told by the URL
    prices: _Prices | None = None


@dataclass(frozen=True)
class _File:
    __pydantic_config__ = _CLOSED
    providers: dict[str, _Provider]
    default: list[str] = field(default_factory=list[str])
    embedding: str = ""
    label: str = ""
    budget: _Budget = field(default_factory=_Budget)
    off: list[Purpose] = field(default_factory=list[Purpose])


def read(file: Path, key: Callable[[str], str | None]) -> Configuration:
    """Raises `ConfigurationError` with all problems, a line each."""
    try:
        text = file.read_text(encoding="utf-8")
        said: Json = tomllib.loads(text)
    except OSError as error:
        raise ConfigurationError(f"{file}: {error.strerror}", "Check RULEBOUND_MODELS and its permissions.") from error
    except ValueError as error:  # TOML's and UTF-8's
        raise ConfigurationError(f"{file}: {error}") from error
    try:
        found = TypeAdapter(_File).validate_json(orjson.dumps(_named(said)))  # where an object may be a dataclass
    except ValidationError as error:
        problems = [(_place(each["loc"]), each["msg"]) for each in error.errors()]
    else:
        problems = list(_problems(found, key))
        if not problems:
            return _configuration(found, key)
    lines = sorted((_line(text, place), place, what) for place, what in problems)
    told = (f"{file}:{line}: {'.'.join(place)}: {what}" for line, place, what in lines)
    raise ConfigurationError("\n".join(told))


def _named(said: Json) -> Json:
    """Each provider knows its name."""
    providers = said.get("providers")
    if not isinstance(providers, dict):
        return said
    entries = cast(Json, providers).items()
    named: Json = {name: {**entry, "name": name} if isinstance(entry, dict) else entry for name, entry in entries}
    return said | {"providers": named}


def _place(location: tuple[int | str, ...]) -> Place:
    return tuple(each for each in location if isinstance(each, str))


def _problems(found: _File, key: Callable[[str], str | None]) -> Iterator[tuple[Place, str]]:
    if not found.providers:
        yield ("providers",), "there is none; write a table [providers.NAME]"
    if not found.default and len(found.providers) > 1:
        yield ("default",), f"say who is asked first, of {', '.join(found.providers)}"
    for place, names in (("default", found.default), ("embedding", [found.embedding]), ("label", [found.label])):
        for name in names:
            if name and name not in found.providers:
                yield (place,), f"no provider is called {name!r}, only {', '.join(found.providers)}"
    limits = (found.budget, found.budget.principal)
    for name, provider in found.providers.items():
        here = ("providers", name)
        if provider.url and not re.fullmatch(r"https?://[^\s/]+(/\S*)?", provider.url):
            yield (*here, "url"), f"{provider.url!r} is no address; write http://HOST/v1"
        if provider.through == "http" and not provider.url:
            yield here, "over http it needs a url"
        if provider.key and not key(provider.key):
            yield (*here, "key"), f"the environment has no {provider.key}; the key itself does not stand here"
        if any(each.cost is not None for each in limits) and known(_provider(provider, "")) is None:
            yield here, "a budget in money needs its prices; write prices = {input = 0.15, output = 0.6}"


def _configuration(found: _File, key: Callable[[str], str | None]) -> Configuration:
    providers = {
        name: _provider(each, key(each.key) or "" if each.key else "") for name, each in found.providers.items()
    }
    budget = found.budget
    return Configuration(
        providers,
        tuple(found.default or providers),
        found.embedding,
        found.label,
        everybody=Limits(budget.calls, budget.cost),
        each=Limits(budget.principal.calls, budget.principal.cost),
        off=frozenset(found.off),
    )


def _provider(said: _Provider, key: str) -> Provider:
    fields: dict[str, Any] = {name: getattr(said, name) for name in Provider.__dataclass_fields__}
    fields["through"] = said.through or ("http" if said.url else "litellm")
    fields["prices"] = Prices(**asdict(said.prices)) if said.prices else None
    fields |= {"url": said.url.rstrip("/"), "key": key}
    return Provider(**fields)


def _line(text: str, place: Place) -> int:
    """Where it is said: the line of the key, or of the innermost table that is there."""
    table: Place = ()
    best, line = 0, 1
    for number, row in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[\s*([^\]]+?)\s*\]", row):
            table = tuple(part.strip().strip("\"'") for part in header[1].split("."))
            here = table
        elif entry := re.match(r"\s*([\w.\"'-]+)\s*=", row):
            here = (*table, *(part.strip("\"'") for part in entry[1].split(".")))
        else:
            continue
        if here == place[: len(here)] and len(here) > best:
            best, line = len(here), number
    return line
