"""Owns the chaos run: load from many players while workers and servers are killed, paused, cut off and rolled back, and a
checker that knows what everybody was told.

`python3 tasks.py bench chaos [SECONDS]`; `run(folder, seconds, …)` gives a `Report`. `docs/operators/chaos.md` tells how to read it.
"""
