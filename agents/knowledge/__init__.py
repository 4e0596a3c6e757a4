"""Owns the knowledge bases as a service: who sees which, reading, searching, writing, drafts, publishing."""

from agents.knowledge.errors import KnowledgeError, NotThere
from agents.knowledge.service import KnowledgeService
from agents.knowledge.spaces import MemorySpaces, Spaces

__all__ = ["KnowledgeError", "KnowledgeService", "MemorySpaces", "NotThere", "Spaces"]
