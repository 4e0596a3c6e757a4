"""Owns the run of a replay: games in parallel over processes, the turns of each in order, never all in memory.

`replay(open_archive, wanted, against="main", jobs=2)`. It must not know where turns are stored.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing
from multiprocessing.util import Finalize
from pathlib import Path

from agents.replay.game import Replay
from agents.replay.recorded import Archive, Head, Wanted
from agents.replay.report import Report
from agents.replay.rulebooks import Rulebooks
from agents.worlds import Where, WorldError

AHEAD = 4
"""How many games wait for each process."""

Opens = Callable[[], AbstractAsyncContextManager[Archive]]
Pin = tuple[Where, str]
Seams = tuple[Opens, Wanted, Path | None]


class ReplayError(Exception):
    """The replay cannot be done: `args[0]` says what, `hint` what to do."""

    def __init__(self, message: str, hint: str):
        super().__init__(message)
        self.hint = hint


class _Worker:
    """One process's part: an archive and rulebooks of its own."""

    def __init__(self, archive: Archive, wanted: Wanted, rulebooks: Rulebooks):
        self._archive, self._wanted, self._rulebooks = archive, wanted, rulebooks

    async def game(self, head: Head, pin: Pin | None) -> Report:
        """One game from its first turn to its last."""
        report = Report(games=1)
        tape = await self._archive.tape(head)
        replay = Replay(head, tape, self._rulebooks, report, against=pin, since=self._wanted.since)
        async for turn in tape.turns:
            replay.turn(turn)
        return report


class _Pins:
    """What each world is compared with; `broken` tells of those that have no such revision."""

    def __init__(self, against: str | None, rulebooks: Rulebooks):
        self._against, self._rulebooks = against, rulebooks
        self._pins: dict[Where, Pin | WorldError] = {}

    def of(self, where: Where) -> Pin | WorldError | None:
        if self._against is None:
            return None
        if where not in self._pins:
            try:
                self._pins[where] = self._rulebooks.pin(where, self._against)
            except WorldError as error:
                self._pins[where] = error.with_traceback(None)
        return self._pins[where]

    @property
    def broken(self) -> WorldError | None:
        return next((pin for pin in self._pins.values() if isinstance(pin, WorldError)), None)

    @property
    def commits(self) -> str:
        return ", ".join(sorted({pin[1] for pin in self._pins.values() if not isinstance(pin, WorldError)}))


async def replay(
    open_archive: Opens,
    wanted: Wanted | None = None,
    *,
    against: str | None = None,
    jobs: int = 1,
    cache: Path | None = None,
) -> Report:
    """Runs stored turns again. `open_archive` is called in each process, and with `jobs` > 1 must be importable there.

    Raises `WorldError` where nothing can be compared with `against`, `ReplayError` where a process dies.
    """
    wanted, rulebooks = wanted or Wanted(), Rulebooks(cache)
    pins, report = _Pins(against, rulebooks), Report()
    async with AsyncExitStack() as stack:
        stack.callback(rulebooks.close)
        archive = await stack.enter_async_context(open_archive())
        games = await stack.enter_async_context(aclosing(_pinned(archive, wanted, pins, report)))
        if jobs == 1:
            worker = _Worker(archive, wanted, rulebooks)
            async for head, pin in games:
                report.merge(await worker.game(head, pin))
        else:
            await _spread(games, report, jobs, (open_archive, wanted, cache))
    report.against = pins.commits
    if pins.broken is not None and not report.replayed:
        raise pins.broken
    return report


async def _pinned(
    archive: Archive, wanted: Wanted, pins: _Pins, report: Report
) -> AsyncGenerator[tuple[Head, Pin | None]]:
    """The games with what each is compared with; those that cannot be are counted."""
    async for head in archive.heads(wanted):
        pin = pins.of(head.where)
        if isinstance(pin, WorldError):
            report.games += 1
            report.skip(f"{pin}", head.turns)
        else:
            yield head, pin


async def _spread(games: AsyncIterator[tuple[Head, Pin | None]], report: Report, jobs: int, seams: Seams) -> None:
    """Gives games to processes; a few wait, the rest stay in the store."""
    # Processes start from nothing: what runs here may have threads and connections, which a fork would break.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_begin, initargs=seams)
    loop, running = asyncio.get_running_loop(), set[asyncio.Future[Report]]()

    async def take() -> None:
        done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        running.difference_update(done)
        for each in done:
            report.merge(each.result())

    try:
        async for head, pin in games:
            running.add(loop.run_in_executor(pool, _game, head, pin))
            if len(running) >= jobs * AHEAD:
                await take()
        while running:
            await take()
    except BrokenProcessPool:
        # After Ctrl-C, which ended them, this is where the interruption comes through.
        await asyncio.sleep(0)
        raise ReplayError("A process of the replay was ended", "Free memory, or use `--jobs 1`.") from None
    finally:
        for each in running:
            if not each.cancel() and not each.cancelled():
                each.exception()  # told by the first one
        pool.shutdown(cancel_futures=True)


# --- in a process of the pool

_here: list[tuple[_Worker, asyncio.Runner]] = []


def _begin(open_archive: Opens, wanted: Wanted, cache: Path | None) -> None:
    # Ctrl-C reaches every process of the terminal; only the first tells of it.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    runner, stack, rulebooks = asyncio.Runner(), AsyncExitStack(), Rulebooks(cache)
    stack.callback(rulebooks.close)
    archive = runner.run(stack.enter_async_context(open_archive()))
    Finalize(None, lambda: runner.run(stack.aclose()), exitpriority=1)
    _here.append((_Worker(archive, wanted, rulebooks), runner))


def _game(head: Head, pin: Pin | None) -> Report:
    ((worker, runner),) = _here
    return runner.run(worker.game(head, pin))
