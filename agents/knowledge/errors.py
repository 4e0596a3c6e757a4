"""Owns what goes wrong with knowledge bases, as typed errors. It must not know transports."""

from __future__ import annotations

from collections.abc import Iterable

from kb.diagnostics import Diagnostic


class KnowledgeError(Exception):
    """It cannot be done, and nothing was: `args[0]` says what, `hint` what to do, `problems` the lines."""

    def __init__(self, message: str, hint: str, problems: Iterable[Diagnostic] = ()):
        super().__init__(message)
        self.hint, self.problems = hint, tuple(problems)


class NotThere(KnowledgeError):
    """It does not exist, or not for who asks: the two are answered alike."""
