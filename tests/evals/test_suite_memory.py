"""What was told fifty turns ago holds: by rules without a model, and in what a voice is given to speak from."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from agents.models.client import Client
from agents.models.configuration import Configuration
from agents.models.model import Model
from evals.attempts import Attempt
from evals.cases import Case
from evals.environment import environments
from evals.scoring import Verdict, verdict
from evals.scripted import Answer, Conversation, serving
from evals.solvers import Needs, opened
from evals.suites import suite
from tests.npcs.conftest import Clock, Inn, Said, written

CASES = {each.id: each for each in suite("memory").cases()}
STATE = [each for each in CASES.values() if each.tags["asked"] == "rules"]
pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def test_there_are_cases_of_every_kind_and_fifty_turns_lie_between() -> None:
    kinds = [each.tags["kind"] for each in CASES.values()]
    assert len(CASES) >= 40
    for kind in ("promise", "trust", "secret", "once", "told", "changed", "not-told", "crowded", "free"):
        assert kinds.count(kind) >= 3, kind
    assert {each.by for each in CASES.values() if each.tags["kind"] == "free"} == {("model",)}
    for case in CASES.values():
        assert len(case.turns) >= 52
        assert case.turns[-1].expect, case.id


async def test_the_same_story_is_the_same_case_every_time() -> None:
    assert [each.as_data() for each in CASES.values()] == [each.as_data() for each in suite("memory").cases()]


async def played(cases: Iterable[Case], solver: str, home: Path, model: Model | None = None) -> list[Verdict]:
    """What came of the cases."""
    return [found for found, _ in await attempts(cases, solver, home, model)]


async def attempts(
    cases: Iterable[Case], solver: str, home: Path, model: Model | None = None
) -> list[tuple[Verdict, Attempt]]:
    cases = list(cases)
    places = {each.world.where.location: each for each in environments(cases).values()}
    found: list[tuple[Verdict, Attempt]] = []
    async with opened(solver, Needs(model, home)) as player:
        for case in cases:
            at = places[case.world]
            attempt = await player.solve(case, at, 1)
            found.append((verdict(case, attempt, at), attempt))
    return found


async def test_what_rules_keep_holds_without_a_model(tmp_path: Path) -> None:
    found = await attempts(STATE, "rules", tmp_path)
    unsolved = {case.id: each.checks for case, (each, _) in zip(STATE, found, strict=True) if not each.solved}
    assert len(STATE) >= 20
    assert not unsolved
    for case, (_, attempt) in zip(STATE, found, strict=True):
        for step in attempt.steps[:-1]:
            assert step.status == "done", f"{case.id}: {step.says!r}: {step.answer}"


@pytest.mark.parametrize("id", ["tavern/new-name", "ferry/promise-withdrawn", "tavern/whispered"])
async def test_what_a_person_was_told_is_known_without_a_model(id: str, tmp_path: Path) -> None:
    (found,) = await played([CASES[id]], "system", tmp_path)
    assert found.solved, [each.why for each in found.checks]


async def test_without_a_model_a_story_in_free_words_is_not_known(tmp_path: Path) -> None:
    (found,) = await played([CASES["tavern/thimble"]], "system", tmp_path)
    assert not found.solved


@dataclass
class Remembering:
    """A voice that knows nothing but its prompt: it says the words, which the question lacks, of what stands there about it."""

    prompts: list[str] = field(default_factory=list[str])

    def __call__(self, asked: Conversation) -> Answer:
        prompt = asked.messages[-1].text
        self.prompts.append(prompt)
        question = _words(prompt.rpartition(" SAYS\n")[2].partition("</data>")[0].partition(">")[2])
        told = [line for line in prompt.splitlines() if line.startswith(("(turn ", "The player "))]
        best = max(told, key=lambda line: (len(_words(line) & question), told.index(line)), default="")
        if not _words(best) & question:
            return Answer("I know nothing of that.")
        said = re.sub(r" — \w+: .*", "", best).partition(": ")[2] or best
        new = [word for word in re.findall(r"\w{4,}", said) if word.casefold() not in question]
        return Answer(f"Hm: {' '.join(new)}.")


def _words(text: str) -> set[str]:
    return {word.casefold() for word in re.findall(r"\w{3,}", text)} - {
        "what",
        "where",
        "your",
        "the",
        "did",
        "under",
        "this",
    }


@pytest.mark.parametrize(
    "id",
    ["tavern/thimble-after-much-talk", "wylding-woods/grandmother", "tavern/whispered-hiding-place"],
)  # fmt: skip
async def test_a_voice_is_given_what_was_told_fifty_turns_ago(id: str, tmp_path: Path) -> None:
    with serving(voice := Remembering()) as server:
        async with Client(Configuration.one(url=f"{server.url}/v1", model="scripted")) as model:
            ((found, attempt),) = await attempts([CASES[id]], "system", tmp_path, model)
    assert found.solved, f"{attempt.steps[-1].answer}\n{voice.prompts[-1]}"


async def test_after_a_change_a_voice_is_given_the_newer_fact_alone(tmp_path: Path) -> None:
    case = CASES["tavern/new-home"]
    with serving(voice := Remembering()) as server:
        async with Client(Configuration.one(url=f"{server.url}/v1", model="scripted")) as model:
            await attempts([case], "system", tmp_path, model)
    facts = voice.prompts[-1].partition("FACTS AND PROMISES OF THE PLAYER\n")[2].partition("</data>")[0]
    assert "comes from Dover" in facts
    assert "Norwich" not in facts


async def test_another_players_secret_is_in_nobodys_prompt_but_their_own(tmp_path: Path) -> None:
    """A case has one player, so this is no case: two players of a shared inn, and fifty turns between."""
    from agents.npcs.minds import Minds
    from agents.npcs.voices import Voices
    from rulebound.app import build
    from rulebound.settings import Settings
    from storage import MemoryStore

    where, clock, said = written(tmp_path / "inn"), Clock(), Said("Good evening.")
    with serving(said) as server:
        async with Client(Configuration.one(url=f"{server.url}/v1", model="scripted")) as model:
            store = MemoryStore()
            app = build(Settings(tmp_path / "home"), store=store, now=clock)
            inn = Inn(app, Voices(model, Minds(store.memories), now=clock), where, clock)
            await inn.turn("whisper I hid a purse of rubies under the pump to otto", "Ada")
            await inn.say("my name is Ada Byron", "Ada")
            for number in range(50):
                await inn.turn("look", ("Ada", "Ben")[number % 2])
            await inn.say("what did Ada hide under the pump?", "Ben")
            others = said.prompt
            await inn.say("what did I hide under the pump?", "Ada")
            await inn.voices.close()
            await app.close()
    assert "rubies" in said.prompt
    assert "rubies" not in others
    assert "Byron" not in others
