"""What an answer's citations are worth is found out from the pages, not from the answer."""

import pytest

from evals.attempts import Attempt, Step
from evals.cases import Case, Expect, Turn
from evals.data import supported
from evals.environment import Environment, environments
from evals.scoring.citations import Citations, borne_out, declines, sentences
from evals.scoring.pages import Pages
from kb.referee import State

RENT = "rules/renting.md#1. Ask:6"


@pytest.fixture(scope="module")
def inns() -> Environment:
    return next(iter(environments([Case("a", "tavern")]).values()))


def scored(at: Environment, answer: str, *citations: str, **expect: object):
    """The checks, by kind whether they are met, and the figures of one answer."""
    state: State = at.begin(Case("a", "tavern")).state
    step = Step("What does a room cost?", answer, "answered", citations=citations)
    case = Case("a", "tavern", (Turn("What does a room cost?", Expect(**expect)),))  # pyright: ignore[reportArgumentType]
    attempt = Attempt((step,), (state, state), (1,))
    scorer = Citations()
    checks = scorer.expectations(case, attempt, at)
    return {(each.kind, each.met) for each in checks}, scorer.figures(case, attempt, at), checks


@pytest.mark.parametrize(
    ("citation", "why"),
    [
        ("rules/lodging.md#1. Ask:6", "no page"),
        ("rules/renting.md#1. Ask:600", "no line"),
        ("rules/renting.md#3. The garret:6", "stands under '1. Ask'"),
        (f"{RENT}@0123456789ab", "not the commit"),
        ("somewhere in the rules", "is no"),
        ("../../../etc/passwd#root:1", "no page"),
    ],
)
def test_a_citation_that_leads_nowhere_fails_the_case_and_says_why(inns: Environment, citation: str, why: str) -> None:
    found, figures, checks = scored(inns, "Twelve.", citation)
    assert found == {("citations", False)}
    assert why in checks[0].why
    assert (figures["citations"], figures["citations_exist"]) == (1, 0)


def test_a_citation_that_exists_is_no_check_of_its_own(inns: Environment) -> None:
    found, figures, _ = scored(inns, "The best room costs twelve, the garret four.", f"{RENT}@{inns.commit[:12]}")
    assert not found
    assert figures == {"citations": 1, "citations_exist": 1, "sentences": 1, "citations_support": 1}


@pytest.mark.parametrize(
    ("wanted", "met"),
    [
        ("rules/renting.md", True),
        ("renting.md#1. Ask", True),
        ("rules/renting.md#Renting a room", True),
        ("rules/renting.md#2. The best room", False),
        ("rules/rent.md", False),
        ("enting.md", False),
    ],
)
def test_a_citation_meets_the_page_or_the_section_that_holds_its_line(
    inns: Environment, wanted: str, met: bool
) -> None:
    assert scored(inns, "Twelve.", RENT, cites=(wanted,))[0] == {("cites", met)}
    assert scored(inns, "Twelve.", RENT, cites_any=("rules/nowhere.md", wanted))[0] == {("cites", met)}


def test_every_page_that_is_expected_must_be_cited(inns: Environment) -> None:
    _, _, checks = scored(inns, "Twelve.", RENT, cites=("rules/renting.md", "rules/rent.md"))
    assert [each.met for each in checks] == [True, False]
    assert RENT in checks[1].why


def test_without_citations_nothing_is_met_and_there_are_no_figures(inns: Environment) -> None:
    found, figures, _ = scored(inns, "Twelve.", cites=("rules/renting.md",))
    assert (found, figures) == ({("cites", False)}, {})


@pytest.mark.parametrize(
    ("answer", "says_so"),
    [
        ("The pages say nothing about this.", True),
        ("The rules do not mention horses.", True),
        ("I don't know.", True),
        ("No page tells what it costs.", True),
        ("Nothing is said about dogs in the rules.", True),
        ("The best room costs twelve.", False),
        ("Nobody sells that here.", False),
        ("You cannot sleep there.", False),
    ],
)
def test_an_answer_that_says_that_no_page_answers_is_told_from_one_that_answers(answer: str, says_so: bool) -> None:
    assert declines(Step("", answer, "answered")) is says_so


def test_what_a_quoted_page_does_not_know_is_not_declining(inns: Environment) -> None:
    cites = "tables/topics.md#What people say:6"
    quoted = '| case, "the case", peddler, tobin | wren | < 40 | “I don\'t know you well enough for that.” |'
    assert scored(inns, quoted, cites, declines=False)[0] == {("declines", True)}
    assert scored(inns, f"{quoted}\nI don't know.", cites, declines=True)[0] == {("declines", True)}


def test_lines_that_only_cite_are_no_sentences() -> None:
    assert sentences(f"{RENT}\n# Renting\nOne. Two!\n\n|---|\n| a | b |") == ["# Renting", "One.", "Two!", "| a | b |"]


def test_the_check_of_support_agrees_with_the_labels_as_the_docs_say() -> None:
    labels = supported()
    places = {each: Pages(_world(each)) for each in {label.world for label in labels}}
    right = wrongly = 0
    for each in labels:
        pages = places[each.world]
        assert not [why for cite in each.cites if (why := pages.wrong(cite))]
        evidence = [unit for cite in each.cites for unit in pages.evidence(cite)]
        says = borne_out(each.says, evidence, pages.terms)
        right += says == each.supported
        wrongly += says and not each.supported
    assert (len(labels), right, wrongly) == (90, 73, 5)


def _world(name: str):
    from agents.worlds import Where, index_of, open_location

    return index_of(open_location(Where.of(name), None), None)


@pytest.mark.parametrize(
    "citation", ["\0#a:1", "\ud800#\ud800:1", "a" * 99_999, "#" * 999 + ":1", f"{RENT}99999999", "a#b:٣"]
)
def test_a_hostile_citation_leads_nowhere(inns: Environment, citation: str) -> None:
    assert scored(inns, "Twelve.", citation)[0] == {("citations", False)}


def test_of_an_answer_without_end_only_so_much_is_looked_at(inns: Environment) -> None:
    answer = "The best room costs twelve. " * 5_000 + "say " * 20_000 + "\n|" * 5_000
    _, figures, _ = scored(inns, answer, RENT, RENT)
    assert (figures["citations_exist"], figures["sentences"]) == (2, 200)
