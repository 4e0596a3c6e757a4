"""Owns models both ways: Inspect's as what our client asks, and ours as a provider of Inspect's (`--model rulebound/NAME`).

`client(OverInspect(get_model()))` is a `Model` whose calls Inspect logs, caches and limits; `Ours` is made by Inspect. It must not know cases.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from inspect_ai._util.error import PrerequisiteError  # what its command line shows without a traceback
from inspect_ai.model import ChatMessage, GenerateConfig, ModelAPI, ModelCall, ModelOutput
from inspect_ai.model import Model as Asked
from inspect_ai.tool import ToolChoice, ToolInfo
from inspect_ai.util import LimitExceededError

from agents.local import MODELS, Local, LocalError, configured
from agents.local.provider import NAME as LOCAL
from agents.models.adapter import Adapter, Failure, adapter
from agents.models.client import Client
from agents.models.configuration import Configuration, ConfigurationError, Provider
from evals.inspecting import wire
from rulebound.settings import Settings
from storage.records import Json

NAME = "inspect"
LONGEST = 3600.0
"""Seconds for one try: a request's own deadline is shorter."""


class OverInspect:
    """An `Adapter` over a model of Inspect's. `stopped`: a limit of Inspect's that was reached, which ends the sample."""

    def __init__(self, model: Asked):
        self.model = model
        self.stopped: LimitExceededError | None = None

    async def chat(self, body: Json) -> Json:
        """A whole answer. Raises `Failure`, and `LimitExceededError` as it comes."""
        try:
            said = await self.model.generate(
                wire.messages(body), wire.tools(body), wire.choice(body), wire.config(body)
            )
        except LimitExceededError as error:
            self.stopped = error
            raise
        except Exception as error:  # what a provider of Inspect's raises is known to nobody
            raise Failure("unavailable", f"{type(error).__name__}: {' '.join(str(error).split())[:200]}") from None
        if said.error or not said.choices:
            raise Failure("invalid", said.error or "nothing was said")
        return wire.completion(said)

    async def stream(self, body: Json) -> AsyncGenerator[Json]:
        """The answer as one chunk: Inspect gives it whole."""
        answer = await self.chat(body)
        first = answer["choices"][0]
        yield {"choices": [{**first, "delta": first["message"]}], "usage": answer["usage"]}

    async def embed(self, texts: list[str]) -> Json:
        raise Failure("refused", "Inspect has no embeddings")

    async def close(self) -> None:
        """Inspect closes its models."""


def client(over: OverInspect) -> Client:
    """What asks a model of Inspect's as ours are asked: the same prompts, checks and repairs."""
    own = over.model.api.provider if isinstance(over.model.api, Ours) else Provider("", "")
    provider = Provider(
        NAME,
        str(over.model),
        prices=own.prices,
        concurrency=own.concurrency,
        timeout=LONGEST,
        schema=own.schema,
        grammar=own.grammar,
    )
    return Client(Configuration({NAME: provider}, (NAME,)), carry=lambda _: over)


class Ours(ModelAPI):
    """A model as Rulebound is told of it: one of `models.toml`, `RULEBOUND_MODEL`, an address, or a small model on this machine."""

    def __init__(
        self,
        model_name: str,
        base_url: str | None = None,
        api_key: str | None = None,
        config: GenerateConfig = GenerateConfig(),  # noqa: B008  # as Inspect makes it
        **arguments: Any,
    ):
        super().__init__(model_name, base_url, api_key, [], config)
        try:
            self.provider = provider(model_name, Settings.from_environment(), base_url or "", api_key or "")
        except (ConfigurationError, LocalError) as error:
            raise PrerequisiteError(f"{error} {error.hint}") from None
        self._adapter: Adapter = adapter(self.provider)

    async def generate(
        self, input: list[ChatMessage], tools: list[ToolInfo], tool_choice: ToolChoice, config: GenerateConfig
    ) -> ModelOutput | tuple[ModelOutput | Exception, ModelCall]:
        """One try; Inspect asks again where `should_retry` says so."""
        body = wire.body(self.provider.model, input, tools, tool_choice, config) | self.provider.extra
        answer = await self._adapter.chat(body)
        return wire.output(self.model_name, answer), ModelCall.create(body, answer)

    def should_retry(self, ex: BaseException) -> bool:
        return isinstance(ex, Failure) and ex.again

    def max_connections(self) -> int:
        return self.provider.concurrency

    def connection_key(self) -> str:
        return f"{self.provider.url}/{self.provider.model}"

    async def aclose(self) -> None:
        await self._adapter.close()


def provider(name: str, settings: Settings, url: str = "", key: str = "") -> Provider:
    """Who is asked by that name. Raises `ConfigurationError` and `agents.local.LocalError`."""
    if url:
        return Provider(name, name, url.rstrip("/"), key or settings.model_key)
    if settings.model:
        said = Configuration.one(
            url=settings.model_url, model=settings.model, key=settings.model_key, name=settings.model
        )
    elif settings.has_models:
        said = Configuration.load(settings.models_file, settings.variables.get)
    else:
        said = Configuration({}, ())
    if name in said.providers:
        return said.providers[name]
    if name in MODELS:
        return configured(Local(name, settings.home).acquire()).providers[LOCAL]
    raise ConfigurationError(f"there is no model {name!r}", f"There are {', '.join([*said.providers, *MODELS])}.")
