"""Owns the error of models on this machine. It must not know them."""

from __future__ import annotations


class LocalError(Exception):
    """A model cannot be had or run here; `hint` says what to do."""

    def __init__(self, message: str, hint: str):
        super().__init__(message)
        self.hint = hint
