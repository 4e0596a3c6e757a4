"""Owns Rulebound inside Inspect AI (the extra `inspect`): cases as tasks, contenders as a solver, verdicts as scores, models both ways.

`rulebound/inspecting.py` registers it all, so that `inspect eval rulebound/play` finds it. The core of `evals` must not know of it.
"""
