"""Examples and scenarios as tests of a world, and what a failing one tells."""

from __future__ import annotations

from kb.testing import example_problems, run_examples, run_scenarios, scenario_problems

PAGES = """
=== take.md
---
rule: take
on: take <item>
---
## When
- it is not held already: `item.location != player.id`
## Unless
| If | Say |
|---|---|
| `room == cellar` | It is too dark. |
## Then
- move `item` to `player`
- add 1 to `player.score`
- say "Taken."
## Examples
| player.location | item.location | result | then player.score |
|---|---|---|---|
| hall | hall | Taken. | 1 |
| cellar | cellar | It is too dark. | 0 |
| hall | player | refused | |
| hall | hall | done | 2 |
| hall | player | Taken. | |
=== table.md
---
table: prices
---
| `player.score` | say |
|---|---|
| < 5 | cheap |
| >= 5 | dear |
## Examples
| player.score | say |
|---|---|
| 4 | cheap |
| 5 | cheap |
=== tick.md
---
rule: tick
on: every turn
---
## When
- a player has a score: `player.score > 3`
## Then
- say "Tick."
## Examples
| player.score | result |
|---|---|
| 4 | Tick. |
| 3 | refused |
=== scenario-1.md
---
scenario: good
---
| Player says | Answer holds | Check |
|---|---|---|
| take lamp | Taken | `lamp.location == player.id` |
| go down | | `room == cellar` |
=== scenario-2.md
---
scenario: bad
---
## Given
- move [[lamp]] to [[cellar]]
- do `go down`

| Player says | Answer holds | Check |
|---|---|---|
| go up | | `room == hall` |
| go down | | |
| take lamp | Taken | |
=== scenario-3.md
---
scenario: refusing
---
| Player says | Answer holds | Refused |
|---|---|---|
| go up | can't go | yes |
| take lamp | not "Nothing" | no |
"""


def test_examples_pass_or_tell_what_came_out_instead(rulebook):
    results = {each.name: each for each in run_examples(rulebook(PAGES))}
    failures = {name: each.failure for name, each in results.items() if each.failure}
    assert failures == {
        "take example 4": "`player.score` is 1 afterwards, not 2",
        "take example 5": "it says “You can't do that: it is not held already.”, not “Taken.”",
        "prices example 2": "it says “dear”, not “cheap”",
    }
    assert len(results) == 9


def test_a_failing_example_shows_each_condition_with_its_line_and_value(rulebook):
    results = {each.name: each for each in run_examples(rulebook(PAGES))}
    line = results["take example 5"].trace[0]
    assert (line.kind, line.text, line.value, line.span.path, line.span.line) == (
        "condition",
        "it is not held already",
        False,
        "take.md",
        6,
    )


def test_failing_examples_are_problems_on_their_rows(rulebook):
    problems = example_problems(rulebook(PAGES))
    assert [(p.code, p.span.path, p.span.line) for p in problems] == [
        ("RB701", "take.md", 21),
        ("RB701", "take.md", 22),
        ("RB701", "table.md", 12),
    ]


def test_scenarios_play_turn_by_turn_up_to_the_first_that_fails(rulebook):
    results = {each.name: each.failure for each in run_scenarios(rulebook(PAGES))}
    assert results == {
        "good": None,
        "bad": "after “take lamp”, it says “It is too dark.”, not “Taken”",
        "refusing": None,
    }
    assert [(p.code, p.span.path, p.span.line) for p in scenario_problems(rulebook(PAGES))] == [
        ("RB702", "scenario-2.md", 12)
    ]
