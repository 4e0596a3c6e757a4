"""Owns one step of a member: what it is asked, the tools that it uses meanwhile, what it says in the end, within its share.

`await work(desk, model, member, turn, ask=…, use=…, pause=…)` gives the step's record. `ask` and `use` are done once for each
place in the run, whatever is run again; `pause` waits for a human. It must not know graphs.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from agents.models import MARKED, Marked, Message, Model, ModelError, Request, Tool, ToolCall, Usage
from agents.teams.results import Progress
from agents.teams.tools import Desk, offered, refused
from kb.teams import Choose, Member
from storage.records import Json

CALLS = 8
"""Model calls in one step."""
TOKENS = 1_500
EARLIER, LONGEST = 12, 2_000
"""How many earlier steps a member is told of, and how many characters of each."""
WAIT = 60.0
"""Seconds for one call, where the deadline leaves so much."""

Ask = Callable[[Request], Awaitable[Json]]
Use = Callable[[str, Json, str], Awaitable[Json]]
Pause = Callable[[Json], Any]
Tell = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Share:
    """What is left for a step; several at the same time share what is left for all."""

    calls: int
    cost: float


@dataclass(slots=True)
class Turn:
    """One step: which part of the work, which round of it, about whom, what was done before, what it may spend."""

    task: str
    part: int
    round: int
    number: int
    """Which of those that work at the same time."""
    about: Json
    log: Sequence[Json]
    share: Share
    choose: Choose | None = None
    did: list[Json] = field(default_factory=list[Json])
    calls: int = 0
    cost: float = 0.0
    note: str = ""
    """Why it ended early: `calls`, `cost`, `deadline`, or `model: …`."""

    def record(self, member: Member, text: str, answer: str = "") -> Json:
        """What the run remembers of the step."""
        return {
            "part": self.part,
            "round": self.round,
            "member": member.id,
            "about": self.about.get("name", ""),
            "text": text,
            "answer": answer,
            "did": self.did,
            "calls": self.calls,
            "cost": self.cost,
            "note": self.note,
        }


async def asked(model: Model, request: Request) -> Json:
    """A model's answer as data; where there is none, `error` and what was spent."""
    try:
        answer = await model.chat(request)
    except ModelError as error:
        return {"error": f"{error.kind}: {error}", **_spent(error.usage)}
    calls, dropped = (
        [{"id": each.id, "name": each.name, "arguments": each.arguments} for each in some]
        for some in (answer.calls, answer.dropped)
    )
    told = {"text": answer.text, "calls": calls, "dropped": dropped, "data": answer.data, "label": answer.label}
    return {**told, **_spent([answer.usage])}


def _spent(usage: Sequence[Usage]) -> Json:
    return {"asked": sum(each.calls for each in usage), "cost": sum(each.cost for each in usage)}


class Step:
    """One member at work."""

    def __init__(self, desk: Desk, member: Member, turn: Turn, ask: Ask, use: Use, pause: Pause, tell: Tell):
        self._desk, self._member, self._turn = desk, member, turn
        self._ask, self._use, self._pause, self._tell = ask, use, pause, tell
        self._name = member.name if not turn.about else f"{member.name} ({turn.about['name']})"

    async def work(self) -> Json:
        """The step's record."""
        self._say("begins")
        if self._turn.choose is not None:
            return await self._choose(self._turn.choose)
        tools = offered(self._desk, self._member)
        messages = self._messages()
        text = await self._talk(messages, tools)
        answer = ""
        if self._member.answers and not self._turn.note:
            text, answer = await self._decide([*messages, Message("assistant", text)] if text else messages)
        return self._turn.record(self._member, text, answer)

    async def _talk(self, messages: list[Message], tools: Sequence[Tool]) -> str:
        """The member's words, after the tools that it wanted; nothing where it only gives an answer of its page."""
        if self._member.answers and not tools:
            return ""
        said = ""
        for number in range(CALLS):
            given = await self._model(messages, tools=tuple(tools))
            if given is None:
                break
            said = given["text"] or said
            for each in given["dropped"]:
                self._did(each["name"], each["arguments"], {"outcome": "refused", "text": "Not done: not offered."})
            calls = [ToolCall(each["id"], each["name"], each["arguments"]) for each in given["calls"]]
            if not calls or number == CALLS - 1:
                break
            messages.append(Message("assistant", given["text"], tuple(calls)))
            for call in calls:
                told = await self._tool(call)
                source = f"{call.name}, {told['outcome']}"
                messages.append(Message("tool", str(Marked(told["text"], source)), call_id=call.id))
        return said

    async def _tool(self, call: ToolCall) -> Json:
        """Uses a tool, where the member may, and the human wants it where the page asks for that."""
        place, arguments = len(self._turn.did) + 1, call.arguments
        why = refused(self._desk, self._member, call.name, arguments)
        if why:
            told: Json = {"outcome": "refused", "text": f"Not done: {why}."}
        elif call.name == "ask":
            answered = self._pause({"kind": "ask", "member": self._member.id, "question": arguments["question"]})
            told = {"outcome": "done", "text": answered["answer"] or "The human gave no answer."}
        elif call.name in self._desk.team.ask and not self._approved(call):
            told = {"outcome": "refused", "text": "Not done: the human said no."}
        else:
            told = await self._use(call.name, arguments, f"{self._key}.{place}")
        self._did(call.name, arguments, told)
        return told

    def _did(self, name: str, arguments: Json, told: Json) -> None:
        shown = {key: str(value)[:LONGEST] for key, value in arguments.items()}
        self._turn.did.append({"tool": name[:80], "arguments": shown, **told})
        self._say(name if told["outcome"] == "done" else told["outcome"], told["text"][:200])

    def _approved(self, call: ToolCall) -> bool:
        wanted = {"kind": "approve", "member": self._member.id, "tool": call.name, "arguments": call.arguments}
        return self._pause(wanted)["approve"] is True

    async def _decide(self, messages: list[Message]) -> tuple[str, str]:
        """One of the answers that the page lists, with the reason."""
        word = {"type": "string", "enum": list(self._member.answers)}
        properties = {"answer": word, "why": {"type": "string"}}
        schema = {
            "type": "object",
            "properties": properties,
            "required": ["answer", "why"],
            "additionalProperties": False,
        }
        given = await self._model(messages, schema=schema)
        return (given["data"]["why"], given["data"]["answer"]) if given else ("", "")

    async def _choose(self, choose: Choose) -> Json:
        """Who works next, or that all is done."""
        given = await self._model(self._messages(), labels=(*choose.among, "done"))
        answer = given["label"] if given else ""
        return self._turn.record(self._member, "", answer)

    async def _model(self, messages: Sequence[Message], **options: Any) -> Json | None:
        """An answer; None where no more may be spent or none came, which the turn's note tells."""
        turn, desk = self._turn, self._desk
        left = desk.team.deadline - desk.spent
        if left <= 0:
            turn.note = "deadline"
        elif turn.calls >= turn.share.calls:
            turn.note = "calls"
        elif turn.cost >= turn.share.cost:
            turn.note = "cost"
        if turn.note:
            return None
        self._say("calls")
        given = await self._ask(
            Request(
                tuple(messages),
                "team",
                max_tokens=TOKENS,
                deadline=min(WAIT, left),
                priority="agent",
                principal=desk.asker.id,
                **options,
            )  # fmt: skip
        )
        turn.calls += given["asked"]
        turn.cost += given["cost"]
        if "error" in given:
            turn.note = f"model: {given['error']}"
            return None
        return given

    @property
    def _key(self) -> str:
        """Names this step: no other step of any run has the same."""
        turn = self._turn
        return f"{self._desk.run}/{turn.part}.{turn.round}.{turn.number}"

    def _say(self, did: str, detail: str = "") -> None:
        self._tell(Progress(self._name, f"{self._turn.part + 1}.{self._turn.round}", did, detail))

    def _messages(self) -> list[Message]:
        team, member, turn = self._desk.team, self._member, self._turn
        system = [
            f"You are {member.name}, one of the team {team.name}. {team.purpose}",
            member.role,
            MARKED,
            "Tools are checked: what they refuse has not happened. Claim nothing that no tool did.",
        ]
        parts = [f"The task:\n{Marked(turn.task, 'the task')}"]
        for each in turn.log[-EARLIER:]:
            who = f"{each['member']} {each['about']}".strip()
            said = f"{each['answer']}: {each['text']}" if each["answer"] else each["text"]
            parts.append(str(Marked(f"{said}{_done(each['did'])}"[:LONGEST], f"what {who} said")))
        if turn.about:
            parts.append(f"The person:\n{Marked(json.dumps(turn.about, ensure_ascii=False), 'the person')}")
        return [Message("system", "\n\n".join(system)), Message("user", "\n\n".join(parts))]


def _done(did: Sequence[Json]) -> str:
    """What a step changed or found wrong, for those who come after it."""
    told = [each["text"] for each in did if each["tool"] in ("propose", "check", "act", "ask")]
    return "".join(f"\n{text}" for text in told[-3:])
