"""Owns the tools of the one call: what a player can do now, typed and legal; search; flows; a question back.

`Offered.of(…)`; `offered.command(call)` is the line that a call means, or `Illegal`. It must not know models or prompts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field

from agents.access import Principal
from agents.models import Tool, ToolCall
from kb.rulebook import Persona, Rulebook
from kb.view import Offer
from storage.records import Json

MAX_VERBS = 12
"""Actions with a tool of their own; what is left can be done by its line, through `do`."""
MAX_FLOWS = 4
MAX_TEXT = 300
"""Characters of a value that only the player knows."""
ACT, SEARCH, READ, TEAM = "act", "search", "read", "team"
"""What a persona may be limited to, besides rules by their ids."""
DO, ASK_BACK = "do", "ask_back"
_WORDS: Json = {"type": "string", "maxLength": MAX_TEXT}

SEARCHING = (
    Tool(
        SEARCH,
        "Finds what the rules and pages of this world say. For questions about rules, lore, people and places.",
        {"type": "object", "properties": {"words": _WORDS}, "required": ["words"], "additionalProperties": False},
    ),
    Tool(
        READ,
        "Reads a page that a search found.",
        {"type": "object", "properties": {"page": _WORDS}, "required": ["page"], "additionalProperties": False},
    ),
)
ASKING_BACK = Tool(
    ASK_BACK,
    "Asks the player what is meant, where two things could be meant or something is missing.",
    {"type": "object", "properties": {"question": _WORDS}, "required": ["question"], "additionalProperties": False},
)


class Illegal(Exception):
    """The call is not what was offered: `args[0]` says why, without the model's own words."""


@dataclass(frozen=True, slots=True)
class Offered:
    """The tools of one call."""

    tools: tuple[Tool, ...]
    actions: Mapping[str, tuple[Offer, ...]] = field(default_factory=dict[str, tuple[Offer, ...]])
    """What each action's tool can mean."""
    flows: frozenset[str] = frozenset()

    @staticmethod
    def of(
        offers: Sequence[Offer],
        flows: Sequence[Tool],
        asker: Principal,
        persona: Persona | None,
        words: Set[str] = frozenset(),
        *,
        pages: bool = True,
    ) -> Offered:
        """What an asker may use: rights first, then what the persona leaves of them. `words` are the message's; `pages`: whether there
        are any."""

        def allowed(tool: str) -> bool:
            return persona is None or persona.allows(tool)

        by_verb: dict[str, list[Offer]] = {}
        for each in offers if asker.may("game:play") else ():
            if allowed(ACT) or allowed(each.rule):
                by_verb.setdefault(_name(each.verb), []).append(each)

        def rank(name: str) -> tuple[int, bool, bool, int]:
            """What the message names; what no line alone can do, as only the player knows a value; what has much to choose."""
            several = by_verb[name]
            asks = any(each.asks for each in several)
            return -max(each.names(words) for each in several), not asks, not several[0].values, -len(several)

        # Lines alone do for those that get no tool of their own.
        chosen = sorted(by_verb, key=rank)[:MAX_VERBS]
        actions = {name: tuple(by_verb[name]) for name in chosen}
        rest = tuple(each for name, several in by_verb.items() if name not in actions for each in several)
        lines = tuple(each for each in rest if not each.asks)
        if lines:
            actions[DO] = lines
        tools = [_tool(name, several) for name, several in actions.items()]
        if pages and asker.may("kb:read"):
            tools += [each for each in SEARCHING if allowed(each.name)]
        taken = {each.name for each in tools} | {ASK_BACK}
        started = [each for each in flows if allowed(TEAM) or allowed(each.name)]
        started = [each for each in started if each.name not in taken][:MAX_FLOWS]
        return Offered((*tools, *started, ASKING_BACK), actions, frozenset(each.name for each in started))

    def command(self, call: ToolCall) -> str:
        """The line that an action's call means. Raises `Illegal`."""
        offers, given = self.actions[call.name], {key: _plain(value) for key, value in call.arguments.items()}
        if call.name == DO:
            line = given.get("command")
            if set(given) != {"command"} or line not in {each.line for each in offers}:
                raise Illegal("what it would do is not possible now")
            return line
        for each in offers:
            fixed = {role: word for role, word in each.values.items() if role not in each.asks}
            if set(given) == set(each.values) and all(given[role] == word for role, word in fixed.items()):
                return each.said({role: _asked(given[role], type_) for role, type_ in each.asks.items()})
        raise Illegal("what it would do is not possible now")


def _name(verb: str) -> str:
    """A verb as the name of a tool; those that are ours keep theirs."""
    name = re.sub(r"[^a-z0-9]+", "_", verb.casefold()).strip("_")[:40] or "act"
    return f"{name}_it" if name in {DO, ASK_BACK, SEARCH, READ} else name


def _tool(name: str, offers: Sequence[Offer]) -> Tool:
    if name == DO:
        lines: Json = {"type": "string", "enum": [each.line for each in offers]}
        closed: Json = {"properties": {"command": lines}, "required": ["command"]}
        return Tool(name, "Does one of these.", {"type": "object", **closed, "additionalProperties": False})
    # Ways to say the same verb may have other roles: `say hello`, `say hello to otto`.
    roles = dict.fromkeys(role for each in offers for role in each.values)
    always = [role for role in roles if all(role in each.values for each in offers)]
    properties = {role: _values(role, offers) for role in roles}
    shown = "; ".join(dict.fromkeys(each.line for each in offers[:3]))
    parameters: Json = {"type": "object", "properties": properties, "required": always, "additionalProperties": False}
    return Tool(name, f"The player does this: {shown}", parameters)


def _values(role: str, offers: Sequence[Offer]) -> Json:
    having = [each for each in offers if role in each.values]
    asked = next((each.asks[role] for each in having if role in each.asks), None)
    if asked is None:
        return {"type": "string", "enum": list(dict.fromkeys(each.values[role] for each in having))}
    if re.match(r"(int|number)\b", asked):
        return {"type": "integer" if asked.startswith("int") else "number", "description": asked}
    return {**_WORDS, "description": asked}


def _plain(value: object) -> str:
    """An argument as words; what is neither text nor a number fits nothing."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise Illegal("an argument is neither text nor a number")
    return str(value).strip()


def _asked(text: str, type_: str) -> str:
    """A value that only the player knows, as it is typed: one line, that ends no command and begins none."""
    text = " ".join(text.split())
    if not text or len(text) > MAX_TEXT:
        raise Illegal("a value is empty or too long")
    if re.match(r"(int|number)\b", type_) and not re.fullmatch(r"-?\d{1,15}(\.\d{1,15})?", text):
        raise Illegal("a value is no number")
    if type_.startswith("text"):
        return '"' + text.replace('"', "'") + '"' if re.search(r"[.;,\n]|\bthen\b|\band\b", text) else text
    if type_ == "point":
        if not re.fullmatch(r"-?\d{1,3}(\.\d{1,9})?, ?-?\d{1,3}(\.\d{1,9})?", text):
            raise Illegal("a value is no point")
        return text
    if not re.fullmatch(r"[\w' .:-]+", text) or re.search(r"\bthen\b|\. ", text):
        raise Illegal("a value is more than its role takes")
    return text


def persona_of(rulebook: Rulebook, name: str, asker: Principal) -> Persona | None:
    """The persona of this name, where there is one for who asks. Whoever owns the process has every role."""
    found = rulebook.personas.get(name)
    if found is None or not found.audience or "owner" in asker.roles:
        return found
    return found if found.audience & asker.roles else None
