"""A page read quickly is the page that the parser reads."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from kb import library
from kb.pages.page import parse_bytes
from kb.search.documents import _plain, of_bytes, of_page

PIECES = [
    "# ", "## ", "### ", "#", "text", " ", "\n", "\n\n", "- ", "  ", "    ", "\t", "> ", "[[a]]", "[[a|b]]", "[[", "]]",
    "`", "```\n", "~~~\n", "---\n", "===\n", "| a | b |\n", "|---|---|\n", "<b>\n", "<!-- ", "-->", "1. ", "\\", "é", "\f",
    "[x]: y\n", "[[x]]: y\n", "\r\n", "\u2028", "\x0b", "\u00a0", "***\n", "* ", "+ ", "#\n", "[[a#b]]", "  \n",
]  # fmt: skip


def same(path: str, data: bytes) -> None:
    assert of_bytes(path, "id", data) == of_page(parse_bytes(path, data), "id")


@settings(max_examples=1500, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join), st.booleans())
def test_a_page_read_quickly_is_what_the_parser_reads(body: str, front: bool):
    same("a.md", (("---\nlore: x\ntags: [a, b]\n---\n" if front else "") + body).encode())


def test_every_bundled_page_is_read_alike():
    for root in (*library.worlds().values(), *library.libraries().values()):
        for file in root.rglob("*.md"):
            same(file.name, file.read_bytes())


def test_a_plain_page_needs_no_parser():
    assert _plain("a.md", "", b"---\nnote: a\n---\n# A\n\nWords.\n\n## B\n\n- [[c]] and more\n") is not None


def test_what_cannot_be_read_has_no_text():
    for data in (b"\xff", b"a\0b", b"x" * 600_000, b"\n" * 6_000):
        same("a.md", data)
        assert [part.text for part in of_bytes("a.md", "", data).parts] == [""]
