"""Owns the application: settings, composition, the command line."""

__version__ = "0.1.0"
