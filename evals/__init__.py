"""Owns trying the system: players that play by themselves. It must not know transports."""

from evals.players import HostilePlayer, Player, RandomPlayer, mangled

__all__ = ["HostilePlayer", "Player", "RandomPlayer", "mangled"]
