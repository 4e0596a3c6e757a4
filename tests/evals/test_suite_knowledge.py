"""The suite's own truth: every section that is said to answer a question exists and holds the answer's key words."""

from collections import Counter
from functools import cache

import re2

from agents.knowledge_agent.words import telling
from agents.worlds import Where, index_of, open_location
from evals.scoring.citations import Pages
from evals.suites import suite

CASES = suite("knowledge").cases()
ANSWERED = [each for each in CASES if each.tags["answer"] == "yes"]


@cache
def _pages(world: str) -> Pages:
    return Pages(index_of(open_location(Where.of(world), None), None))


def test_there_are_questions_of_every_kind_and_none_twice() -> None:
    tags = Counter(tag for each in CASES for tag in each.tags.items())
    assert len(ANSWERED) >= 150
    assert tags["answer", "no"] >= 40
    assert tags["kind", "near-miss"] >= 20
    assert tags["hops", "2"] >= 20
    assert tags["wording", "few"] >= 40
    said = [(each.world, " ".join(each.turns[0].says.casefold().split())) for each in CASES]
    assert len(set(said)) == len(said)


def test_every_section_exists_and_holds_the_key_words_of_its_answer() -> None:
    for case in ANSWERED:
        expect = case.turns[0].expect
        wanted = expect.cites or expect.cites_any
        texts = [_pages(case.world).section(*each.split("#", 1)) for each in wanted]
        assert all(texts), f"{case.id}: one of {wanted} is not there"
        assert expect.says, case.id
        enough = any if expect.cites else all  # where one of several will do, each has it
        for pattern in expect.says:
            assert enough(re2.search(f"(?is){pattern}", text) for text in texts), f"{case.id}: {pattern}"


def test_the_tags_say_what_the_questions_are() -> None:
    for case in ANSWERED:
        expect, pages = case.turns[0].expect, _pages(case.world)
        assert case.tags["hops"] == str(len(expect.cites) or 1)
        cited = expect.cites or expect.cites_any
        there = set(pages.terms(" ".join([*cited, *(pages.section(*each.split("#", 1)) for each in cited)])))
        words = set(pages.terms(telling(case.turns[0].says)))
        assert (case.tags["wording"] == "few") == (3 * len(words & there) <= len(words)), case.id


def test_questions_without_an_answer_expect_that_this_is_said() -> None:
    for case in CASES:
        expect = case.turns[0].expect
        assert expect.declines is (case.tags["answer"] == "no")
        assert bool(expect.cites or expect.cites_any) is (case.tags["answer"] == "yes")
