"""Shared by the referee's tests: worlds from markdown, and a player in them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from kb.check import check
from kb.pages.source import open_source
from kb.referee import Action, Inputs, Outcome, Referee, State
from kb.rulebook import Rulebook

BASE = """
=== world.md
---
experience: small
start: hall
---
# A small world
=== hall.md
---
place: hall
exits: {down: cellar}
---
# Hall
=== cellar.md
---
place: cellar
exits: {up: hall}
---
# Cellar
=== lamp.md
---
item: lamp
in: hall
---
# Brass lamp
=== go.md
---
rule: go
on: go <direction>
---
## When
- there is a way: `direction in room.exits`
## Then
- move `player` to `room.exits[direction]`
## Otherwise
- say "You can't go that way."
=== take.md
---
rule: take
on: take <item>
---
## When
- it is not held already: `item.location != player.id`
## Then
- move `item` to `player`
- say "Taken."
=== drop.md
---
rule: drop
on: drop <item>
---
## Then
- move `item` to `room`
"""


class Play:
    """A player in a world: `do` resolves an action and goes on from its state."""

    def __init__(self, referee: Referee):
        self.referee = referee
        self.rulebook = referee.rulebook
        self.state = referee.join(referee.new(), "ann", "Ann")

    def do(self, action: str, *, by: str = "ann", seed: int = 0, now: datetime | None = None, **roles: Any) -> Outcome:
        inputs = Inputs(now or self.rulebook.settings.begins, seed)
        outcome = self.referee.resolve(self.state, by, Action(action, roles), inputs)
        self.state = outcome.state
        return outcome

    def get(self, id: str, field: str) -> Any:
        return self.state.rows[id][field]

    def derived(self, id: str, field: str, by: str = "ann") -> Any:
        return self.referee.frame(self.state, by).derived(id, field)


def pages(text: str) -> dict[str, str]:
    """`=== path` before each page; a page given twice is the later one."""
    found: dict[str, str] = {}
    for part in ("\n" + text.strip()).split("\n=== ")[1:]:
        path, _, content = part.partition("\n")
        found[path.strip()] = content + "\n"
    return found


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A folder of pages: the base world's and these, or these instead; an empty page takes one away."""

    def write(text: str = "", *, base: str = BASE) -> Path:
        root = tmp_path_factory.mktemp("world")
        for path, content in {**pages(base), **pages(text)}.items():
            if content.strip():
                (root / path).write_text(content)
        return root

    return write


@pytest.fixture(scope="session")
def rulebook(folder: Callable[..., Path]) -> Callable[..., Rulebook]:
    """The rulebook of such a folder."""

    def build(text: str = "", *, base: str = BASE) -> Rulebook:
        checked = check(open_source(folder(text, base=base)), run=False)
        assert not checked.errors, "\n".join(f"{p.span} {p.code} {p.message} {p.hint}" for p in checked.errors)
        return next(iter(checked.rulebooks.values()))

    return build


@pytest.fixture
def world(rulebook: Callable[..., Rulebook]) -> Callable[..., Play]:
    """A player in the world of these pages."""

    def start(text: str = "", *, base: str = BASE) -> Play:
        return Play(Referee(rulebook(text, base=base)))

    return start


@pytest.fixture
def reloaded() -> Callable[[State], State]:
    """The state written and read again."""

    def again(state: State) -> State:
        return Referee(state.rulebook).load(state.dump())[0]

    return again
