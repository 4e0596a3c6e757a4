"""Owns how a tool answers: data with its text, typed errors, the marks around what pages and players wrote, confirmation.

`result(text, answer)`, `with typed_errors():`, `data(text)`, `confirm(…)`. It must not know what tools do.
"""

from __future__ import annotations

import hashlib
import hmac
from contextlib import contextmanager
from typing import Any

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.resolve import Elicit
from mcp_types import CallToolResult, TextContent, ToolAnnotations
from pydantic import BaseModel, ConfigDict, Field

from agents.access import Refused
from agents.game import GameError
from agents.worlds import WorldError
from kb.report import text as problems_text
from storage import StoreError

READ = ToolAnnotations(read_only_hint=True, open_world_hint=False)
ADD = ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=False)
DESTROY = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False)


def _untitled(schema: dict[str, Any]) -> None:
    """Titles repeat the names; clients load every byte of a tool's schema into a model's context."""
    schema.pop("title", None)
    for each in schema.get("properties", {}).values():
        each.pop("title", None)


class Answer(BaseModel):
    """What a tool gives, as data."""

    model_config = ConfigDict(json_schema_extra=_untitled)


def result(text: str, structured: Answer) -> CallToolResult:
    """An answer as text for a model and as data for a program."""
    return CallToolResult(
        content=[TextContent(type="text", text=text)], structured_content=structured.model_dump(mode="json")
    )


def data(text: str) -> str:
    """Text of pages and players between marks that it cannot itself contain: they hold a digest of it."""
    mark = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"<world {mark}>\n{text}\n</world {mark}>"


@contextmanager
def typed_errors():
    """Our typed errors as errors of the tool: what is wrong and what to do."""
    try:
        yield
    except (GameError, Refused, StoreError, WorldError) as error:
        places = problems_text(getattr(error, "problems", ())[:5])
        what = f"{error}. {error.hint}"
        raise ToolError(f"{what}\n{data(places)}" if places else what) from None


class Sure(BaseModel):
    """The user's answer to a question that a tool asks before it does what cannot be taken back."""

    yes: bool = Field(description="Do it?")


def confirm(ctx: Context, question: str, given: str, secret: bytes) -> Elicit[Sure] | Sure:
    """Asks the user, for a parameter with `Resolve`: by the client's own dialogue where it has one.

    Any other client is told to ask, and to call again with a code that is good for this question alone (`given`).
    Raises `ToolError` then.
    """
    capabilities = ctx.client_capabilities
    if capabilities is not None and capabilities.elicitation is not None:
        return Elicit(question, Sure)
    code = hmac.new(secret, question.encode("utf-8", "surrogatepass"), "sha256").hexdigest()[:8]
    if hmac.compare_digest(given.encode(), code.encode()):
        return Sure(yes=True)
    raise ToolError(
        f"{question} Nothing is done yet. Ask the user; only if they say yes, call again with confirm={code}."
    )
