"""Owns the chaos run: load from many players while workers and servers are killed, paused, cut off and rolled back, and a
checker that knows what everybody was told.

`python3 tasks.py bench chaos [SECONDS] [SEED]`; `benchmarks.chaos.run.run` is one run. `docs/operators/README.md` tells what it shows.
"""
