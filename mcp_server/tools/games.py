"""Owns the tools of a game: start, act, observe, why. It must not know how turns are resolved."""
# Without `from __future__ import annotations`: the SDK reads annotations, and one of them names a function in `add`.

from typing import Annotated, Any, Literal

from mcp.server import MCPServer
from mcp.server.elicitation import ElicitationResult
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.resolve import Elicit, Resolve
from mcp_types import CallToolResult
from pydantic import Field

from agents.access import Principal
from agents.game import GameError, Reply
from agents.record import spent
from mcp_server.answers import ADD, READ, Answer, Sure, agreed, clip, data, few, result, short, typed_errors
from mcp_server.answers import confirm as ask_user
from mcp_server.catalog import Catalog
from mcp_server.who import who
from router import route
from rulebound.app import App

Handle = Annotated[str, Field(description="From start.", max_length=64)]
Given = dict[str, Any]

LONGEST = 8_000
"""Characters of one text."""
TURNS = 6_000
"""Characters of former turns in one answer."""
MOST = 50
"""Changes or lines in one answer."""
COMMANDS = ("undo", "save", "restore", "leave", "reset")
"""Actions of every world, which are no rules; `save` and `restore` take a `name`, `reset` a `scope`."""


class Started(Answer):
    handle: str
    text: str
    turn: int


class Acted(Answer):
    text: str
    status: Literal["done", "refused", "question", "not-understood", "waiting"]
    changes: list[Given]
    """Those that the player could see."""
    score: int
    ended: str | None
    turn: int
    state_hash: str
    notes: list[str]
    route: str
    citations: list[str]


class Observed(Answer):
    turn: int
    perceived: Given
    legal: list[str]
    since: list[Given]
    next: int | None
    notes: list[str]


class Why(Answer):
    turn: int
    said: str
    commit: str
    actions: list[Given]


def add(mcp: MCPServer[Any], app: App, catalog: Catalog) -> None:
    """Adds the tools to a server."""

    @mcp.tool(annotations=ADD)
    async def start(
        ctx: Context,
        world: Annotated[str, Field(description="From experiences; default: the first.", max_length=200)] = "",
        player: Annotated[str, Field(description="The player's name.", min_length=1, max_length=80)] = "you",
        branch: Annotated[str, Field(description="A draft of the world.", max_length=120)] = "",
        seed: Annotated[int | None, Field(description="The same seed, the same game.")] = None,
        resume: Annotated[bool, Field(description="Go on with the last game there.")] = False,
    ) -> Annotated[CallToolResult, Started]:
        """Start a game and get its handle, which the other tools need."""
        with typed_errors():
            player_of = _player(ctx)
            where = await catalog.where(player_of, world, branch)
            handle = await app.games.resume(where, player_of.id, player) if resume else None
            if handle is None:
                handle, text = await app.games.start(where, player_of.id, name=player, seed=seed)
                turn = (await app.games.game(handle, player_of.id)).record.version
            else:
                seen = await app.games.observe(handle, player_of.id)
                turn, text = seen["turn"], scene(seen)
        text = clip(text, LONGEST, "observe")
        game = f"game {handle}"
        return result(f"handle: {handle}\n{data(text, game)}", Started(handle=handle, text=text, turn=turn), game)

    async def sure(
        ctx: Context, handle: str, action: str, arguments: Given | None, confirm: str
    ) -> Elicit[Sure] | Sure:
        """Asks before a game begins anew. What may not be done, or is not there, is not asked about."""
        if action != "reset":
            return Sure(yes=True)
        with typed_errors():
            await catalog.play(who(ctx), handle)
            game = await app.games.game(handle, who(ctx).id)
            about = game.record.id  # a world of many goes on while its director is asked
            name = game.world.rulebook.settings.name
            if (arguments or {}).get("scope") == "world":
                who(ctx).need("game:direct")
                question = f"Begin the shared world {name!r} anew for everyone who plays in it?"
            else:
                about += f" {game.record.version} {game.record.hash}"
                question = (
                    f"Begin {name!r} anew, from turn {game.record.version}? A backup is kept of a world of one's own."
                )
        return ask_user(ctx, question, confirm, app.secret, about)

    @mcp.tool(annotations=ADD)
    async def act(
        ctx: Context,
        handle: Handle,
        sure: Annotated[ElicitationResult[Sure], Resolve(sure)],
        text: Annotated[str, Field(description="A command in plain words.", max_length=4_000)] = "",
        action: Annotated[
            str,
            Field(
                description="Instead of text: a rule's id; or undo, save, restore (name), leave, reset (scope: world).",
                max_length=200,
            ),
        ] = "",
        arguments: Annotated[Given | None, Field(description="Of the action; things by their names.")] = None,
        idempotency_key: Annotated[str, Field(description="The same key is not done twice.", max_length=100)] = "",
        confirm: Annotated[str, Field(max_length=16)] = "",
    ) -> Annotated[CallToolResult, Acted]:
        """Do something. Only the rules decide what happens; a question back is answered by the next act."""
        if bool(text.strip()) == bool(action):
            raise ToolError("Give either text, or action with arguments.")
        agreed(sure)
        with typed_errors():
            player = who(ctx)
            await catalog.play(player, handle)
            if action in COMMANDS:
                reply = await _command(app, player, handle, action, arguments or {}, idempotency_key)
                return _told(reply, handle, "action", [])
            reply = await app.games.act(
                handle, player.id, text, action=action, arguments=arguments, key=idempotency_key
            )
            # What is not understood has changed nothing, so that the game as it is now tells what it was meant for.
            lost = reply.status == "not-understood" and text
            decision = route(text, await app.games.game(handle, player.id)) if lost else None
        cited = [hit.citation for hit in decision.citations] if decision else []
        return _told(reply, handle, decision.route if decision else "action", cited)

    @mcp.tool(annotations=READ)
    async def observe(
        ctx: Context,
        handle: Handle,
        since: Annotated[
            int | None, Field(description="Also tell the turns after this; go on with next.", ge=0)
        ] = None,
    ) -> Annotated[CallToolResult, Observed]:
        """What the player perceives, commands that would be allowed (<…>: a value to give), and former turns."""
        with typed_errors():
            await catalog.play(who(ctx), handle)
            seen = await app.games.observe(handle, who(ctx).id, since)
        turns, next = _fitting(seen["since"], seen["next"])
        observed = Observed(
            turn=seen["turn"],
            perceived=short(seen["perceived"], LONGEST),
            legal=few(seen["legal"], MOST + 10),
            since=turns,
            next=next,
            notes=few(seen["notes"], 10),
        )
        told = [f"> {turn['said']}\n{turn['text']}" for turn in turns]
        more = f"\nMore turns: since={next}." if next is not None else ""
        shown = scene({**seen, **observed.model_dump()})
        game = f"game {handle}"
        return result(f"turn {observed.turn}\n{data(chr(10).join([shown, *told]), game)}{more}", observed, game)

    @mcp.tool(annotations=READ)
    async def why(
        ctx: Context,
        handle: Handle,
        turn: Annotated[int | None, Field(description="Default: the last.", ge=1)] = None,
    ) -> Annotated[CallToolResult, Why]:
        """The rule and the lines (path:line@commit) that decided a turn, with each condition's value."""
        with typed_errors():
            await catalog.play(who(ctx), handle)
            found = await app.games.why(handle, who(ctx).id, turn)
        decided = Why(
            turn=found["turn"],
            said=clip(found["said"], 1_000, ""),
            commit=found["commit"],
            actions=short(found["actions"], 1_000),
        )
        game = f"game {handle}"
        return result(data("\n".join(explained(found)), game), decided, game)


def _player(ctx: Context) -> Principal:
    player = who(ctx)
    player.need("game:play")
    return player


async def _command(app: App, player: Principal, handle: str, action: str, given: Given, key: str) -> Reply:
    """A command that is no rule, on a game of the player's."""
    games, id = app.games, player.id
    if action == "undo":
        return await games.undo(handle, id, key=key)
    if action == "restore":
        return await games.restore(handle, id, _named(given), key=key)
    if action == "leave":
        await games.leave(handle, id)
        return Reply("You have left. What is the world's stays there.", (), 0, None, 0, "", "done")
    if action == "save":
        await games.save(handle, id, _named(given))
        text = f"Saved: {_named(given)}."
    elif given.get("scope") != "world":
        return await games.reset(handle, id, key=key)
    else:
        player.need("game:direct")
        game = await games.game(handle, id)
        backup = await games.reset_world(game.world.where, game.seat.player, "gm")
        text = f"The world begins anew for everyone. As it was before, it is kept as {backup}."
    game = await games.game(handle, id)
    row = game.state.rows[game.player]
    return Reply(text, (), row["score"], row["ended"] or None, game.record.version, game.record.hash, "done")


def _named(given: Given) -> str:
    name = given.get("name")
    if not isinstance(name, str) or not name.strip():
        raise GameError("A save has a name", 'Give arguments={"name": …}.')
    return name[:80]


def _told(reply: Reply, handle: str, by: str, cited: list[str]) -> CallToolResult:
    changes = [change for change in reply.changes if change["seen"]]
    notes = [clip(note, 500, "") for note in few(reply.notes, 10)]
    left = len(changes) - MOST
    acted = Acted(
        text=clip(reply.text, LONGEST, f"game://{handle}/transcript"),
        status=reply.status,
        changes=[
            {name: short(change[name], 200) for name in ("what", "field", "before", "after")}
            for change in changes[:MOST]
        ],
        score=reply.score,
        ended=reply.ended,
        turn=reply.turn,
        state_hash=reply.state_hash,
        notes=[*notes, *([f"… and {left} more changes"] if left > 0 else [])],
        route=by,
        citations=cited,
    )
    ended = " The game is over." if reply.ended else ""
    game = f"game {handle}"
    told = data("\n".join([*acted.notes, acted.text, *(f"See {citation}" for citation in cited)]), game)
    return result(f"{told}\n{reply.status}; turn {reply.turn}, score {reply.score}.{ended}", acted, game)


def _fitting(turns: list[Given], next: int | None) -> tuple[list[Given], int | None]:
    """The oldest turns that fit into an answer, and what to ask for the others with."""
    left, found = TURNS, list[Given]()
    for turn in turns:
        cut = {**turn, "said": clip(turn["said"], 500, ""), "text": clip(turn["text"], TURNS // 2, "")}
        left -= len(cut["said"]) + len(cut["text"])
        if found and left < 0:
            return found, found[-1]["turn"]
        found.append(cut)
    return found, next


def scene(seen: Given) -> str:
    """What is perceived, and what may be done, line by line."""
    perceived = short(seen["perceived"], LONGEST)
    told = [f"{name}: {_plain(value)}" for name, value in perceived.items() if value not in (None, "", [], {})]
    return "\n".join([*seen["notes"], *told, f"allowed: {'; '.join(seen['legal'])}"])


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{key} {each}" for key, each in value.items())  # pyright: ignore[reportUnknownVariableType]
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)  # pyright: ignore


def explained(why: Given) -> list[str]:
    """What decided a turn, line by line; at most so many lines of an action."""
    told = [f"turn {why['turn']}: {clip(why['said'], 1_000, '')}"]
    for each in why["actions"]:
        told.append(" ".join(part for part in (each["status"], each["rule"], each["reason"]) if part))
        lines = [f"  {_value(line['value'])}{line['kind']} {line['text']} ({line['at']})" for line in each["lines"]]
        told += [clip(line, 1_000, "") for line in few(lines, MOST)]
    told += [f"model: {each}" for each in spent(why["models"])]
    return told + [f"read: {clip(each, 1_000, '')}" for each in why["cited"]]


def _value(value: bool | None) -> str:
    return "" if value is None else "yes " if value else "NO "
