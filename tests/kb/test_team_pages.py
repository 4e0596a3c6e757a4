"""Teams' pages: every form that is right, and each mistake on its line."""

from pathlib import Path

import pytest
from diag_base import lay_out

from kb.check import check
from kb.compiler.teams import bundled_teams, read_team
from kb.pages.source import open_source
from kb.teams import Again, Choose, Claim, Together

PAGE = """---
team: trio
members: [ada, ben, cleo]
steps: 9
deadline: 30 seconds
calls: 7
cost: 0.25
---
# Trio
Three who work.
## Ada
- tools: `search`, `read`

Ada looks.
## Ben
- tools: `propose`
- answers: `good`, `again`

Ben writes.
## Cleo
Cleo is the third.
## Work
1. `ada`: looks first
2. `cleo` for each `npc`
3. `ada`, `ben` and `cleo` at the same time
4. `ada` chooses among `ben` and `cleo`, at most 5 times
5. if `ben == "again"` → 3, at most 2 times
6. if `!checked` -> 1, at most 1 time
## Stop when
- it is good: `ben != "again"`
- `checked`
## Ask before
- anything is written: `propose`
## With no model
- what is known: `pages`

Nobody can.
"""


def problems(folder: Path, page: str) -> list[str]:
    found = check(open_source(lay_out(folder, [("markdown", "trio.md", page)]))).problems
    return [f"{each.span.line} {each.code}" for each in found]


def test_every_form_of_a_page_is_read(tmp_path: Path):
    checked = check(open_source(lay_out(tmp_path, [("markdown", "trio.md", PAGE)])))
    assert checked.problems == ()
    team = checked.rulebooks["test"].teams["trio"]
    assert team == read_team("trio.md", PAGE)
    assert (team.steps, team.deadline, team.calls, team.cost) == (9, 30.0, 7, 0.25)
    assert [(each.id, each.tools, each.answers, each.role) for each in team.members] == [
        ("ada", ("search", "read"), (), "Ada looks."),
        ("ben", ("propose",), ("good", "again"), "Ben writes."),
        ("cleo", (), (), "Cleo is the third."),
    ]
    assert team.work == (
        Together(("ada",)),
        Together(("cleo",), "npc"),
        Together(("ada", "ben", "cleo")),
        Choose("ada", ("ben", "cleo"), 5),
        Again(Claim("ben", "again", True), 2, 2),
        Again(Claim("", "", False), 0, 1),
    )
    assert team.stop == (Claim("ben", "again", False), Claim("", "", True))
    assert (team.ask, team.without, team.apology) == (frozenset({"propose"}), ("pages",), "Nobody can.")


def test_without_work_the_members_work_one_after_the_other():
    team = read_team("duo.md", "---\nteam: duo\nmembers: [ada, ben]\n---\n# Duo\n## Ada\nLook.\n## Ben\nWrite.\n")
    assert team.work == (Together(("ada",)), Together(("ben",)))


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ("calls: 7", "call: 7", "6 RB105"),
        ("calls: 7", "calls: many", "6 RB510"),
        ("calls: 7", "calls: yes", "6 RB510"),
        ("cost: 0.25", "cost: -1", "7 RB510"),
        ("steps: 9", "steps: 0", "4 RB510"),
        ("deadline: 30 seconds", "deadline: 2 hours", "5 RB510"),
        ("[ada, ben, cleo]", "[ada, ben, cleo, dora]", "2 RB508"),
        ("[ada, ben, cleo]", "[ada, ben, cleo, Ada]", "3 RB508"),
        ("`search`, `read`", "`search`, `delete`", "12 RB508"),
        ("`good`, `again`", "`again`", "15 RB508"),
        ("Cleo is the third.\n", "", "20 RB508"),
        ("## Stop when", "## Stop if", "29 RB508"),
        ("`ada`: looks first", "ada looks first", "23 RB509"),
        ("`ada`: looks first", "`dora`", "23 RB509"),
        ("each `npc`", "each `item`", "24 RB509"),
        ("→ 3,", "→ 5,", "27 RB509"),
        ("-> 1, at most 1 time", "-> 1", "28 RB509"),
        ('ben != "again"', 'ben != "bad"', "30 RB509"),
        ('ben != "again"', "ben.mood", "30 RB509"),
        ("written: `propose`", "written: `search`", "33 RB509"),
        ("known: `pages`", "known: `page`", "35 RB509"),
    ],
)
def test_a_mistake_is_told_on_its_line(tmp_path: Path, right: str, wrong: str, told: str):
    assert right in PAGE
    assert told in problems(tmp_path, PAGE.replace(right, wrong, 1))


def test_the_teams_that_ship_are_right():
    assert set(bundled_teams()) == {"game-master", "world-building", "storytelling", "problem-solving"}
