"""Whoever makes a rule, a prompt or an agent's page worse fails the gate, and is told just the cases that it concerns."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

import router.prompt
from evals.cases import Case, Expect, Turn, write
from evals.data import phrases
from evals.results import Row, read
from evals.scripted import Answer, Call, Conversation, serving
from evals.simulated.knowing import calling
from evals.suites import suite
from kb import library
from rulebound.cli import app

PHRASES = {each.message: each for each in phrases()}
FALLEN = "  {} (1 of 1 before, 0 of 1 now): "
TWICE = "  {} (2 of 2 before, 0 of 2 now; may be chance): "
"""Two epochs of one case say little; those of all cases together do."""

Said = tuple[int, str]
Held = Callable[..., tuple[Said, Sequence[Row]]]


@pytest.fixture
def held(tmp_path: Path) -> Held:
    """Plays cases by the command, and holds them against the first that were: the gate's exit status and words, and the rows."""
    baseline = tmp_path / "baseline.json"

    def ran(*arguments: str | Path) -> Said:
        done = CliRunner().invoke(app, ["eval", *map(str, arguments)])
        return done.exit_code, done.output

    def play(name: str, cases: Path, *options: str) -> tuple[Said, Sequence[Row]]:
        out = tmp_path / name
        status, told = ran("run", cases, *options, "--out", out)
        assert status == 0, told
        if not baseline.exists():
            ran("gate", out, "--baseline", baseline, "--write")
        return ran("gate", out, "--baseline", baseline), read(out)

    return play


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A model named `scripted` that does for each sort of message what the prompt tells it to do, and nothing else."""
    with serving(obedient) as server:
        monkeypatch.setenv("RULEBOUND_MODEL", "scripted")
        monkeypatch.setenv("RULEBOUND_MODEL_URL", f"{server.url}/v1")
        yield


def obedient(asked: Conversation) -> Answer:
    said = asked.messages[-1].text
    phrases = [each for message, each in PHRASES.items() if message in said]
    if not phrases:
        return Answer("Well, well.")
    phrase = max(phrases, key=lambda each: len(each.message))  # one may stand within another
    call = None
    if phrase.action and "call that tool" in asked.system:
        call = calling(phrase.action, asked.parameters)
    elif phrase.question and "call ask_back" in asked.system:
        call = Call("ask_back", {"question": "Which do you mean?"})
    return Answer("", (call,)) if call is not None else Answer("Well, well.")


def told(said: Said, cases: set[str], line: str) -> None:
    """The gate failed, and names these cases and no others."""
    status, output = said
    named = [each for each in output.splitlines() if " before, " in each and each.startswith("  ")]
    assert status == 1, output
    assert len(named) == len(cases), output
    assert all(any(each.startswith(line.format(case)) for each in named) for case in cases), output


# --- a rule


@pytest.mark.requirement("4.52")
def test_a_condition_that_is_off_by_one_is_told_by_the_cases_at_its_boundary(tmp_path: Path, held: Held) -> None:
    shutil.copytree(library.worlds()["refund-desk"], tmp_path / "desk")
    rules = ("repair", "adjust-price", "approve")
    cases = [
        replace(each, id=each.id.removeprefix("refund-desk/"), world="desk")
        for each in suite("rules").cases()
        if each.world == "refund-desk" and each.tags["rule"] in rules and "rules" in each.by
    ]
    write(tmp_path / "cases.jsonl", cases)
    play = tmp_path / "cases.jsonl", "--solver", "rules"
    (status, output), before = held("before", *play)
    assert (status, len(before), all(row.solved for row in before)) == (0, 29, True), output
    (status, output), _ = held("again", *play)
    assert (status, output) == (0, "rules:none: as good as the baseline: 100.0% solved before, 100.0% now\n")
    page = tmp_path / "desk" / "rules" / "repair.md"
    text = page.read_text("utf-8")
    # Its author changed the page's own examples with it, so that they agree with the mistake.
    for old, new in (
        ("sale.age > world.window", "sale.age >= world.window"),
        ("| 2025-11-05 | sent for repair |", "| 2025-11-05 | 180 days |"),
    ):
        assert old in text
        text = text.replace(old, new)
    page.write_text(text, "utf-8")
    said, _ = held("after", *play)
    told(said, {"repair-clothing/in", "repair-electronics/in"}, FALLEN)
    assert "Its warranty ran 180 days, and 180 have passed." in said[1]


# --- a prompt


def spoken(sort: str) -> list[Case]:
    """Four phrases of free speech for which this is right. Of moves those that end a round: a draw leaves all as it was."""
    every = suite("play").cases()
    said = [each for world in ("rock-paper-scissors", "cloak") for each in every if each.world == world]
    right = [each for each in said if each.tags.get("right") == sort]
    return [each for each in right if not each.gold or each.gold[0] in ("play paper", "play scissors")][:4]


@pytest.mark.requirement("4.52")
def test_a_prompt_that_lost_a_sentence_is_told_by_the_cases_that_were_solved_by_it(
    tmp_path: Path, held: Held, model: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    sorts = {sort: spoken(sort) for sort in ("action", "question", "direct")}
    write(tmp_path / "cases.jsonl", [each for cases in sorts.values() for each in cases])
    play = tmp_path / "cases.jsonl", "--model", "scripted", "--epochs", "2"
    held("before", *play)
    (status, output), _ = held("again", *play)
    assert (status, output) == (
        0,
        "system:scripted: as good as the baseline: 100.0% solved before, 100.0% now, p = 1\n",
    )
    lines = router.prompt.SYSTEM.split("\n")
    for sort, sentence in (("action", "call that tool"), ("question", "call ask_back")):
        kept = [each for each in lines if sentence not in each]
        assert len(kept) == len(lines) - 1
        monkeypatch.setattr("router.prompt.SYSTEM", "\n".join(kept))
        said, _ = held(sort, *play)
        told(said, {each.id for each in sorts[sort]}, TWICE)


# --- an agent's page

INN = {
    "world.md": "---\nexperience: inn\nuses: [adventure]\nstart: hall\n---\n# Inn\nAn inn.\n",
    "hall.md": "---\nplace: hall\n---\n# Hall\nA hall.\n",
    "otto.md": "---\nagent: otto\nin: hall\nmay: [say]\nstate: {patience: int 0..5 = 5}\n---\n# Otto\n## Judgement\n"
    "> Is the player rude to Otto? **yes / no** → `otto.insulted`. With no model: **no**.\n## Then\n"
    '- when `otto.insulted == "yes"` → subtract 1 from `otto.patience`; say "Otto frowns."\n',
}


def literal(asked: Conversation) -> Answer:
    """Judges by the words of the question that it is asked."""
    assert asked.schema is not None
    rude = "rude" in asked.system + asked.messages[0].text and "fool" in asked.messages[-1].text
    return Answer.json(dict.fromkeys(asked.schema["properties"], "yes" if rude else "no"))


@pytest.mark.requirement("4.52")
def test_a_page_that_asks_its_judge_worse_is_told_by_the_cases_that_it_judges_otherwise(
    tmp_path: Path, held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in INN.items():
        (tmp_path / "inn").mkdir(exist_ok=True)
        (tmp_path / "inn" / name).write_text(text, "utf-8")
    lines = [
        "say you fool",
        "say fool of a host",
        "say what fools",
        "say foolish man",
        "say good evening",
        "say thanks",
        "look",
    ]
    cases = [
        Case(each, "inn", (Turn(each),), Expect(check=(f"otto.patience == {4 if 'fool' in each else 5}",)))
        for each in lines
    ]
    write(tmp_path / "cases.jsonl", cases)
    play = tmp_path / "cases.jsonl", "--solver", "system", "--model", "scripted", "--epochs", "2"
    with serving(literal) as server:
        monkeypatch.setenv("RULEBOUND_MODEL", "scripted")
        monkeypatch.setenv("RULEBOUND_MODEL_URL", f"{server.url}/v1")
        (status, output), before = held("before", *play)
        assert (status, all(row.solved for row in before)) == (0, True), output
        page = tmp_path / "inn" / "otto.md"
        page.write_text(page.read_text("utf-8").replace("rude to Otto", "unkind to Otto"), "utf-8")
        said, _ = held("after", *play)
    told(said, set(lines[:4]), TWICE)


# --- the router
