"""Owns what members of a team can do: each tool as one function over the services that everyone uses, as the asker.

`await use(desk, member, name, arguments, key)` gives what the model is told and what goes into the trace; what is refused is told,
not raised. It must not know graphs.
"""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from agents.access import Principal, Refused, Scope
from agents.game import Game, GameService
from agents.knowledge import KnowledgeError, KnowledgeService, NotThere
from agents.models import Tool
from agents.turns import GameError
from kb import report
from kb.diagnostics import Diagnostic, Severity
from kb.pages.names import WriteError
from kb.pages.source import SourceError
from kb.teams import Member, Team
from storage import StoreAway, StoreError
from storage.records import Json

TEXT = 4_000
"""Characters of what a tool tells a model."""
PAGE = 60_000
"""Characters of a page that a member proposes."""
EXPECTED = (Refused, KnowledgeError, WriteError, SourceError, GameError, StoreError)
"""Each says in words what was not done, and why."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What one run works with: for whom, where, and which page it began with."""

    asker: Principal
    run: str
    team: Team
    world: str
    handle: str
    games: GameService
    knowledge: KnowledgeService
    begun: float
    """By the monotonic clock, in this process."""
    worked: float
    """Seconds that it had worked before."""

    @property
    def branch(self) -> str:
        """The draft that this run writes to; members cannot name another."""
        return f"team-{self.run}"

    @property
    def spent(self) -> float:
        """Seconds that it has worked by now."""
        return self.worked + time.monotonic() - self.begun

    async def game(self) -> Game:
        return await self.games.game(self.handle, self.asker.id)


def _tool(name: str, description: str, **arguments: str) -> Tool:
    properties = {key: {"type": "string", "description": told} for key, told in arguments.items()}
    required = list(arguments)
    parameters = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    return Tool(name, description, parameters)


TOOLS: Mapping[str, tuple[Tool, Scope, bool]] = {
    "search": (_tool("search", "Find sections of the world's pages.", query="words to look for"), "kb:read", False),
    "read": (_tool("read", "Read a page of the world.", page="its path or id"), "kb:read", False),
    "look": (_tool("look", "See what the player sees, and which commands are allowed."), "game:play", True),
    "act": (_tool("act", "Do something in the game as the player. The rules decide.", command="a command"), "game:play", True),
    "propose": (
        _tool("propose", "Write a page to the draft: the whole text.", path="like rooms/cellar.md", text="markdown"),
        "kb:write",
        False,
    ),
    "check": (_tool("check", "The problems that the draft brings."), "kb:write", False),
    "ask": (_tool("ask", "Ask the human, and wait for the answer.", question="one question"), "kb:read", False),
}  # fmt: skip
"""Each with the scope that it takes, and whether it takes a game."""


def offered(desk: Desk, member: Member) -> tuple[Tool, ...]:
    """The tools that a member is shown: those of its page that the asker may use here."""
    return tuple(TOOLS[name][0] for name in member.tools if not _why_not(desk, name))


def _why_not(desk: Desk, name: str) -> str:
    _, scope, game = TOOLS[name]
    if not desk.asker.may(scope):
        return f"This needs the scope {scope!r}, which {desk.asker.id} does not have"
    return "There is no game to do it in" if game and not desk.handle else ""


def refused(desk: Desk, member: Member, name: str, arguments: Json) -> str:
    """Why a member may not do this; empty where it may."""
    if name not in member.tools:
        return f"You have no tool {name[:40]!r}. You have {', '.join(member.tools) or 'none'}"
    if why := _why_not(desk, name):
        return why
    wanted: dict[str, Any] = TOOLS[name][0].parameters["properties"]
    if wrong := sorted(set(arguments) ^ set(wanted)):
        return f"{name} takes {', '.join(wanted) or 'no arguments'}, not {', '.join(wrong)[:80]}"
    if not all(isinstance(value, str) and len(value) <= PAGE for value in arguments.values()):
        return f"{name} takes texts of at most {PAGE} characters"
    return ""


async def use(desk: Desk, name: str, arguments: Json, key: str) -> Json:
    """Does it: `outcome` (`done`, `refused`, `failed`), `text` for the model, and what the tool tells besides. `key` names
    this use of it: the same once more changes nothing."""
    try:
        told = await _DO[name](desk, arguments, key)
    except StoreAway:
        raise  # whether it was done is not known; the same key tells when the run goes on
    except EXPECTED as error:
        hint = getattr(error, "hint", "")
        problems = report.text(getattr(error, "problems", ())[:10])
        outcome = "refused" if isinstance(error, Refused) else "failed"
        return {"outcome": outcome, "text": f"Not done: {error}. {hint}\n{problems}".strip()[:TEXT]}
    return {"outcome": "done", **told, "text": told["text"][:TEXT]}


# --- The tools ------------------------------------------------------------------------------------


async def _search(desk: Desk, arguments: Json, _: str) -> Json:
    found = await desk.knowledge.search(desk.asker, desk.world, arguments["query"][:400], limit=6)
    # A world's tests give its solution away.
    hits = [hit for hit in found.hits if hit.kind != "scenario"]
    seen = [{"path": h.path, "heading": h.heading, "line": h.line, "commit": h.commit[:12]} for h in hits]
    return {"text": "\n".join(f"{hit.citation}: {hit.snippet}" for hit in hits) or "Nothing fits.", "seen": seen}


async def _read(desk: Desk, arguments: Json, _: str) -> Json:
    """The page as the draft has it, where the draft has it."""
    try:
        page = await desk.knowledge.read(desk.asker, desk.world, arguments["page"], branch=desk.branch, characters=TEXT)
    except NotThere:
        page = await desk.knowledge.read(desk.asker, desk.world, arguments["page"], characters=TEXT)
    seen = {"path": page.path, "heading": page.heading, "line": page.first, "commit": page.commit[:12]}
    return {"text": f"{page.path}, from line {page.first}:\n{page.text}", "seen": [seen]}


async def _look(desk: Desk, _: Json, __: str) -> Json:
    desk.asker.need("game:play")
    found = await desk.games.observe(desk.handle, desk.asker.id)
    return {"text": json.dumps({"perceived": found["perceived"], "allowed": found["legal"]}, ensure_ascii=False)}


async def _act(desk: Desk, arguments: Json, key: str) -> Json:
    desk.asker.need("game:play")
    reply = await desk.games.act(desk.handle, desk.asker.id, arguments["command"], key=key)
    return {"text": f"{reply.status}: {reply.text}", "turn": reply.turn, "status": reply.status}


async def _propose(desk: Desk, arguments: Json, key: str) -> Json:
    """One commit on the run's draft. Its message carries the key, by which it is found when it is asked for once more."""
    path, text = arguments["path"], arguments["text"]
    if not await _committed(desk, key):
        message = f"{desk.team.name}: {path}\n\nKey: {key}"
        base = await _etag(desk, path)
        if base:
            await desk.knowledge.patch(
                desk.asker, desk.world, path, base, text=text, branch=desk.branch, message=message
            )
        else:
            await desk.knowledge.write(desk.asker, desk.world, path, text, branch=desk.branch, message=message)
    told = await _check(desk, arguments, key)
    return {**told, "text": f"{path} is on the draft. {told['text']}"}


async def _committed(desk: Desk, key: str) -> bool:
    try:
        past = await desk.knowledge.history(desk.asker, desk.world, branch=desk.branch, limit=100)
    except NotThere:
        return False
    return any(each.message.endswith(f"Key: {key}") for each in past.revisions)


async def _etag(desk: Desk, path: str) -> str:
    """The etag of the page with exactly this path, on the draft, or on the live branch before there is a draft."""
    for branch in (desk.branch, ""):
        try:
            page = await desk.knowledge.read(desk.asker, desk.world, path, branch=branch, characters=1)
        except NotThere:
            continue
        return page.etag if page.path == path else ""
    return ""


async def _check(desk: Desk, _: Json, __: str) -> Json:
    try:
        draft = await desk.knowledge.analyse(desk.asker, desk.world, branch=desk.branch)
    except NotThere:
        return {"text": "Nothing was proposed yet.", "errors": None}
    live = await desk.knowledge.analyse(desk.asker, desk.world)
    former = {_told(each) for each in live.problems}
    brought = [each for each in draft.problems if _told(each) not in former]
    errors = [each for each in brought if each.severity is Severity.ERROR]
    text = report.text(brought[:20]) or "Nothing is wrong with it."
    return {"text": text, "errors": len(errors), "branch": draft.branch, "commit": draft.commit}


def _told(each: Diagnostic) -> tuple[str, str, str]:
    """A problem wherever its line has moved to."""
    return each.code, each.message, each.span.path


_DO: Mapping[str, Callable[[Desk, Json, str], Awaitable[Json]]] = {
    "search": _search,
    "read": _read,
    "look": _look,
    "act": _act,
    "propose": _propose,
    "check": _check,
}
