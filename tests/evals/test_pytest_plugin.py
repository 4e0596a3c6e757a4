"""Scenarios and cases are tests of a user's pytest, where the user says so and only there."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import evals.pytest_cases
import evals.solvers.rules

pytest_plugins = "pytester"
PLUGIN = ("-p", "evals.pytest_plugin", "-p", "no:cacheprovider")
Play = Callable[..., pytest.RunResult]
LOADED = (evals.pytest_cases, evals.solvers.rules)
"""So that a session in this process need not import them anew."""
WORLD = {
    "shop.md": """---
experience: shop
---
# Shop
## Rules
| On | When | Then |
|---|---|---|
| knock | | add 1 to `player.knocks`; say "Knock, knock." |
| ring | | say "A bell." |
""",
    "player.md": """---
kind: player
---
# Player
## State
| Field | Type | Start | Meaning |
|---|---|---|---|
| knocks | int 0..9 | 0 | how often they knocked |
""",
    "scenarios/knock.md": """---
scenario: knock
---
# Knocking
| Player says | Check |
|---|---|
| knock | `player.knocks == 1` |
""",
    "scenarios/ring.md": """---
scenario: ring
---
# Ringing
| Player says | Answer holds |
|---|---|
| ring | bell |
""",
}
"""Without the adventure, which takes longer to compile."""


@pytest.fixture
def shop(pytester: pytest.Pytester) -> Path:
    """A world of two scenarios."""
    folder = pytester.path / "shop"
    for name, text in WORLD.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    return folder


def lock(shop: Path) -> None:
    """Breaks the rule of one scenario."""
    page = shop / "shop.md"
    page.write_text(page.read_text("utf-8").replace("add 1 to `player.knocks`; say", "refuse"), "utf-8")


@pytest.fixture
def played(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Play:
    """A session of pytest with the plugin and without those that are installed, which would be imported each time."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")

    def play(*args: str | Path) -> pytest.RunResult:
        return pytester.runpytest_inprocess(*PLUGIN, "--rulebound-solver", "rules", *map(str, args))

    return play


@pytest.mark.requirement("4.52")
def test_scenarios_of_a_world_are_tests_beside_the_users_own(
    pytester: pytest.Pytester, played: Play, shop: Path
) -> None:
    pytester.makepyfile("def test_own(): pass")
    result = played("--rulebound", shop, "-v")
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(
        ["*collected 3 items*", "*shop::knock PASSED*", "*shop::ring PASSED*", "shop: 100.0% of 2 cases solved (*"]
    )


def test_a_case_that_fails_shows_what_was_expected_and_the_lines_that_decided(
    pytester: pytest.Pytester, played: Play, shop: Path
) -> None:
    lock(shop)
    result = played("--rulebound", shop)
    result.assert_outcomes(passed=1, failed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        [
            "knock is not solved by rules:none in 1 of 1 epochs (scenarios/knock.md:*",
            "  expected state: player.knocks == 1 after 'knock'",
            "  but `player.knocks == 1` does not hold",
            "  1. 'knock' → refused by *: Knock, knock.",
            "    shop.md:8 *",
        ]
    )


def test_cases_of_a_file_are_tests_and_may_be_chosen(pytester: pytest.Pytester, played: Play, shop: Path) -> None:
    file = pytester.path / "own.jsonl"
    case = {"world": "shop", "expect": {"check": ["player.knocks == 1"]}}
    rows = [{**case, "id": "grab", "turns": ["knock"]}, {**case, "id": "look", "turns": ["look"]}]
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows), "utf-8")
    played("--rulebound", file).assert_outcomes(passed=1, failed=1)
    played("--rulebound", file, "-k", "grab").assert_outcomes(passed=1, deselected=1)
    result = played("--rulebound", file, "--rulebound", shop, "--collect-only", "-q")
    result.stdout.fnmatch_lines(["own::grab", "own::look", "shop::knock", "shop::ring"])


def test_each_case_is_played_in_every_epoch_and_must_be_solved_in_all(
    pytester: pytest.Pytester, played: Play, shop: Path
) -> None:
    lock(shop)
    result = played("--rulebound", shop, "--rulebound-epochs", "3")
    result.stdout.fnmatch_lines(["knock is not solved by rules:none in 3 of 3 epochs*"])


def test_with_a_threshold_single_cases_may_fail_and_the_suite_must_reach_it(
    pytester: pytest.Pytester, played: Play, shop: Path
) -> None:
    lock(shop)
    enough = played("--rulebound", shop, "--rulebound-threshold", "0.5")
    enough.assert_outcomes(passed=1, xfailed=1)
    assert enough.ret == pytest.ExitCode.OK
    short = played("--rulebound", shop, "--rulebound-threshold", "0.95")
    short.assert_outcomes(passed=1, xfailed=1)
    assert short.ret == pytest.ExitCode.TESTS_FAILED
    short.stdout.fnmatch_lines(["shop: 50.0% of 2 cases solved (*), 95.0% are wanted"])


@pytest.mark.requirement("4.52")
def test_a_baseline_fails_a_pull_request_that_breaks_a_rule_and_says_which_case(
    pytester: pytest.Pytester, played: Play, shop: Path
) -> None:
    file = pytester.path / "evals" / "baseline.json"
    written = played("--rulebound", shop, "--rulebound-baseline", file, "--rulebound-write-baseline")
    assert written.ret == pytest.ExitCode.OK
    assert json.loads(file.read_text("utf-8"))["rules:none"]["knock"]["solved"] == 1
    assert played("--rulebound", shop, "--rulebound-baseline", file).ret == pytest.ExitCode.OK
    lock(shop)
    result = played("--rulebound", shop, "--rulebound-baseline", file)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        [
            "rules:none: worse than the baseline: 100.0% solved before, 50.0% now",
            "  knock (1 of 1 before, 0 of 1 now): state player.knocks == 1*",
        ]
    )


def test_a_baseline_tells_removed_cases_from_those_that_were_not_asked_for(
    pytester: pytest.Pytester, played: Play, shop: Path
) -> None:
    file = pytester.path / "baseline.json"
    played("--rulebound", shop, "--rulebound-baseline", file, "--rulebound-write-baseline")
    chosen = played("--rulebound", shop, "--rulebound-baseline", file, "-k", "ring")
    assert chosen.ret == pytest.ExitCode.OK
    (shop / "scenarios" / "knock.md").unlink()
    removed = played("--rulebound", shop, "--rulebound-baseline", file)
    assert removed.ret == pytest.ExitCode.TESTS_FAILED
    removed.stdout.fnmatch_lines(["  1 not played: knock"])


def test_a_baseline_is_not_written_from_a_part_of_the_cases(
    pytester: pytest.Pytester, played: Play, shop: Path
) -> None:
    file = pytester.path / "baseline.json"
    args = ("--rulebound", shop, "--rulebound-baseline", file, "--rulebound-write-baseline", "-k", "ring")
    result = played(*args)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert not file.exists()
    result.stdout.fnmatch_lines(["*baseline.json is not written: 1 cases were not played*"])


def test_the_whole_is_judged_where_processes_share_the_cases(
    pytester: pytest.Pytester, played: Play, shop: Path
) -> None:
    file = pytester.path / "baseline.json"
    played("--rulebound", shop, "--rulebound-baseline", file, "--rulebound-write-baseline")
    lock(shop)
    result = pytester.runpytest_subprocess(
        *PLUGIN, "-p", "xdist", "-n2", "--rulebound-solver=rules", f"--rulebound={shop}", f"--rulebound-baseline={file}"
    )
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*1 passed, 1 xfailed*"])
    result.stdout.fnmatch_lines(["  knock (1 of 1 before, 0 of 1 now): *"])


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--rulebound", "nowhere"], "*There is no suite 'nowhere'*"),
        (["--rulebound", "shop", "--rulebound-solver", "ruls"], "*There is no solver 'ruls'*rules*"),
        (["--rulebound", "shop", "--rulebound-epochs", "0"], "*'0' is no number of times*"),
        (["--rulebound", "shop", "--rulebound-threshold", "95"], "*'95' is not between 0 and 1*"),
        (["--rulebound", "shop", "--rulebound-write-baseline"], "*needs --rulebound-baseline FILE*"),
        (["--rulebound", "shop", "--rulebound", "shop"], "*Two suites are called 'shop'*"),
    ],
)
def test_what_cannot_be_run_is_said_before_anything_runs(
    pytester: pytest.Pytester, played: Play, shop: Path, args: list[str], says: str
) -> None:
    result = played(*args)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([says])


def test_a_world_with_problems_is_said_with_their_places(pytester: pytest.Pytester, played: Play, shop: Path) -> None:
    page = shop / "shop.md"
    page.write_text(page.read_text("utf-8").replace("player.knocks", "player.knacks"), "utf-8")
    result = played("--rulebound", shop)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*shop.md:8:*RB203*knacks*"])


def test_suites_of_the_configuration_are_collected_where_no_path_is_given(
    pytester: pytest.Pytester, played: Play, shop: Path
) -> None:
    pytester.makeini("[pytest]\nrulebound_suites = shop\n")
    own = pytester.makepyfile("def test_own(): pass")
    played().assert_outcomes(passed=3)
    played(own).assert_outcomes(passed=1)


def test_nothing_changes_for_who_does_not_ask_for_it(pytester: pytest.Pytester, played: Play, shop: Path) -> None:
    pytester.makepyfile("def test_own(): pass")
    result = pytester.runpytest_inprocess(*PLUGIN)
    result.assert_outcomes(passed=1)
    assert "rulebound" not in result.stdout.str().partition("plugins:")[2]


def test_loading_it_imports_nothing_but_pytest() -> None:
    code = (
        "import pytest, argparse, sys; before = set(sys.modules); import evals.pytest_plugin;"
        "print(sorted(set(sys.modules) - before))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "['evals', 'evals.pytest_plugin']"
