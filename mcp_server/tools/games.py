"""Owns the game tools: start, act, observe, why. It must not know how turns are resolved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import CallToolResult
from pydantic import Field

from agents.game import Reply
from mcp_server.answers import ADD, READ, Answer, data, result, typed_errors
from mcp_server.tools.served import Name, Served
from mcp_server.who import who
from router import route
from rulebound.app import App

Handle = Annotated[str, Field(description="The game's handle, from start.", max_length=64)]


class Started(Answer):
    handle: str
    text: str
    turn: int


class Change(Answer):
    what: str
    field: str
    before: Any
    after: Any


class Acted(Answer):
    text: str
    status: Literal["done", "refused", "question", "not-understood", "waiting"]
    changes: list[Change]
    """Those that the player could see."""
    score: int
    ended: str | None
    turn: int
    state_hash: str
    notes: list[str]
    route: Literal["action", "knowledge", "help"]
    citations: list[str]


class Turn(Answer):
    turn: int
    said: str
    text: str


class Observed(Answer):
    turn: int
    perceived: dict[str, Any]
    legal: list[str]
    since: list[Turn]
    notes: list[str]


class Line(Answer):
    kind: str
    at: str
    text: str
    value: bool | None


class Decided(Answer):
    status: str
    rule: str | None
    reason: str | None
    lines: list[Line]


class Why(Answer):
    turn: int
    said: str
    commit: str
    actions: list[Decided]


def add(mcp: MCPServer[Any], app: App, served: Served) -> None:
    """Adds the game tools to a server."""
    default = served.default

    @mcp.tool(title="Start a game", annotations=ADD)
    async def start(
        ctx: Context,
        world: Name = default,
        player: Annotated[str, Field(description="The player's name.", min_length=1, max_length=80)] = "you",
        seed: Annotated[int | None, Field(description="The seed of chance: the same seed, the same game.")] = None,
    ) -> Annotated[CallToolResult, Started]:
        """Start a new game. Keep the handle: act, observe and why need it."""
        with typed_errors():
            handle, text = await app.games.start(served(world), who(ctx).id, name=player, seed=seed)
        return result(f"handle: {handle}\n{data(text)}", Started(handle=handle, text=text, turn=0))

    @mcp.tool(title="Act in a game", annotations=ADD)
    async def act(
        ctx: Context,
        handle: Handle,
        text: Annotated[
            str, Field(description="A command in plain words: take the lamp and go north.", max_length=4_000)
        ] = "",
        action: Annotated[str, Field(description="Instead of text: a rule's id, with arguments.", max_length=200)] = "",
        arguments: Annotated[
            dict[str, Any] | None, Field(description="The action's arguments by name; things by their names.")
        ] = None,
        idempotency_key: Annotated[
            str, Field(description="The same key again gives the same turn again, not a second one.", max_length=100)
        ] = "",
    ) -> Annotated[CallToolResult, Acted]:
        """Do something in the game. Only the rules decide what happens; a question back is answered by the next act."""
        if bool(text.strip()) == bool(action):
            raise ToolError("Give either text, or action with arguments.")
        with typed_errors():
            before = await app.games.game(handle, who(ctx).id)
            reply = await app.games.act(
                handle, who(ctx).id, text, action=action, arguments=arguments, key=idempotency_key
            )
        decision = route(text, before) if reply.status == "not-understood" and text else None
        cited = [hit.citation for hit in decision.citations] if decision else []
        acted = Acted(
            text=reply.text,
            status=reply.status,
            changes=[Change(**change) for change in reply.changes if change["seen"]],
            score=reply.score,
            ended=reply.ended,
            turn=reply.turn,
            state_hash=reply.state_hash,
            notes=list(reply.notes),
            route=decision.route if decision else "action",
            citations=cited,
        )
        return result(_told_reply(reply, cited), acted)

    @mcp.tool(title="Look at a game", annotations=READ)
    async def observe(
        ctx: Context,
        handle: Handle,
        since: Annotated[int, Field(description="Tell the turns after this one.", ge=0)] = 0,
    ) -> Annotated[CallToolResult, Observed]:
        """What the player perceives now, commands that would be allowed (`<…>`: a value to give), and the turns since one."""
        with typed_errors():
            seen = Observed(**await app.games.observe(handle, who(ctx).id, since))
        told = [f"{name}: {_plain(value)}" for name, value in seen.perceived.items() if value not in (None, "", [], {})]
        turns = [f"> {turn.said}\n{turn.text}" for turn in seen.since]
        text = data("\n".join([*seen.notes, *told, f"allowed: {'; '.join(seen.legal)}", *turns]))
        return result(f"turn {seen.turn}\n{text}", seen)

    @mcp.tool(title="Explain a turn", annotations=READ)
    async def why(
        ctx: Context,
        handle: Handle,
        turn: Annotated[int | None, Field(description="Which turn; default: the last.", ge=1)] = None,
    ) -> Annotated[CallToolResult, Why]:
        """The rule and the lines (path:line@commit) that decided a turn, with each condition's value."""
        with typed_errors():
            decided = Why(**await app.games.why(handle, who(ctx).id, turn))
        lines = [f"turn {decided.turn}: {decided.said}"]
        for each in decided.actions:
            lines.append(" ".join(part for part in (each.status, each.rule, each.reason) if part))
            lines += [f"  {_value(line.value)}{line.kind} {line.text} ({line.at})" for line in each.lines]
        return result(data("\n".join(lines)), decided)


def _told_reply(reply: Reply, cited: Sequence[str]) -> str:
    ended = " The game is over." if reply.ended else ""
    lines = [
        data("\n".join([*reply.notes, reply.text])),
        f"{reply.status}; turn {reply.turn}, score {reply.score}.{ended}",
    ]
    return "\n".join([*lines, *(f"See {citation}" for citation in cited)])


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{key} {each}" for key, each in value.items())  # pyright: ignore[reportUnknownVariableType]
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)  # pyright: ignore


def _value(value: bool | None) -> str:
    return "" if value is None else "yes " if value else "NO "
