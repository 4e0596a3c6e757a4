"""Owns NPCs as somebody to talk to: what they remember of talk, how they word what rules did, what players overhear.

A model's words change no state and are checked against what the NPC may know; without a model they come from the page. It must
not know transports or SQL.
"""
