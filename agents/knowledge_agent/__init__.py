"""Owns the knowledge agent: questions answered from pages, statements validated, pages brought together, prose workflows run.

`KnowledgeAgent(model)`; with no model every mode works by rules and search. It must not know transports.
"""

from agents.knowledge_agent.agent import Asker, KnowledgeAgent
from agents.knowledge_agent.findings import Citation, Finding, Sentence
from agents.knowledge_agent.passages import Limits

__all__ = ["Asker", "Citation", "Finding", "KnowledgeAgent", "Limits", "Sentence"]
