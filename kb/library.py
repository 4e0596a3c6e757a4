"""Owns what ships with the package: the sample worlds and the libraries that any world finds by name.

`worlds()` and `libraries()` give folders by name. It must not know how they are compiled.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

_ROOT = Path(__file__).parent / "worlds"


@cache
def worlds() -> dict[str, Path]:
    """The sample worlds' folders by name."""
    return {each.name: each for each in sorted(_ROOT.iterdir()) if each.is_dir() and each.name != "shared"}


@cache
def libraries() -> dict[str, Path]:
    """The bundled libraries' folders by name (`adventure`)."""
    return {each.name: each for each in sorted((_ROOT / "shared").iterdir()) if each.is_dir()}
