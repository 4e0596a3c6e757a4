"""The models' file: every problem is told with its line, and no key is ever shown."""

import subprocess
import sys
from pathlib import Path

import pytest

from agents.models.configuration import Configuration, ConfigurationError, Prices, Provider
from agents.models.prices import known
from storage.ledger import Limits

WHOLE = """
default = ["fast", "big"]
embedding = "fast"
label = "fast"

[budget]
calls = 1000
cost = 5
principal = { calls = 10, cost = 0.5 }

[providers.fast]
model = "small"
url = "http://127.0.0.1:8080/v1/"
concurrency = 2

[providers.big]
model = "anthropic/claude-sonnet-4-5"
key = "BIG_KEY"
prices = { input = 3, output = 15, cached = 0.3 }
extra = { top_p = 0.9 }
"""


def load(tmp_path: Path, text: str) -> Configuration:
    file = tmp_path / "models.toml"
    file.write_text(text, "utf-8")
    return Configuration.load(file, {"BIG_KEY": "sk-secret"}.get)


@pytest.mark.requirement("4.48", "3.14")
def test_a_file_names_providers_their_order_prices_and_budgets(tmp_path: Path) -> None:
    found = load(tmp_path, WHOLE)
    assert (found.default, found.embedding, found.label) == (("fast", "big"), "fast", "fast")
    assert (found.everybody, found.each) == (Limits(1000, 5.0), Limits(10, 0.5))
    fast, big = found.providers["fast"], found.providers["big"]
    assert (fast.through, fast.url, fast.concurrency, known(fast)) == (
        "http",
        "http://127.0.0.1:8080/v1",
        2,
        Prices(0, 0),
    )
    assert (big.through, big.key, big.extra) == ("litellm", "sk-secret", {"top_p": 0.9})
    assert known(big) == Prices(3.0, 15.0, 0.3)
    assert "sk-secret" not in repr(found)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            "concurrency = 2",
            "concurrency = 0",
            r"models\.toml:14: providers\.fast\.concurrency: .*greater than or equal to 1",
        ),
        ("concurrency = 2", "concurrent = 2", r":14: providers\.fast\.concurrent: Unexpected"),
        ('model = "small"\n', "", r":11: providers\.fast\.model: Field required"),
        ('"BIG_KEY"', '"NO_KEY"', r":18: providers\.big\.key: the environment has no NO_KEY"),
        ("http://127", "ftp://127", r":13: providers\.fast\.url: 'ftp://127.* is no address"),
        ('["fast", "big"]', '["fast", "huge"]', r":2: default: no provider is called 'huge', only fast, big"),
        ('default = ["fast", "big"]', "", r":1: default: say who is asked first, of fast, big"),
        ('label = "fast"', 'label = "tiny"', r":4: label: no provider is called 'tiny'"),
        ("calls = 10,", "calls = -1,", r":9: budget\.principal\.calls: .*greater than or equal to 0"),
        ("[budget]", "[budget", r"models\.toml: Expected"),
        ("http://127.0.0.1:8080", "https://example.org", r":11: providers\.fast: a budget in money needs its prices"),
    ],
)
def test_a_problem_is_told_with_its_line(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in WHOLE
    with pytest.raises(ConfigurationError, match=says):
        load(tmp_path, WHOLE.replace(old, new))


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as failed:
        load(tmp_path, WHOLE.replace("concurrency = 2", "timeout = 0").replace("cost = 5", "cost = 'much'"))
    assert [line.split(":")[1] for line in str(failed.value).splitlines()] == ["8", "14"]
    with pytest.raises(ConfigurationError, match="No such file") as gone:
        Configuration.load(tmp_path / "none.toml", {}.get)
    assert "RULEBOUND_MODELS" in gone.value.hint


def test_prices_are_litellms_where_the_operator_says_none() -> None:
    found = known(Provider("a", "anthropic/claude-sonnet-4-5", through="litellm"))
    assert found is not None
    assert found.cost(1_000_000, 0) == found.input > 0
    assert found.cached is not None
    assert found.cost(100, 10, 50) == pytest.approx((50 * found.input + 50 * found.cached + 10 * found.output) / 1e6)
    assert known(Provider("a", "nobody/knows", "https://example.org/v1")) is None


def test_neither_a_client_nor_its_prices_import_litellm() -> None:
    code = (
        "import sys, asyncio; from agents.models.client import Client; from agents.models.configuration import Configuration, Provider;"
        "from agents.models.prices import known; known(Provider('a', 'gpt-4o-mini'));"
        "Client(Configuration.one(url='', model='anthropic/x')).health();"
        "assert not {'litellm', 'jsonschema', 'httpx2', 'pydantic'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
