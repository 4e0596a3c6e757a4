"""Zero lost writes: clients on standard input patch the same pages at once while the daemon is killed, again and again.

`python -m benchmarks.mcp.patches [PATCHES] [KILLS]`: 8 clients, each so many patches. Every acknowledged patch must be a commit,
and its line stand once; every conflict must have been told. The floor is as many bare `git commit`s.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.mcp.clients import META, OverStdio
from benchmarks.measure import percentiles, row
from mcp_server.daemon.place import Place

REQUIREMENTS = ("0.20",)
BRIDGE = [sys.executable, "-m", "rulebound", "mcp"]
PAGES = 6
CLIENTS = 8
PATCHES = 1_000


@dataclass
class Outcome:
    """What clients were told, and what the repository holds."""

    acknowledged: dict[str, str] = field(default_factory=dict[str, str])
    """line → commit."""
    conflicts: int = 0
    unknown: int = 0
    """Patches that a daemon died over: their line was looked for, and asked for again where it was not there."""
    seconds: list[float] = field(default_factory=list[float])
    elapsed: float = 0.0
    missing_commits: list[str] = field(default_factory=list[str])
    wrong_lines: dict[str, int] = field(default_factory=dict[str, int])
    """Acknowledged lines that do not stand exactly once."""


class Writer:
    """One client that adds lines to pages."""

    def __init__(self, number: int, client: OverStdio, outcome: Outcome):
        self._number, self._client, self._outcome = number, client, outcome
        self._random = random.Random(number)

    async def call(self, tool: str, **arguments: Any) -> Mapping[str, Any] | str:
        """The structured answer, or the text of an error."""
        params = {"name": tool, "arguments": arguments, "_meta": META}
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        answer = json.loads(await self._client.say(json.dumps(message).encode()))
        if "error" in answer:
            return str(answer["error"]["message"])
        result = answer["result"]
        return result["content"][0]["text"] if result.get("isError") else result["structuredContent"]

    async def write(self, count: int) -> None:
        for turn in range(count):
            line = f"- line {turn} of client {self._number}."
            page = f"page-{self._random.randrange(PAGES)}.md"
            began = time.perf_counter()
            while not await self._patched(page, line):
                pass
            self._outcome.seconds.append(time.perf_counter() - began)

    async def _patched(self, page: str, line: str) -> bool:
        """One try; whether the line is there."""
        read = await self.call("kb_read", kb="wiki", page=page)
        if isinstance(read, str):
            return False
        end = f"<!-- end of {page} -->"
        edit = {"find": end, "replace": f"{line}\n{end}"}
        told = await self.call("kb_patch", kb="wiki", page=page, base=read["etag"], edits=[edit])
        if not isinstance(told, str):
            self._outcome.acknowledged[line] = told["commit"]
            return True
        if "idempotency_key" in told:  # the daemon died: it may be done
            self._outcome.unknown += 1
            return await self._there(page, line)
        self._outcome.conflicts += 1
        return False

    async def _there(self, page: str, line: str) -> bool:
        while True:
            found, after = "", ""
            while True:
                read = await self.call("kb_read", kb="wiki", page=page, after=after)
                if isinstance(read, str):
                    break
                found, after = f"{found}\n{read['text']}", read["next"]
                if not after:
                    return line in found.split("\n")


async def run(environment: Mapping[str, str], home: Path, clients: int, patches: int, kills: int) -> Outcome:
    """Runs the clients; the daemon is killed `kills` times meanwhile."""
    outcome = Outcome()
    callers = [await OverStdio.of(BRIDGE, environment) for _ in range(clients)]
    writers = [Writer(number, caller, outcome) for number, caller in enumerate(callers)]
    for number in range(PAGES):
        text = f"# Page {number}\nLines.\n\n<!-- end of page-{number}.md -->\n"
        made = await writers[0].call("kb_write", kb="wiki", path=f"page-{number}.md", text=text)
        assert not isinstance(made, str), made

    async def kill() -> None:
        for kth in range(kills):
            while len(outcome.seconds) < clients * patches * (kth + 1) // (kills + 1):
                await asyncio.sleep(0.01)
            if (about := Place(home).serving()) and about.get("pid"):
                os.kill(about["pid"], signal.SIGKILL)

    began = time.perf_counter()
    await asyncio.gather(kill(), *(writer.write(patches) for writer in writers))
    outcome.elapsed = time.perf_counter() - began
    for caller in callers:
        await caller.close()
    _judge(outcome, home / "knowledge" / "wiki.git")
    return outcome


def _judge(outcome: Outcome, repository: Path) -> None:
    """Compares what was told with what Git holds."""

    def git(*arguments: str) -> str:
        command = ["git", "--git-dir", str(repository), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    commits = set(git("rev-list", "HEAD").split())
    outcome.missing_commits = [each for each in outcome.acknowledged.values() if each not in commits]
    lines = Counter(line for number in range(PAGES) for line in git("show", f"HEAD:page-{number}.md").splitlines())
    outcome.wrong_lines = {line: lines[line] for line in outcome.acknowledged if lines[line] != 1}
    twice = {line: count for line, count in lines.items() if line.startswith("- line ") and count > 1}
    outcome.wrong_lines |= twice


def floor(folder: Path, count: int) -> float:
    """Bare commits a second, by `git` itself."""

    def git(*arguments: str) -> None:
        who = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "core.fsync=all"]
        subprocess.run(["git", *who, "-C", str(folder), *arguments], capture_output=True, check=True)

    folder.mkdir()
    git("init", "-q")
    began = time.perf_counter()
    for number in range(count):
        (folder / "page.md").write_text(f"line {number}\n")
        git("add", "page.md")
        git("commit", "-q", "-m", "line")
    return count / (time.perf_counter() - began)


def main() -> None:
    patches = int(sys.argv[1]) if len(sys.argv) > 1 else PATCHES
    kills = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        environment = {**os.environ, "RULEBOUND_HOME": str(home)}
        create = [sys.executable, "-m", "rulebound", "kb", "create", "wiki", "--visibility", "shared"]
        subprocess.run(create, env=environment, check=True, stdout=subprocess.DEVNULL)
        outcome = asyncio.run(run(environment, home, CLIENTS, patches, kills))
        Place(home).stop()
        bare = floor(Path(folder) / "bare", 50)
    rate = len(outcome.seconds) / outcome.elapsed
    p50, p95, p99 = percentiles(outcome.seconds)
    row(
        f"{CLIENTS} clients × {patches} patches, {kills} kills",
        f"{rate:.1f} a second",
        f"{rate / bare:.2f} × bare git commit",
    )
    row("a patch, with its retries, p50 / p95 / p99", f"{p50 * 1000:.0f} / {p95 * 1000:.0f} / {p99 * 1000:.0f} ms")
    row("conflicts that were told, and done again", str(outcome.conflicts))
    row("patches over which a daemon died", str(outcome.unknown))
    row("acknowledged", str(len(outcome.acknowledged)))
    row("acknowledged and no commit (must be 0)", str(len(outcome.missing_commits)))
    row("lines that do not stand once (must be 0)", str(len(outcome.wrong_lines)))
    sys.exit(bool(outcome.missing_commits or outcome.wrong_lines))


if __name__ == "__main__":
    main()
