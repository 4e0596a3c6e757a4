"""What the compose file says can be done: the role is made by its script, and Valkey takes its options."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest
import yaml

from storage.embedded import Servers, binaries

DEPLOY = Path(__file__).parents[2] / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]


@pytest.mark.anyio
async def test_the_script_of_the_new_volume_makes_an_owner_that_is_no_superuser(
    servers: Servers, tmp_path: Path
) -> None:
    socket = parse_qs(urlsplit(servers.database_url).query)["host"][0]
    connection = await asyncpg.connect(host=socket, port=5432, user="postgres", database="postgres")
    # The cluster of the tests has its role already, so the script makes another one.
    script = (DEPLOY / "owner.sh").read_text().replace("rulebound", "deployed")
    environment = {
        **os.environ, "PATH": f"{binaries.postgres().parent}:{os.environ['PATH']}", "PGHOST": socket,
        "POSTGRES_USER": "postgres", "POSTGRES_DB": "deployed", "POSTGRES_PASSWORD": "it's $ecret",
    }  # fmt: skip
    try:
        await connection.execute("CREATE DATABASE deployed")
        subprocess.run(["sh"], input=script, text=True, env=environment, check=True, capture_output=True)
        owner = await connection.fetchrow(
            "SELECT rolname, rolsuper, rolcanlogin FROM pg_roles JOIN pg_database d ON datdba = pg_roles.oid"
            " WHERE datname = 'deployed'"
        )
        assert owner is not None
        assert tuple(owner) == ("deployed", False, True)
    finally:
        await connection.execute("DROP DATABASE deployed WITH (FORCE)")
        await connection.execute("DROP ROLE IF EXISTS deployed")
        await connection.close()


def test_valkey_takes_the_options_of_the_compose_file(tmp_path: Path) -> None:
    _, *options = COMPOSE["valkey"]["command"]
    command = [binaries.valkey(), *options, "--port", "0", "--unixsocket", tmp_path / "missing" / "valkey.sock"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, timeout=20)
    assert "FATAL CONFIG FILE ERROR" not in done.stdout + done.stderr
    assert "Failed opening Unix socket" in done.stdout, "it read its options and went on to open its socket"


def test_the_application_waits_for_healthy_servers_and_only_it_has_a_port_on_this_machine_alone() -> None:
    assert {name: wait["condition"] for name, wait in COMPOSE["rulebound"]["depends_on"].items()} == {
        "postgres": "service_healthy",
        "valkey": "service_healthy",
    }
    published = {name: service["ports"] for name, service in COMPOSE.items() if "ports" in service}
    assert published == {"rulebound": ["127.0.0.1:8787:8787"]}
    assert all("healthcheck" in service for service in COMPOSE.values())


def test_the_application_is_served_by_options_that_there_are() -> None:
    command, *options = COMPOSE["rulebound"]["command"]
    told = subprocess.run([sys.executable, "-m", "rulebound", command, "--help"], capture_output=True, check=True)
    assert {each for each in options if each.startswith("--")} <= set(told.stdout.decode().split())
