"""Owns the knowledge agent: questions answered from pages, statements validated, pages brought together, prose workflows run.

`KnowledgeAgent(model)`; with no model every mode works by rules and search. It must not know transports.
"""

from agents.knowledge_agent.agent import KnowledgeAgent
from agents.knowledge_agent.asking import Asker
from agents.knowledge_agent.findings import Finding, Sentence
from agents.knowledge_agent.passages import Limits

__all__ = ["Asker", "Finding", "KnowledgeAgent", "Limits", "Sentence"]
