"""Owns what pytest is told: scenarios and cases of Rulebound as tests, a threshold, a baseline.

It is loaded with every pytest where Rulebound is installed, so it imports nothing and does nothing until suites are named (`--rulebound`,
or `rulebound_suites` in the configuration); `evals.pytest_cases` does the rest. It must not know how cases are played.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options; docs/evaluators/gate.md tells of them."""
    group = parser.getgroup("rulebound", "cases of Rulebound as tests")
    group.addoption(
        "--rulebound",
        metavar="SUITE|PATH",
        action="append",
        default=[],
        help="a suite, a world, a folder of pages or a .jsonl file of cases; may be repeated",
    )
    group.addoption("--rulebound-solver", metavar="NAME", help="who plays (default: the suite's own)")
    group.addoption("--rulebound-model", metavar="NAME|none", default="none", help="a model of the settings")
    group.addoption("--rulebound-epochs", metavar="N", type=_epochs, default=1, help="how often each case is played")
    group.addoption(
        "--rulebound-threshold",
        metavar="SHARE",
        type=_share,
        help="the share solved that a suite needs (0 to 1): single cases may fail then",
    )
    group.addoption(
        "--rulebound-baseline",
        metavar="FILE",
        type=Path,
        help="fail where a run is significantly worse than this: single cases may fail then",
    )
    group.addoption("--rulebound-write-baseline", action="store_true", help="write that file from this run")
    parser.addini("rulebound_suites", "as --rulebound, where pytest is given no path", type="args", default=[])


def pytest_configure(config: pytest.Config) -> None:
    """Does nothing where no suite is named."""
    if config.option.rulebound_write_baseline and config.option.rulebound_baseline is None:
        raise pytest.UsageError("--rulebound-write-baseline needs --rulebound-baseline FILE")
    named: list[str] = config.option.rulebound
    if not named and config.args_source is not pytest.Config.ArgsSource.ARGS:
        named = config.getini("rulebound_suites")
    if named:
        from evals.pytest_cases import Cases

        config.pluginmanager.register(Cases(config, tuple(named)), "rulebound-cases")


def _epochs(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of times")
    return int(text)


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not between 0 and 1")
    return share
