"""Owns what an NPC may know at one moment besides its page: who is there, what it perceives, what `## Knows` names, how it stands to
the player.

`scene(cast, game, npc)`. Trust, facts and promises that rules keep are read from the state. It never reads what the player alone
perceives or carries, nor other players.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from agents.game import Game
from agents.npcs.character import Cast, Character
from agents.record import plain
from kb.expressions.frame import EvaluationError
from kb.referee import State, Turn
from kb.types import ListOf, MapOf, Ref, Text
from kb.view import perceived

MAX_THINGS = 20
BANDS = ((20, "distrusts"), (40, "is wary of"), (60, "gets on with"), (80, "likes"), (100, "trusts"))
"""What a trust of up to so many of 100 is called."""


@dataclass(frozen=True, slots=True)
class Scene:
    """One NPC before one player. Ids stay inside."""

    npc: str
    character: Character
    player: str
    """The player's name; "" where they gave none."""
    description: str
    place: str
    exits: tuple[str, ...]
    things: tuple[str, ...]
    """Names of what the NPC perceives, itself and the player left out."""
    knows: tuple[str, ...]
    """`## Knows`, each as `player.mood: calm`."""
    trust: int | None
    """0 to 100, where the world keeps it."""
    learned: tuple[str, ...]
    """Facts that the rules keep between the two."""
    promised: tuple[str, ...]
    """Promises that the rules keep, each as `Spring water: given`."""
    hidden: tuple[str, ...]
    """Names of everything in the world that the NPC does not perceive: not to be spoken of as if it did."""

    @property
    def name(self) -> str:
        return self.character.name

    @property
    def band(self) -> str:
        """What the trust is called; "" where the world keeps none."""
        return "" if self.trust is None else next(name for most, name in BANDS if self.trust <= most)


def people(game: Game) -> list[str]:
    """Ids of the NPCs whom the player perceives."""
    referee = game.world.session.referee
    found = perceived(referee, referee.frame(game.state, game.player))
    return [id for id in found if is_npc(game.state, id)]


def is_npc(state: State, id: Any) -> bool:
    """Whether this is the id of an NPC in the game."""
    return isinstance(id, str) and id in state.rows and "npc" in state.shape.isa[state.template(id)]


def scene(cast_: Cast, game: Game, npc: str) -> Scene:
    """The scene of an NPC before the game's player."""
    world, state = game.world, game.state
    referee = world.session.referee
    turn = referee.frame(state, game.player)
    character = cast_.of(world, state.template(npc))
    place = str(state.rows[npc].get("location") or "")
    row = state.rows.get(place, {})
    seen = [id for id in perceived(referee, turn) if not _about(state, id, game.player)] if _together(turn, npc) else []
    names = [str(state.rows[id].get("name") or id) for id in seen if id not in (npc, place)]
    near = {*row.get("exits", {}).values(), *state.rows[game.player].get("visited", ())}
    shown = {npc, place, game.player, *seen, *near}
    hidden = {
        str(each.get("name") or id)
        for id, each in state.rows.items()
        if id not in shown and id != "world" and not {"player", "quest"} & set(state.shape.isa[state.template(id)])
    }
    name = game.seat.name
    return Scene(
        npc=npc,
        character=character,
        player="" if name == "you" else name,
        description=_safe(turn, npc, "description"),
        place=str(row.get("name") or ""),
        exits=tuple(sorted(row.get("exits", {}))),
        things=tuple(names[:MAX_THINGS]),
        knows=tuple(_knows(turn, world, npc)),
        trust=_trust(state, game.player, npc),
        learned=tuple(_learned(state, game.player, npc, character)),
        promised=tuple(_promised(state, game.player, npc, character)),
        hidden=tuple(sorted(hidden - set(names))),
    )


def _together(turn: Turn, npc: str) -> bool:
    """Whether what the player perceives is what the NPC perceives."""
    return turn.derived(npc, "room") == turn.vars["room"] or turn.derived(npc, "perceivable") is True


def _about(state: State, id: str, player: str) -> bool:
    """Whether something is the player's own: in their hands, or in what is in their hands."""
    for _ in range(20):
        if id == player:
            return True
        id = str(state.rows.get(id, {}).get("location") or "")
    return False


def _safe(turn: Turn, id: str, field: str) -> str:
    try:
        return str(turn.derived(id, field) or "")
    except EvaluationError:
        return ""


def _knows(turn: Turn, world: Any, npc: str) -> list[str]:
    """What the page's expressions give; one that fails is not known."""
    agent = world.rulebook.agents.get(npc)
    if agent is None:
        return []
    turn.vars["agent"] = npc
    found: list[str] = []
    for expr in agent.knows:
        try:
            value = expr(turn)
        except EvaluationError:
            continue
        if isinstance(expr.type, Ref | ListOf):
            ids = cast("tuple[Any, ...]", value if isinstance(value, tuple | list) else (value,))
            value = ", ".join(str(turn.rows.get(each, {}).get("name") or each) for each in ids)
        found.append(f"{expr.source}: {plain(value)}")
    del turn.vars["agent"]
    return found


# --- what rules keep between a player and an NPC: see docs/designers/npcs.md


def _field(state: State, player: str, name: str) -> tuple[Any, Any]:
    """A field of the player's kind, and its value; None where the world declares none."""
    declared = state.rulebook.kinds[state.rows[player]["kind"]].fields.get(name)
    return (None, None) if declared is None else (declared.type, state.rows[player].get(name))


def _per_npc(type_: Any) -> bool:
    return isinstance(type_, MapOf) and isinstance(type_.key, Ref) and set(type_.key.kinds) == {"npc"}


def _trust(state: State, player: str, npc: str) -> int | None:
    type_, value = _field(state, player, "trust")
    if not _per_npc(type_):
        return None
    found = value.get(npc, type_.default())
    return max(0, min(100, int(found))) if isinstance(found, int | float) else None


def _learned(state: State, player: str, npc: str, character: Character) -> list[str]:
    """Of a map per NPC its own entry; of a list those texts that begin with its id or name."""
    type_, value = _field(state, player, "facts")
    if _per_npc(type_):
        own = value.get(npc, type_.default())
        return (
            [str(each) for each in cast("tuple[Any, ...]", own)]
            if isinstance(own, tuple)
            else [str(own)]
            if own
            else []
        )
    if isinstance(type_, ListOf) and isinstance(type_.item, Text):
        return [each for each in value if each.partition(" ")[0].rstrip(":") in (npc, character.id, character.name)]
    return []


def _promised(state: State, player: str, npc: str, character: Character) -> list[str]:
    """Of a map per NPC its own entry; of a map per quest those of quests that the NPC's page links to."""
    type_, value = _field(state, player, "promises")
    if not isinstance(type_, MapOf):
        return []
    start, entries = type_.default(), cast("Mapping[str, Any]", value)
    if _per_npc(type_):
        own = entries.get(npc, start)
        return [f"{own}"] if own != start and own not in ("", "none") else []
    flows = state.rulebook.workflows
    linked = (id for id in character.links if id in flows)
    return [f"{flows[id].name}: {entries[id]}" for id in linked if entries.get(id, start) != start]
