"""Owns the routes as a small model knows them: a plain word each, what it means, and a dozen examples for the prompt.

`Labeller(model, KINDS, EXAMPLES)`. It must not know the messages that judge it (`evals.data`), nor what a route leads to.
"""

from __future__ import annotations

from agents.models.labelling import Kind

KINDS = {
    "action": Kind("command", "the player does something."),
    "knowledge": Kind("question", "the player asks something."),
    "direct": Kind("chat", "the player greets, thanks or says goodbye."),
}
EXAMPLES = (
    ("take the lamp", "action"),
    ("who founded the order of the gate?", "knowledge"),
    ("hello!", "direct"),
    ("go through the oak door", "action"),
    ("what may a knight carry in a duel?", "knowledge"),
    ("thank you so much", "direct"),
    ("please give the sword to Ann", "action"),
    ("where is the mill?", "knowledge"),
    ("how are you today", "direct"),
    ("could you maybe open that chest for me", "action"),
    ("is it allowed to sell land?", "knowledge"),
    ("you are funny", "direct"),
)
