"""Owns cursors: where an answer goes on, opaque to clients, good for one question at one commit alone.

`cursor(commit, question, offset)` and `offset(text, commit, question)`. It must not know what is asked.
"""

from __future__ import annotations

import hashlib
import re

from agents.knowledge.errors import KnowledgeError


def cursor(commit: str, question: str, offset: int) -> str:
    """Where the next answer begins."""
    return f"{offset:x}.{_about(commit, question)}"


def offset(text: str, commit: str, question: str) -> int:
    """The offset of a cursor, 0 without one. Raises `KnowledgeError` for one of another question or commit."""
    if not text:
        return 0
    number, _, about = text.partition(".")
    if about != _about(commit, question) or not re.fullmatch(r"[0-9a-f]{1,6}", number):
        raise stale()
    return int(number, 16)


def stale() -> KnowledgeError:
    return KnowledgeError("The cursor is of another question, or the pages changed since", "Ask again without it.")


def _about(commit: str, question: str) -> str:
    return hashlib.sha256(f"{commit}\0{question}".encode("utf-8", "surrogatepass")).hexdigest()[:12]
