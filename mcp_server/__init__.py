"""Owns the Model Context Protocol: tools for chat clients. It must not know how the command line works."""
