"""The secret that workers share."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rulebound.secret import SecretError, secret
from rulebound.settings import Settings


def test_a_home_has_one_secret_whoever_asks_first(tmp_path: Path) -> None:
    settings = Settings(tmp_path / "home")
    with ThreadPoolExecutor(8) as threads:
        found = set(threads.map(lambda _: secret(settings), range(32)))
    assert len(found) == 1
    assert len(found.pop()) == 32
    assert (tmp_path / "home" / "secret").stat().st_mode & 0o777 == 0o600
    assert [each.name for each in (tmp_path / "home").iterdir()] == ["secret"]


def test_a_given_secret_is_taken_unless_it_is_short(tmp_path: Path) -> None:
    assert secret(Settings(tmp_path, secret="s" * 32)) == b"s" * 32
    with pytest.raises(SecretError, match="fewer than 32 characters"):
        secret(Settings(tmp_path, secret="short"))
    assert not (tmp_path / "secret").exists()
