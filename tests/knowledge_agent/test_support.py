"""Whether lines say what a sentence says: a golden table, and thousands of answers that a generator makes up."""

import re
from pathlib import Path
from random import Random

import pytest

from agents.knowledge_agent.agent import supported
from agents.knowledge_agent.passages import Limits, choose, plain
from agents.knowledge_agent.prompts import said
from agents.knowledge_agent.support import THRESHOLD, Support
from agents.knowledge_agent.words import names, numbers
from tests.knowledge_agent.conftest import PAGES, index

ROWS = [
    tuple(cell.strip() for cell in line.strip("| \n").split("|"))
    for line in (Path(__file__).parent / "support.md").read_text("utf-8").splitlines()
    if line.startswith("| ") and not line.startswith(("| Page", "| ---"))
]


@pytest.mark.requirement("0.12")
@pytest.mark.parametrize(("page", "sentence", "expected"), ROWS)
def test_a_sentence_is_supported_as_the_golden_table_says(page: str, sentence: str, expected: str) -> None:
    pages = index({"page.md": f"# The inn\n\n{page.replace(' / ', chr(10) * 2)}\n"})
    chosen = choose(pages, f"{page} {sentence}", Limits())
    support = Support(pages.terms, chosen.passages)
    found = support.of(sentence, [each.number for each in chosen.passages])
    assert ("yes" if found else "no") == expected


def test_the_golden_table_has_enough_of_both() -> None:
    assert min(sum(row[2] == each for row in ROWS) for each in ("yes", "no")) >= 20


INDEX = index()
CHOSEN = choose(INDEX, "What does a room cost, where are dogs, who is Marta, how deep is the well on Friday?", Limits())
SUPPORT = Support(INDEX.terms, CHOSEN.passages)
WORDS = sorted({word for text in PAGES.values() for word in re.findall(r"[\w']+", text)})
ALIEN = ["Gareth", "not", "1000", "rooms.md:7@abcdef0", "[3]", "13", "https://x.example"]
REAL = [line for each in CHOSEN.passages for line in each.lines]
JUNK = [
    None,
    True,
    1.5,
    "",
    "sentences",
    [],
    {},
    {"text": "x"},
    {"text": 3, "passages": [1]},
    {"text": "x", "passages": "1"},
    [[]],
]


def text(random: Random) -> str:
    """A line of a page, two of them, one with a word that was changed, or words of pages with some that are in none."""
    line = random.choice(REAL)
    words = line.split() or ["x"]
    match random.randrange(4):
        case 0:
            return line
        case 1:
            return f"{line} {random.choice(REAL)}"
        case 2:
            words[random.randrange(len(words))] = random.choice([*WORDS, *ALIEN])
            return " ".join(words)
        case _:
            return " ".join(random.choices([*WORDS, *ALIEN], k=random.randrange(1, 12)))


def answer(random: Random) -> object:
    """What a model may give: sentences with numbers of passages that may be any, and JSON of other shapes."""
    if random.random() < 0.1:
        return random.choice([*JUNK, {"sentences": random.choice(JUNK)}])
    sentences: list[object] = []
    for _ in range(random.randrange(6)):
        cited = [random.randrange(-3, 30) for _ in range(random.randrange(6))]
        sentences.append({"text": text(random), "passages": cited} if random.random() < 0.9 else random.choice(JUNK))
    return {"sentences": sentences}


@pytest.mark.requirement("0.12", "0.15")
def test_no_answer_of_any_model_cites_a_line_that_is_not_there_or_does_not_say_it() -> None:
    random, count = Random(5), 0
    pages = {path: INDEX.sections(path) for path in PAGES}
    shown = {(each.path, each.line + n) for each in CHOSEN.passages for n in range(len(each.lines))}
    for _ in range(5_000):
        _, claimed = said(answer(random))
        kept, _ = supported(SUPPORT, claimed)
        for sentence in kept:
            count += 1
            assert sentence.citations
            for each in sentence.citations:
                page = pages[each.path]
                assert page is not None
                assert (page.heading(each.line), each.commit) == (each.heading, INDEX.commit)
                assert (each.path, each.line) in shown
            # What is cited lies on pages that hold every number and name of the sentence, and most of its words.
            held = " ".join(plain(PAGES[each.path]) for each in sentence.citations)
            assert numbers(sentence.text) <= numbers(held)
            assert all(name in held.casefold() for name in names(sentence.text))
            assert not set(ALIEN) & set(sentence.text.split()) - {"not"}
            terms = set(INDEX.terms(sentence.text))
            assert len(terms & set(INDEX.terms(held))) >= THRESHOLD / 2 * len(terms)
    assert count > 500, "the generator makes up too little that is true"
