"""Owns what is served over HTTP. It must not know what tools do."""
