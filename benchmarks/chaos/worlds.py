"""Owns the two worlds that are played under chaos: one of each player's own, one shared by all. It must not know who plays."""

from __future__ import annotations

from pathlib import Path

WORLD = """\
---
experience: {name}
uses: [adventure]
start: hall
world: {how}
---
# {name}
A house.
"""
PAGES = {
    "hall.md": "---\nplace: hall\nexits: {north: attic}\n---\n# Hall\nA hall.\n",
    "attic.md": "---\nplace: attic\nexits: {south: hall}\n---\n# Attic\nAn attic.\n",
    "coin.md": "---\nitem: coin\nin: hall\n---\n# Gold coin\nShiny.\n",
    "person.md": """\
---
kind: player
---
# Player
## State
| Field | Type | Start | Meaning |
|---|---|---|---|
| presses | int | 0 | how often the player pressed |
| luck | int | 0 | of the dice |
""",
    "house.md": """\
---
kind: world
---
# World
## State
| Field | Type | Start | Meaning |
|---|---|---|---|
| presses | int | 0 | how often anybody pressed |
""",
    "press.md": """\
---
rule: press
on: press
---
# Press
## Then
- roll 1..6 as `dice`
- add 1 to `player.presses`
- add `dice` to `player.luck`
- add 1 to `world.presses`
- tell others "{The player} presses."
- say "Pressed {player.presses} times: {dice}."
""",
}
LINES = ("press", "press", "take coin", "drop coin", "north", "south", "look", "dance")


def write(folder: Path) -> tuple[str, str]:
    """The locations of both worlds: alone, together."""
    for name, how in (("alone", "isolated"), ("together", "shared")):
        (folder / name).mkdir(parents=True)
        for page, text in {"world.md": WORLD.format(name=name, how=how), **PAGES}.items():
            (folder / name / page).write_text(text, encoding="utf-8")
    return str(folder / "alone"), str(folder / "together")
