"""Shared by all tests: the `requirement` marker."""

import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "requirement(*ids): rows of docs/requirements.md that the test shows")
