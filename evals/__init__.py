"""Owns trying the system: cases and who plays them, scores, comparisons, players that play by themselves.

Each module is imported by its own name: pytest loads `evals.pytest_plugin` wherever Rulebound is installed, and must not load more.
It must not know transports.
"""
