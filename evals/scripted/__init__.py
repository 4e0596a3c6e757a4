"""Owns the scripted model: a server on loopback that speaks as OpenAI, Anthropic and Gemini do and says what a script says.

`with serving(Script.load(file)) as model: model.url, model.requests`, or `python -m evals.scripted --script FILE`. It must
not know what its clients are for.
"""

from evals.scripted.conversation import Answer, Call, Conversation, Fault, Message, Result
from evals.scripted.script import Decide, Script, ScriptError
from evals.scripted.server import Request, Scripted, serving

__all__ = [
    "Answer",
    "Call",
    "Conversation",
    "Decide",
    "Fault",
    "Message",
    "Request",
    "Result",
    "Script",
    "ScriptError",
    "Scripted",
    "serving",
]
