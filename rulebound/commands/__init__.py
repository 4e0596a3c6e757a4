"""Owns what each command does. It must not know how arguments are written."""
