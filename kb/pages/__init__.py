"""Owns reading: sources of files, the structure of a page, the cache of parsed pages. It must not know meanings."""
