"""Owns how a run is shown: `terminal` in a terminal, `junit` for a CI server, `page` as one HTML file.

All read what a run left in its folder (`evals.results`, `summary.json`). What players, pages and models said enters each as text
alone. It must not know how cases are played or scored.
"""
