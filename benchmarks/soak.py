"""100,000 random and hostile lines and 10,000 mangled documents: no crash, nothing over a second, no broken type.

`python3 tasks.py bench soak`; with arguments `LINES DOCUMENTS` it does fewer. The floor is a line of the random player alone.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.measure import peak, row
from evals.simulated.players import HostilePlayer, RandomPlayer
from kb import library
from kb.check import check
from kb.pages.source import open_source
from kb.referee import Inputs
from kb.session import Session
from kb.understand import Dialogue

NOISE = [
    "`",
    "|",
    "||",
    "[[",
    "]]",
    "---\n",
    "\n",
    "- ",
    "{",
    "}",
    '"',
    "→",
    ": ",
    "&a ",
    "*a",
    "\x00",
    "é",
    "9" * 30,
    "(",
    "# ",
    "## When\n",
    "in: ",
    "set ",
    "yes",
]


def lines(count: int) -> None:
    """Plays hostile and random lines in every world, restarting now and then."""
    worst, done, start = 0.0, 0, time.perf_counter()
    worlds = library.worlds()
    for number, (name, folder) in enumerate(worlds.items()):
        (rulebook,) = check(open_source(folder), run=False).rulebooks.values()
        session = Session(rulebook)
        for seed in range(-(-count // (len(worlds) * 500))):
            players = (HostilePlayer(seed), RandomPlayer(seed))
            state, dialogue = session.referee.join(session.referee.new(), "player"), Dialogue()
            for turn in range(500):
                line = players[0 if turn % 5 else 1].line(session, state, "player")
                before = time.perf_counter()
                said = session.say(state, "player", line, dialogue, Inputs(rulebook.settings.begins, turn))
                spent = time.perf_counter() - before
                worst = max(worst, spent)
                assert spent < 1, (name, line)
                state, dialogue = said.state, said.dialogue
                done += 1
            for id, values in state.rows.items():
                for field, declared in rulebook.kinds[values["kind"]].fields.items():
                    assert declared.type.coerce(values[field]) == values[field], (name, seed, id, field)
        row(f"lines, {number + 1} of {len(worlds)} worlds", f"{done:,}")
    row("lines", f"{done / (time.perf_counter() - start):,.0f}/s", f"slowest {worst * 1000:.0f} ms")


def mangled(text: str, chance: random.Random) -> str:
    """A page with a few pieces cut, doubled, swapped or made up."""
    for _ in range(chance.randint(1, 4)):
        at, end = sorted((chance.randrange(len(text) + 1), chance.randrange(len(text) + 1)))
        end = min(end, at + 60)
        text = text[:at] + chance.choice(["", text[at:end] * 2, chance.choice(NOISE), text[at:end][::-1]]) + text[end:]
    return text


def documents(count: int) -> None:
    """Checks a world of which one page is mangled, again and again."""
    chance, worst, start = random.Random(1), 0.0, time.perf_counter()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        for world in ("cloak", "lending-desk", "tavern"):
            folder = library.worlds()[world]
            copy = root / world
            pages = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
            for path, data in pages.items():
                (copy / path).parent.mkdir(parents=True, exist_ok=True)
                (copy / path).write_bytes(data)
            source = open_source(copy)
            good = check(source, run=False)
            names = sorted(path for path in pages if path.suffix == ".md")
            for _ in range(count // 3):
                path = chance.choice(names)
                text = mangled(pages[path].decode(), chance)
                (copy / path).write_text(text, encoding="utf-8")
                before = time.perf_counter()
                source = source.again()
                check(source, before=good)
                spent = time.perf_counter() - before
                worst = max(worst, spent)
                assert spent < 1, (world, path, text)
                (copy / path).write_bytes(pages[path])
                source = source.again()
    row("mangled documents", f"{count / (time.perf_counter() - start):,.0f}/s", f"slowest {worst * 1000:.0f} ms")


def main() -> None:
    """Runs both; prints counts, rates and the slowest of each."""
    counts = [int(word) for word in sys.argv[1:] if word.isdecimal()] or [100_000, 10_000]
    lines(counts[0])
    documents(counts[1] if len(counts) > 1 else 10_000)
    row("peak memory", f"{peak()} MiB")


if __name__ == "__main__":
    main()
