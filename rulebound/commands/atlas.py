"""Owns the map of the places that a player has seen, drawn with characters.

`atlas(state, player)`. It must not know terminals.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kb.referee import State

_STEPS = {
    "north": (0, -1), "south": (0, 1), "east": (1, 0), "west": (-1, 0),
    "northeast": (1, -1), "northwest": (-1, -1), "southeast": (1, 1), "southwest": (-1, 1),
}  # fmt: skip
_LINES = {"north": "|", "south": "|", "east": "-", "west": "-"}
_WIDTH = 22


def atlas(state: State, player: str) -> str:
    """A grid of the visited places, the player's in [brackets], and below it the ways that a grid cannot show; "" where
    the world has no places."""
    row = state.rows[player]
    visited = [id for id in row["visited"] if id in state.rows]
    here = row["location"]
    if here in visited:
        visited.remove(here)
        visited.insert(0, here)
    if not visited:
        return ""
    exits = {id: dict(state.rows[id].get("exits", {})) for id in visited}
    at = _placed(visited, exits)
    others = [
        f"{_name(state, id)}: {direction} to {_name(state, to) if to in exits else '?'}"
        for id in visited
        for direction, to in exits[id].items()
        if not _shown(at, id, direction, to)
    ]
    return "\n".join([*_grid(state, at, exits, here), *([""] if others else []), *others])


def _placed(visited: list[str], exits: Mapping[str, Mapping[str, str]]) -> dict[str, tuple[int, int]]:
    """A square for each place: one step in its direction from a neighbour that has one, else below everything."""
    at: dict[str, tuple[int, int]] = {}
    for first in visited:
        if first in at:
            continue
        at[first] = (0, 2 + max((y for _, y in at.values()), default=-2))
        queue = [first]
        for id in queue:
            for direction, to in exits[id].items():
                if to in exits and to not in at and direction in _STEPS:
                    (x, y), (dx, dy) = at[id], _STEPS[direction]
                    if (x + dx, y + dy) not in at.values():
                        at[to] = (x + dx, y + dy)
                        queue.append(to)
    return at


def _shown(at: Mapping[str, tuple[int, int]], id: str, direction: str, to: str) -> bool:
    """Whether the grid shows this way: it leads to the square that lies in its direction."""
    if direction not in _LINES or to not in at:
        return False
    (x, y), (dx, dy) = at[id], _STEPS[direction]
    return at[to] == (x + dx, y + dy)


def _grid(
    state: State, at: Mapping[str, tuple[int, int]], exits: Mapping[str, Mapping[str, str]], here: str
) -> list[str]:
    left, top = min(x for x, _ in at.values()), min(y for _, y in at.values())
    columns = max(x for x, _ in at.values()) - left + 1
    rows = max(y for _, y in at.values()) - top + 1
    canvas = [[" "] * (columns * (_WIDTH + 3)) for _ in range(rows * 2)]
    for id, (x, y) in at.items():
        name = _name(state, id)
        name = name if len(name) <= _WIDTH - 2 else f"{name[: _WIDTH - 3]}…"
        column, line = (x - left) * (_WIDTH + 3), (y - top) * 2
        label = f"[{name}]" if id == here else f" {name} "
        label = label.center(_WIDTH)
        canvas[line][column : column + _WIDTH] = label
        for direction, to in exits[id].items():
            if not _shown(at, id, direction, to):
                continue
            if direction in ("east", "west"):
                start = column + _WIDTH if direction == "east" else column - 3
                canvas[line][start : start + 3] = "---"
            else:
                canvas[line + (1 if direction == "south" else -1)][column + _WIDTH // 2] = "|"
    return [text for text in ("".join(line).rstrip() for line in canvas) if text]


def _name(state: State, id: str) -> str:
    name: Any = state.rows[id].get("name") if id in state.rows else None
    return str(name or id)
