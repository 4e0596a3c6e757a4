"""An operator switches off what models are asked for; whoever asks goes on as without a model, and the status tells so."""

from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest

from agents.access import LOCAL
from agents.models import ModelError, Purpose, asked
from agents.models.client import Client
from agents.models.configuration import Configuration
from agents.worlds import Where
from evals.scripted import Answer, serving
from rulebound.app import build
from rulebound.settings import Settings
from storage import MemoryStore

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.parametrize(
    "purpose",
    [
        pytest.param("voice", marks=pytest.mark.requirement("4.01")),
        pytest.param("judge", marks=pytest.mark.requirement("4.02")),
        pytest.param("remember", marks=pytest.mark.requirement("4.03")),
        pytest.param("team", marks=pytest.mark.requirement("4.04")),
    ],
)
async def test_what_is_switched_off_asks_nobody_and_the_rest_goes_on(purpose: Any) -> None:
    with serving(lambda _: Answer("Well.")) as server:
        one = Configuration.one(url=f"{server.url}/v1", model="scripted")
        async with Client(replace(one, off=frozenset({purpose}))) as model:
            with pytest.raises(ModelError, match="is switched off") as refused:
                await model.chat(asked("", "hello", purpose=purpose))
            assert (refused.value.kind, len(server.requests)) == ("refused", 0)
            assert (await model.chat(asked("", "hello", purpose="route"))).text == "Well."
            assert model.health()["purposes"] == {
                purpose: {"on": False, "requests": 1, "answered": 0.0},
                "route": {"on": True, "requests": 1, "answered": 1.0},
            }


@pytest.mark.requirement("4.01")
async def test_an_npc_whose_voice_is_switched_off_speaks_from_its_page(tmp_path: Path) -> None:
    with serving(lambda _: Answer("Good evening to you.")) as server:
        one = Configuration.one(url=f"{server.url}/v1", model="scripted")
        said: list[str] = []
        for off in (frozenset[str](), frozenset({"voice"})):
            async with Client(replace(one, off=off)) as model:
                app = build(Settings(tmp_path / "home"), store=MemoryStore(), model=model)
                handle, _ = await app.games.start(Where.of("tavern"), LOCAL.id, seed=1)
                router = app.router(app.knowledge({}))
                person = next(
                    line.removeprefix("talk to ")
                    for line in (await app.games.observe(handle, LOCAL.id))["legal"]
                    if line.startswith("talk to ")
                )
                said.append((await router.answer(LOCAL, f"talk to {person}", handle=handle)).text)
                await app.close()
    assert "Good evening to you" in said[0]
    assert "Good evening to you" not in said[1]
    assert said[1].strip()
    assert len(server.requests) == 1


def test_the_file_names_what_is_off_by_purpose(tmp_path: Path) -> None:
    file = tmp_path / "models.toml"
    file.write_text('off = ["voice"]\n[providers.one]\nmodel = "m"\nurl = "http://127.0.0.1:1/v1"\n')
    assert Configuration.load(file, {}.get).off == {"voice"}
    file.write_text('off = ["voices"]\n[providers.one]\nmodel = "m"\nurl = "http://127.0.0.1:1/v1"\n')
    with pytest.raises(Exception, match=r"models\.toml:1: off: .*'voice'"):
        Configuration.load(file, {}.get)
    assert "voice" in get_args(Purpose)
