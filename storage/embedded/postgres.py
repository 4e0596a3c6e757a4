"""Owns the embedded PostgreSQL: its data folder, its settings, the role and the database `rulebound`.

The cluster is made beside its place and moved there when it is complete, so that a start that was cut short leaves
nothing. It must not know tables.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import sys
from pathlib import Path
from urllib.parse import quote

from storage.embedded import binaries, process
from storage.embedded.errors import DamagedData, DiskFull, InUse, OtherVersion, ServiceError
from storage.embedded.server import Server
from storage.embedded.wire import ask_postgres

MAJOR = "18"
SETTINGS = {
    # A small machine: some 10 MB idle, a hundred connections.
    "shared_buffers": "64MB",
    "max_connections": "100",
    "io_method": "sync",
    "max_worker_processes": "4",
    "max_parallel_workers": "2",
    "autovacuum_worker_slots": "3",
    "autovacuum_max_workers": "2",
    "random_page_cost": "1.1",
    "jit": "off",
    # A turn that was acknowledged is on the disk; `replica` lets a backup be taken while it runs.
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "wal_level": "replica",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # Errors of statements hold values of players, so the log has only what the server says of itself.
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_checkpoints": "off",
}
"""Written once, when the cluster is made; `ALTER SYSTEM` or an edit of postgresql.conf changes them for good."""

OWNER = """\
CREATE ROLE rulebound LOGIN NOSUPERUSER NOCREATEDB CREATEROLE;
CREATE DATABASE rulebound OWNER rulebound;
DO $$BEGIN IF 'lz4' = ANY (enumvals) FROM pg_settings WHERE name = 'default_toast_compression' THEN \
EXECUTE 'ALTER DATABASE rulebound SET default_toast_compression = lz4'; END IF; END$$;
"""
"""Who owns the tables, and where they are; a statement a line."""

CHATTER = ("LOG:  ", "DETAIL:  ", "HINT:  ", "FATAL:  the database system is ")
"""Lines in the log of a server that is well."""

SYNC = ("--sync-method=syncfs",) if sys.platform == "linux" else ()
"""A new cluster is flushed once, when it is complete; a thousand files one by one take seconds on a busy disk."""


class Postgres(Server):
    """PostgreSQL in `services/postgres`, reached by its socket alone."""

    name = "postgres"
    stops = (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL)

    def __init__(self, services: Path):
        super().__init__(services)
        self.folder = services / "postgres"

    def socket(self, run: Path) -> Path:
        return run / ".s.PGSQL.5432"

    def url(self, run: Path) -> str:
        return f"postgresql://rulebound@/rulebound?host={quote(str(run))}&port=5432"

    def version(self, run: Path) -> str:
        ((version, cluster),) = ask_postgres(
            self.socket(run), "SELECT current_setting('server_version'), system_identifier FROM pg_control_system()"
        )
        with (self.folder / "global/pg_control").open("rb") as control:
            if str(int.from_bytes(control.read(8), sys.byteorder)) != cluster:
                raise InUse(f"a PostgreSQL with other data than {self.folder} answers at {run}")
        return version or ""

    def launch(self, run: Path) -> None:
        self._prepare()
        self.socket(run).unlink(missing_ok=True)
        run.joinpath(".s.PGSQL.5432.lock").unlink(missing_ok=True)
        command = [binaries.postgres(), "-D", self.folder, "-k", run]
        for setting in ("listen_addresses=", "port=5432", "cluster_name=rulebound", "logging_collector=off"):
            command += ["-c", setting]
        process.run(command, data=self.folder, lock=self.lock, log=self.log, environment=self._ancestor())

    def _ancestor(self) -> dict[str, str]:
        """PostgreSQL takes any living process with the id in its stale pid file for a server. We hold the lock of the
        folder, so it is none of ours: name it as an ancestor, which PostgreSQL ignores, unless it is someone else's server."""
        try:
            pid = (self.folder / "postmaster.pid").read_text(encoding="ascii").split("\n")[0]
        except FileNotFoundError:
            return {}
        if not pid.isdecimal() or process.works_in(int(pid), self.folder):
            return {}
        return {"PG_GRANDPARENT_PID": pid}

    def _prepare(self) -> None:
        """Makes the cluster, or checks that what lies there is one of ours."""
        for left in self.services.glob("postgres.new-*"):
            shutil.rmtree(left, ignore_errors=True)
        if self.folder.exists() and any(self.folder.iterdir()):
            marker = self.folder / "PG_VERSION"
            version = marker.read_text(encoding="ascii", errors="replace").strip() if marker.exists() else None
            if version is None:
                raise DamagedData(f"{self.folder} holds files and is no data folder of PostgreSQL")
            if version != MAJOR:
                raise OtherVersion(f"{self.folder} was written by PostgreSQL {version}; this one is {MAJOR}")
            return
        new = self.services / f"postgres.new-{secrets.token_hex(4)}"
        initdb = [binaries.postgres("initdb"), "-D", new]
        locale = ["-E", "UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        settings = [word for name, value in SETTINGS.items() for word in ("-c", f"{name}={value}")]
        try:
            process.run([*initdb, "-U", "postgres", "-A", "trust", *locale, "--no-sync", *settings], data=new)
            single = [
                binaries.postgres(),
                "--single",
                "-D",
                new,
                "-c",
                "exit_on_error=on",
                "-c",
                "fsync=off",
                "postgres",
            ]
            process.run(single, data=new, said=OWNER)
            process.run([*initdb, "--sync-only", *SYNC], data=new)
            new.rename(self.folder)
        except BaseException:
            shutil.rmtree(new, ignore_errors=True)
            raise
        parent = os.open(self.services, os.O_RDONLY)
        os.fsync(parent)
        os.close(parent)

    def failed(self, said: str) -> ServiceError:
        # What it does, and what it told others meanwhile, is not why it ended.
        said = "\n".join(line for line in said.splitlines() if not any(words in line for words in CHATTER))
        if "already exists" in said or "still in use" in said:
            return InUse(f"another PostgreSQL uses {self.folder}")
        error = super().failed(said)
        if isinstance(error, DiskFull) or "memory" in said or not said.strip():
            return error
        return DamagedData(f"{error} ({self.folder}, see {self.log})")
