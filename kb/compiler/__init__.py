"""Owns the compilation of pages to a Rulebook: declarations, names in scope, each kind of page. It must not run anything."""
