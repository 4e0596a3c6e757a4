"""Owns routing: one message → the cheapest way that is right. It must not know transports or storage."""

from router.answer import Answered, Told
from router.cache import AnswerCache
from router.decisions import Estimate, Recorder, distribution
from router.route import Decision, knowledge, route
from router.router import Router

__all__ = [
    "AnswerCache",
    "Answered",
    "Decision",
    "Estimate",
    "Recorder",
    "Router",
    "Told",
    "distribution",
    "knowledge",
    "route",
]
