"""Owns speed and memory: each module prints ratios to a floor measured in the same run. `python3 tasks.py bench NAME`."""
