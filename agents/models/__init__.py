"""Owns models: the protocol that callers know, and the client that asks real providers within budgets and deadlines.

It must not know games, pages or routes.
"""

from agents.models.model import (
    MARKED,
    Answer,
    Marked,
    Message,
    Model,
    ModelError,
    Piece,
    Purpose,
    Request,
    Tool,
    ToolCall,
    Usage,
    asked,
    total,
)

__all__ = [
    "MARKED",
    "Answer",
    "Marked",
    "Message",
    "Model",
    "ModelError",
    "Piece",
    "Purpose",
    "Request",
    "Tool",
    "ToolCall",
    "Usage",
    "asked",
    "total",
]
