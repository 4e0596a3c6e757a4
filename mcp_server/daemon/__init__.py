"""Owns the daemon: the process, or several, that serve every client of this machine, and how clients find it."""
