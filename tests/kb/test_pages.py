"""Pages: structure with exact columns; nothing that a page holds can break the reader."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from kb.pages.page import Bullet, Page, Table, parse_bytes, parse_page

PAGE = """---
rule: take-item
on: take <target: item>
at: 06:00
exits: {south: bar}
---
# Taking
Hello `[[not-a-link]]` and [[there|over there]].

## When
- é and more: `item.location == player.location`

## Unless
| If | Say |
|---|---|
| `a \\|\\| b` | No. |
| `a || b` | No. |
"""


def page(text: str) -> Page:
    return parse_page("a.md", text)


def test_front_matter_knows_where_each_key_and_value_stands() -> None:
    entries = page(PAGE).front.entries
    assert entries["on"].value == "take <target: item>"
    assert (entries["on"].value_span.line, entries["on"].value_span.column) == (3, 5)
    assert entries["at"].value == "06:00"
    part = entries["exits"].parts["south"]
    assert (part.value, part.value_span.column) == ("bar", 16)


def test_a_bullets_columns_count_characters_not_bytes() -> None:
    bullet = page(PAGE).sections[0].blocks[0]
    assert isinstance(bullet, Bullet)
    start = bullet.text.index("item")
    assert bullet.at(start, start + 4).column == 16
    assert PAGE.split("\n")[10][15:19] == "item"


def test_an_escaped_bar_stays_in_its_cell_and_columns_stay_right() -> None:
    table = page(PAGE).sections[1].blocks[0]
    assert isinstance(table, Table)
    cell = table.rows[0].cells[0]
    assert cell.text == "`a || b`"
    assert cell.at(cell.text.index("b"), cell.text.index("b") + 1).column == PAGE.split("\n")[15].index("b") + 1


def test_two_bars_in_a_cell_are_told_where_they_stand() -> None:
    (problem,) = page(PAGE).problems
    assert (problem.code, problem.span.line, problem.span.column) == ("RB108", 17, 6)


def test_a_link_in_code_is_no_link() -> None:
    assert [(link.target, link.text) for link in page(PAGE).links] == [("there", "over there")]


def test_windows_line_ends_and_a_byte_order_mark_change_no_column() -> None:
    unix = page(PAGE)
    windows = parse_bytes("a.md", b"\xef\xbb\xbf" + PAGE.replace("\n", "\r\n").encode())
    assert windows.sections == unix.sections
    assert windows.front == unix.front


def test_a_yaml_bomb_is_refused_at_once() -> None:
    bomb = "---\na: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n---\n"
    assert [each.code for each in page(bomb).problems] == ["RB104"]


def test_deep_nesting_is_refused() -> None:
    assert [p.code for p in page("---\na: " + "[" * 40 + "]" * 40 + "\n---\n").problems] == ["RB102"]


def test_bytes_that_are_not_text_are_told_with_their_place() -> None:
    (problem,) = parse_bytes("a.md", b"# ok\nx \xff").problems
    assert (problem.code, problem.span.line, problem.span.column) == ("RB101", 2, 3)
    assert parse_bytes("a.md", b"a\0b").problems[0].code == "RB101"


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.binary(max_size=400), st.text(alphabet="-#|`[]<>:{}&*!\\ \n\tabé\r", max_size=300).map(str.encode)))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    parse_bytes("a.md", data)
    parse_bytes("a.md", b"---\n" + data + b"\n---\n" + data)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(PAGE)), st.text(alphabet="-#|`[]<>:{}&*! \nx", max_size=6))
def test_a_page_mangled_anywhere_is_still_read(at: int, noise: str) -> None:
    parsed = page(PAGE[:at] + noise + PAGE[at:])
    lines = (PAGE[:at] + noise + PAGE[at:]).count("\n") + 1
    assert all(1 <= each.span.line <= lines for each in parsed.problems)
