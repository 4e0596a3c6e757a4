"""Owns the tools that chat clients call. Each module adds its own to a server."""
