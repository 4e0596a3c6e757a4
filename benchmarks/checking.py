"""A full check of 1,000 documents cold and warm, and one edited file to live; the floor is a bare markdown-it parse of the same text."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from markdown_it import MarkdownIt

from benchmarks.measure import peak, row, seconds
from kb.check import check
from kb.pages.source import open_source

REQUIREMENTS = ("0.23", "0.24")
PLACES, ITEMS, RULES = 200, 500, 290


def write(folder: Path) -> int:
    """A world of 1,000 pages; returns how many there are."""
    pages = {
        "world.md": "---\nexperience: large\nuses: [adventure]\nstart: place-0\n---\n# Large\n",
        "player.md": "---\nkind: player\n---\n# Player\n## State\n| Field | Type | Start |\n|---|---|---|\n| luck | int 0..100 | 50 |\n",
    }
    for n in range(PLACES):
        pages[f"places/{n}.md"] = (
            f"---\nplace: place-{n}\nexits: {{east: place-{(n + 1) % PLACES}, west: place-{(n - 1) % PLACES}}}\n---\n"
            f"# Place {n}\nA place like others, the number {n}. There is a wall, and behind it another one.\n"
        )
    for n in range(ITEMS):
        pages[f"items/{n}.md"] = (
            f"---\nitem: thing-{n}\nin: place-{n % PLACES}\nwearable: yes\n---\n# Odd thing {n}\nNobody knows what the number {n} is for.\n"
        )
    for n in range(RULES):
        pages[f"rules/{n}.md"] = (
            f"---\nrule: polish-{n}\non: polish [[thing-{n}]]\n---\n# Polishing number {n}\nIt shines when one is lucky.\n\n"
            f"## When\n- you hold it: `thing_{n}.location == player.id`\n- you are lucky: `player.luck > {n % 90}`\n\n"
            f'## Then\n- set `thing_{n}.worn` to no\n- say "{{the thing_{n}}} shines."\n\n## Otherwise\n- say "Not today."\n'
        )
    for n in range(1000 - len(pages)):
        pages[f"lore/{n}.md"] = f"# Lore {n}\nSee [[thing-{n}]].\n"
    for path, text in pages.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    return len(pages)


def main() -> None:
    """Prints times and their ratio to the floor."""
    with tempfile.TemporaryDirectory() as name:
        folder, cache = Path(name) / "world", Path(name) / "cache"
        count = write(folder)
        texts = [path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*.md"))]
        markdown = MarkdownIt("commonmark").enable("table")
        floor = seconds(lambda: [markdown.parse(text) for text in texts])
        row(f"bare markdown-it parse of {count} pages (floor)", f"{floor * 1000:,.0f} ms")
        start = time.perf_counter()
        source = open_source(folder)
        checked = check(source, cache=cache)
        cold = time.perf_counter() - start
        assert not checked.problems, checked.problems[:3]
        row("full check, cold", f"{cold * 1000:,.0f} ms", f"{cold / floor:.1f}x the floor")
        warm = seconds(lambda: check(open_source(folder), cache=cache))
        row("full check, pages cached on disk", f"{warm * 1000:,.0f} ms", f"{warm / floor:.1f}x the floor")
        times: list[float] = []
        for number in range(5):
            page = folder / "rules" / f"{number}.md"
            page.write_text(page.read_text(encoding="utf-8").replace("Not today.", "Not now."), encoding="utf-8")
            start = time.perf_counter()
            assert checked is not None
            source = source.again()
            checked = check(source, cache=cache, before=checked)
            times.append(time.perf_counter() - start)
            assert not checked.problems
        edit = sorted(times)[len(times) // 2]
        row("one edited file to live (target 200 ms)", f"{edit * 1000:,.0f} ms", f"{edit / floor:.2f}x the floor")
        row("peak memory", f"{peak()} MiB")


if __name__ == "__main__":
    main()
