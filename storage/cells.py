"""Owns cells: one number for a point on Earth, such that points near each other mostly have near numbers.

`cell(lat, lng)` is stored and indexed; `around(lat, lng, metres)` gives the ranges of cells that hold every point within a
radius. It must not know databases.
"""

from __future__ import annotations

from math import cos, degrees, floor, radians

BITS = 31
"""Of each coordinate: cells are some 2 cm wide."""
EARTH = 6_371_000.0
"""The mean radius, metres."""
_SPREAD = (
    (16, 0x0000FFFF0000FFFF),
    (8, 0x00FF00FF00FF00FF),
    (4, 0x0F0F0F0F0F0F0F0F),
    (2, 0x3333333333333333),
    (1, 0x5555555555555555),
)


def cell(lat: float, lng: float) -> int:
    """The cell of a point in degrees: the bits of both coordinates in turn (Morton order)."""
    return _cell(_part(lat, -90, 180, BITS), _part(lng, -180, 360, BITS))


def around(lat: float, lng: float, metres: float) -> list[tuple[int, int]]:
    """Ranges of cells, first and last, which hold every point within a radius, and others."""
    high = degrees(metres / EARTH)
    # At the poles a radius goes round all longitudes; further from them it is widest at the latitude nearest a pole.
    most = min(abs(lat) + high, 90.0)
    wide = min(180.0, degrees(metres / EARTH / max(cos(radians(most)), 1e-9)))
    # Cells of which two or three cover the box each way: fewer hold too much, more are too many ranges.
    bits = BITS
    while bits and (360 / 2**bits < wide or 180 / 2**bits < high):
        bits -= 1
    rows = range(_part(max(lat - high, -90), -90, 180, bits), _part(min(lat + high, 90), -90, 180, bits) + 1)
    first, last = floor((lng - wide + 180) / 360 * 2**bits), floor((lng + wide + 180) / 360 * 2**bits)
    # Across the date line numbers begin again.
    columns = {column % 2**bits for column in range(first, last + 1)}
    shift = 2 * (BITS - bits)
    found: list[tuple[int, int]] = []
    for one in sorted(_cell(row, column) for row in rows for column in columns):
        low, above = one << shift, ((one + 1) << shift) - 1
        if found and found[-1][1] == low - 1:
            low, _ = found.pop()
        found.append((low, above))
    return found


def _part(value: float, first: float, span: float, bits: int) -> int:
    return min(int((value - first) / span * 2**bits), 2**bits - 1)


def _cell(row: int, column: int) -> int:
    return _spread(row) << 1 | _spread(column)


def _spread(value: int) -> int:
    """The bits of a number with a zero before each."""
    for shift, mask in _SPREAD:
        value = (value | value << shift) & mask
    return value
