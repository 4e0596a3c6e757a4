"""Owns the services behind every transport: worlds being played, games and their turns. It must not know transports."""
