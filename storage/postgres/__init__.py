"""Owns keeping games in PostgreSQL. It must not know rules."""

from storage.postgres.store import PostgresStore

__all__ = ["PostgresStore"]
