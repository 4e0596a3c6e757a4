"""Owns what is said without a model to greetings, thanks and what nobody can answer. It must not know routes."""

from __future__ import annotations

import re

from agents.worlds import World

NO_TEAM = (
    "That is work for several agents, and none can be asked at the moment. The pages, the rules and search are there."
)
NOTHING = "Neither the rules nor the pages answer this. Ask about the world in other words, or search its pages."
_THANKS = re.compile(
    r"\b(thanks?|thank you|thx|ty|cheers|appreciate\w*|great job|well done|good job|nice)\b", re.IGNORECASE
)
_BYE = re.compile(r"\b(bye|goodbye|good night|see you|farewell|later|cya)\b", re.IGNORECASE)
_ABOUT = re.compile(r"\b(you|your|yourself|bot|robot|human|ai|assistant|model)\b", re.IGNORECASE)
_COURTESY = re.compile(
    r"\W*(((hello|hi|hey|hiya|howdy|heya|greetings|good (morning|day|evening|afternoon|night))( there| all| everybody)?)"
    r"|(ok |okay |great |oh )?(many )?(thanks?|thank you|thx|ty|cheers)( (so|very) much| a lot| a bunch)?"
    r"|(ok |okay )?(bye|goodbye|bye bye|see you|see ya|farewell|cya|later)( (later|soon|tomorrow|then))?"
    r"|(so |and |hey )?(who|what) are you( really| exactly)?|how are you( doing)?( today)?|what can you do( for me)?"
    r"|are you (a |an )?(real )?(bot|robot|human|person|ai|machine|chatbot|computer)|what is your name|what's your name)\W*",
    re.IGNORECASE,
)


def courtesy(message: str, world: World) -> str:
    """What answers a greeting, a thank-you, a farewell or a question who answers here, that says nothing else; empty: it is none."""
    return small_talk(message, world) if _COURTESY.fullmatch(message) else ""


def small_talk(message: str, world: World) -> str:
    """A word back, that claims nothing."""
    name = world.rulebook.settings.name
    if _THANKS.search(message):
        return "You are welcome."
    if _BYE.search(message):
        return "Until next time."
    if _ABOUT.search(message):
        return f"I answer for {name}: say what you want to do, or ask about its rules and pages."
    return f"Hello. This is {name}: say what you want to do, or ask about its rules and pages."
