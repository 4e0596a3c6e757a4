"""Owns routing: one message → a decision. It must not know transports or storage."""

from router.route import Decision, knowledge, route

__all__ = ["Decision", "knowledge", "route"]
