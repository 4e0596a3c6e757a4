"""Owns the Tasks extension (SEP-2663): a call that takes long is answered with a task, which the client asks about.

`Tasks(expiring, tools)`. Any worker answers for a task; the one that began it does it. A task belongs to its principal, and is
forgotten after an hour: what a tool has done is kept by its own service. It must not know what tools do.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Literal, cast

import orjson
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.extension import Extension, MethodBinding
from mcp.server.mcpserver import require_client_extension
from mcp.shared.exceptions import MCPError
from mcp.shared.inbound import MCP_NAME_HEADER
from mcp_types import (
    HEADER_MISMATCH,
    INTERNAL_ERROR,
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    InputRequiredResult,
    RequestParams,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from mcp_server import who
from storage.expiring import Expiring, ExpiringAway

Context = ServerRequestContext[Any, Any]
Call = Callable[[Context, CallToolRequestParams], Awaitable[CallToolResult | InputRequiredResult]]
Support = Literal["optional", "required"]
Record = dict[str, Any]

PATIENCE = 1.0
"""Seconds within which an answer is given at once."""
LIFE = 3600.0
"""Seconds that a task is known for after it last changed."""
POLL = 1_000
"""Milliseconds after which a client may ask again."""
BEAT = 5.0
"""Seconds after which a worker says again that it is still at it; after three times as long it is believed to be gone."""
MOST, MOST_EACH = 100, 8
"""Tasks that a worker does at a time, of all and of one principal; further calls are answered when they are done."""
TRIES = 20


class OfTask(RequestParams):
    task_id: str


class Answers(OfTask):
    input_responses: dict[str, Any]


class Tasks(Extension):
    """`tools`: which may become tasks; `required`: which are refused to clients without the extension. `call` calls a tool."""

    identifier = "io.modelcontextprotocol/tasks"

    def __init__(self, expiring: Callable[[], Expiring], tools: Mapping[str, Support], *, patience: float = PATIENCE):
        self._expiring, self._tools, self._patience = expiring, tools, patience
        self._running: dict[str, asyncio.Task[Any]] = {}
        self._of: Counter[str] = Counter()
        self.call: Call

    def methods(self) -> Sequence[MethodBinding]:
        modern = frozenset(MODERN_PROTOCOL_VERSIONS)
        return [
            MethodBinding("tasks/get", OfTask, self._get, modern),
            MethodBinding("tasks/update", Answers, self._update, modern),
            MethodBinding("tasks/cancel", OfTask, self._cancel, modern),
        ]

    async def intercept_tool_call(
        self, params: CallToolRequestParams, ctx: Context, call_next: CallNext
    ) -> HandlerResult:
        support = self._tools.get(params.name)
        if support is None or not (self._declared(ctx) or support == "required"):
            return await call_next(ctx)
        require_client_extension(ctx, self.identifier)
        principal = who.of(ctx.request).id
        if len(self._running) >= MOST or self._of[principal] >= MOST_EACH:
            return await call_next(ctx)
        running = asyncio.ensure_future(self.call(ctx, params))
        try:
            await asyncio.wait((running,), timeout=self._patience)
        except asyncio.CancelledError:
            running.cancel()
            raise
        record: Record = {
            "id": secrets.token_hex(16),
            "who": principal,
            "name": params.name,
            "arguments": params.arguments or {},
            "created": _now(),
        }
        if running.done() or not await self._new(record):
            return await running
        self._follow(record, running)
        return _told(record, {}) | {"resultType": "task"}

    def _declared(self, ctx: Context) -> bool:
        can = ctx.session.client_capabilities
        return (
            ctx.protocol_version in MODERN_PROTOCOL_VERSIONS
            and can is not None
            and self.identifier in (can.extensions or {})
        )

    # --- doing

    async def _new(self, record: Record) -> bool:
        """Whether the task is kept, so that any worker knows it."""
        with suppress(ExpiringAway):
            return await self._expiring().swap(_key(record["id"]), None, _working(record), LIFE)
        return False

    def _follow(self, record: Record, running: asyncio.Future[Any]) -> None:
        id = record["id"]
        self._of[record["who"]] += 1
        self._running[id] = following = asyncio.create_task(self._until_done(id, running))

        def done(_: object) -> None:
            del self._running[id]
            self._of[record["who"]] -= 1

        following.add_done_callback(done)

    async def _until_done(self, id: str, running: asyncio.Future[Any]) -> None:
        """Says that it is alive while a call runs, and keeps what came of it."""
        try:
            while not running.done():
                await asyncio.wait((running,), timeout=BEAT)
                with suppress(ExpiringAway):
                    beaten = await self._change(id, _beat)
                    if beaten is None or beaten["status"] == "cancelled":
                        return
            outcome = _outcome(running)
            with suppress(ExpiringAway):  # then it is told as lost, once its worker is believed to be gone
                await self._change(id, lambda kept: {**kept, **outcome} if kept["status"] == "working" else None)
        finally:
            running.cancel()

    async def _change(self, id: str, change: Callable[[Record], Record | None]) -> Record | None:
        """What a task is after a change (None: it stays as it is); None where there is no such task."""
        for _ in range(TRIES):
            old = await self._expiring().get(_key(id))
            if old is None:
                return None
            record = orjson.loads(old)
            new = change(record)
            if new is None:
                return record
            new["updated"] = _now()
            if await self._expiring().swap(_key(id), old, orjson.dumps(new), LIFE):
                return new
        raise ExpiringAway("too many change this task at once")

    # --- asking

    async def _get(self, ctx: Context, params: OfTask) -> HandlerResult:
        record = await self._own(ctx, params, _lost)
        asked = {key: each for key, each in record.get("asked", {}).items() if key not in record.get("answers", {})}
        more = {"result": record.get("result"), "error": record.get("error"), "inputRequests": asked or None}
        shown = {"completed": "result", "failed": "error", "input_required": "inputRequests"}.get(record["status"])
        return _told(record, {shown: more[shown]} if shown else {}) | {"resultType": "complete"}

    async def _update(self, ctx: Context, params: Answers) -> HandlerResult:
        """Whoever brings the last answer that was waited for goes on with the call."""
        resumed = False

        def answer(record: Record) -> Record | None:
            nonlocal resumed
            if record["status"] != "input_required":
                resumed = False
                return None
            known = {key: each for key, each in params.input_responses.items() if key in record["asked"]}
            answers = {**record.get("answers", {}), **known}
            resumed = answers.keys() == record["asked"].keys()
            status = "working" if resumed else "input_required"
            return {**record, "answers": answers, "status": status, "alive": time.time() + 3 * BEAT}

        record = await self._own(ctx, params, answer)
        if resumed:
            call = {"inputResponses": record["answers"], "requestState": record.get("state")}
            again = CallToolRequestParams.model_validate(
                {"name": record["name"], "arguments": record["arguments"], **call}, by_name=False
            )
            self._follow(record, asyncio.ensure_future(self.call(ctx, again)))
        return {"resultType": "complete"}

    async def _cancel(self, ctx: Context, params: OfTask) -> HandlerResult:
        over = ("completed", "failed", "cancelled")
        await self._own(ctx, params, lambda kept: None if kept["status"] in over else {**kept, "status": "cancelled"})
        if params.task_id in self._running:
            self._running[params.task_id].cancel()
        return {"resultType": "complete"}

    async def _own(self, ctx: Context, params: OfTask, change: Callable[[Record], Record | None]) -> Record:
        """A task of the principal's, changed. Raises `MCPError`."""
        require_client_extension(ctx, self.identifier)
        if ctx.request is not None and ctx.request.headers.get(MCP_NAME_HEADER) != params.task_id:
            raise MCPError(HEADER_MISMATCH, "The Mcp-Name header is not the task's id")
        principal = who.of(ctx.request).id
        try:
            record = await self._change(params.task_id, lambda kept: change(kept) if kept["who"] == principal else None)
        except ExpiringAway:
            raise MCPError(INTERNAL_ERROR, "Tasks cannot be asked about at present. Try again in a moment.") from None
        if record is None or record["who"] != principal:
            raise MCPError(INVALID_PARAMS, "There is no such task, or it is forgotten", data={"taskId": params.task_id})
        return record


def _outcome(running: asyncio.Future[Any]) -> Record:
    """What came of a call, as a part of a record."""
    try:
        result = running.result()
    except MCPError as error:
        return {"status": "failed", "error": error.error.model_dump(mode="json", by_alias=True, exclude_none=True)}
    except Exception:
        return {"status": "failed", "error": {"code": INTERNAL_ERROR, "message": "Internal error"}}
    made = cast("Record", result.model_dump(mode="json", by_alias=True, exclude_none=True))
    if isinstance(result, InputRequiredResult):
        return {
            "status": "input_required",
            "asked": made["inputRequests"],
            "answers": {},
            "state": result.request_state,
        }
    return {"status": "completed", "result": made}


def _told(record: Record, more: Record) -> dict[str, Any]:
    """A task as clients see it."""
    return {
        "taskId": record["id"],
        "status": record.get("status", "working"),
        "createdAt": record["created"],
        "lastUpdatedAt": record.get("updated", record["created"]),
        "ttlMs": int(LIFE * 1000),
        "pollIntervalMs": POLL,
        **more,
    }


def _working(record: Record) -> bytes:
    return orjson.dumps({**record, "status": "working", "updated": record["created"], "alive": time.time() + 3 * BEAT})


def _beat(record: Record) -> Record | None:
    return {**record, "alive": time.time() + 3 * BEAT} if record["status"] == "working" else None


def _lost(record: Record) -> Record | None:
    """A task whose worker is gone has failed; what it had done is done."""
    if record["status"] != "working" or time.time() < record["alive"]:
        return None
    message = "The process that did this has ended. Look whether it was done, and call again if not."
    return {**record, "status": "failed", "error": {"code": INTERNAL_ERROR, "message": message}}


def _key(id: str) -> str:
    return f"task:{id}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
