"""Owns taking a state that is at hand over to another rulebook, as `load_parts` of its parts would.

`carry(state, shape)`. Where both rulebooks shape states alike nothing is copied. It must not know rules.
"""

from __future__ import annotations

from dataclasses import replace

from kb.referee import parts
from kb.referee.shape import Shape
from kb.referee.state import State, new_state


def carry(state: State, shape: Shape, *, same: bool | None = None) -> State:
    """The state under another rulebook. `same`: what `alike` says, where it is known. Raises `NotAState`."""
    if alike(state.shape, shape) if same is None else same:
        return replace(state, shape=shape)
    return parts.load_parts(shape, parts.head(state), parts.parts(state))[0]


def alike(one: Shape, other: Shape) -> bool:
    """Whether a state of one is a state of the other as it stands: nothing would be dropped, added or begin anew."""
    if (one.fresh, one.types, one.isa, one.indexed) != (other.fresh, other.types, other.isa, other.indexed):
        return False
    start, begun = new_state(one), new_state(other)
    a, b = one.rulebook, other.rulebook
    return (
        (start.rows, start.numbers) == (begun.rows, begun.numbers)
        and _of_players(one) == _of_players(other)
        and set(a.timed) == set(b.timed)
        and set(a.workflows) == set(b.workflows)
        and (a.settings.clock is None) == (b.settings.clock is None)
    )


def _of_players(shape: Shape) -> set[str]:
    """The seeds that every player has one of."""
    return {seed.id for seed in shape.seeds.values() if seed.location == "player"}
