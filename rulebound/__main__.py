"""Owns `python -m rulebound`."""

from rulebound.start import main

main()
