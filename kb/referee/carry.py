"""Owns taking a state that is at hand over to another rulebook, as `save.load` of its dump would.

`carry(state, shape)`. Where both rulebooks shape states alike nothing is copied. It must not know rules.
"""

from __future__ import annotations

from dataclasses import replace

from kb.referee.save import load
from kb.referee.shape import Shape
from kb.referee.state import State


def carry(state: State, shape: Shape, *, same: bool | None = None) -> State:
    """The state under another rulebook. `same`: what `alike` says, where it is known. Raises `NotAState`."""
    if alike(state.shape, shape) if same is None else same:
        return replace(state, shape=shape)
    return load(shape, state.dump())[0]


def alike(one: Shape, other: Shape) -> bool:
    """Whether a state of one is a state of the other as it stands: nothing would be dropped, added or begin anew."""
    if one is other:
        return True
    if (one.fresh, one.types, one.isa, one.indexed) != (other.fresh, other.types, other.isa, other.indexed):
        return False
    a, b = one.rulebook, other.rulebook
    return (
        {(seed.id, seed.location == "player") for seed in a.seeds}
        == {(seed.id, seed.location == "player") for seed in b.seeds}
        and set(a.timed) == set(b.timed)
        and set(a.workflows) == set(b.workflows)
        and (a.settings.clock is None) == (b.settings.clock is None)
    )
