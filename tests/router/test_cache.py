"""What is kept is never the answer to something else: ten thousand near-misses, and a model for which everything is alike."""

import itertools
from collections.abc import Sequence
from typing import Any

import pytest

from agents.citations import Citation
from router.cache import AnswerCache, Kept, key_of
from router.meaning import may_be_kept, same_meaning
from storage import MemoryStore
from storage.expiring import ExpiringAway

pytestmark = pytest.mark.anyio
LORE = Kept(text="In the hall.", route="knowledge", citations=(Citation("a.md", "A", 1, "c"),))


class Alike:
    """For this model every question is like every other."""

    async def embed(self, texts: Sequence[str], **_: Any) -> list[list[float]]:
        return [[1.0, 0.1 * number] for number, _ in enumerate(texts)]


def near_misses() -> list[tuple[str, str]]:
    """Pairs that differ in one word that matters: direction, giver, number, name, negation, place."""
    people = ["gareth", "ann", "the miller", "otto", "liese", "bo"]
    things = ["lamp", "coin", "crown", "loaf", "rope", "book", "key", "hat"]
    places, numbers = ["mill", "tower", "cellar", "bridge", "well", "tree"], ["1", "10", "100", "1000", "two", "three"]
    frames = [
        ("give the {t} to {p}", "take the {t} from {p}"),
        ("climb up the {o}", "climb down the {o}"),
        ("go into the {o}", "go out of the {o}"),
        ("put the {t} on the {o}", "put the {t} under the {o}"),
        ("pay {p} {n} gold", "pay {p} {m} gold"),
        ("who gave {p} the {t}", "who took the {t} from {p}"),
        ("did {p} give the {t} to {q}", "did {q} give the {t} to {p}"),
        ("open the {o} with the {t}", "open the {o} without the {t}"),
        ("may {p} take the {t}", "may {p} not take the {t}"),
        ("lock the {o}", "unlock the {o}"),
        ("where is the {t} of {p}", "where is the {t} of {q}"),
        ("may i borrow {n} books", "may i borrow {m} books"),
        ("who is {p}", "where is {p}"),
        ("is the {t} in the {o}", "was the {t} in the {o}"),
        ("buy the {t}", "sell the {t}"),
        ("give the {t} to {p} in the {o}", "take the {t} from {p} in the {o}"),
        ("does {p} know that {q} is in the {o}", "does {q} know that {p} is in the {o}"),
        ("who paid {p} {n} gold for the {t}", "who paid {p} {m} gold for the {t}"),
        ("is {p} behind the {o} with the {t}", "is {p} before the {o} with the {t}"),
        ("may {p} carry the {t} up the {o}", "may {p} carry the {t} down the {o}"),
        ("should {p} follow {q} into the {o}", "should {p} follow {q} out of the {o}"),
    ]
    found: list[tuple[str, str]] = []
    for p, q, t, o, (n, m) in itertools.product(
        people, people, things, places, zip(numbers, [*numbers[1:], "5"], strict=True)
    ):
        if p != q:
            names = {"p": p, "q": q, "t": t, "o": o, "n": n, "m": m}
            found += [(one.format(**names), other.format(**names)) for one, other in frames]
    return list(dict.fromkeys((*found, *((b, a) for a, b in found))))


@pytest.mark.requirement("3.03", "4.23")
async def test_no_near_miss_is_given_the_answer_of_its_neighbour():
    pairs = near_misses()
    pairs += [(f"{one}, please", other) for one, other in pairs]
    pairs += [(f"could you tell me: {one}", f"{other}?") for one, other in pairs]
    assert len(pairs) >= 10_000
    false = 0
    for one, other in pairs:
        cache = AnswerCache(None, Alike(), chance=lambda: 1.0)  # pyright: ignore[reportArgumentType]
        await cache.put("key", LORE, scope="scope", question=one)
        false += await cache.alike("scope", other) is not None
        false += await cache.get(key_of("scope", other)) is not None
    assert false == 0


PARAPHRASES = [
    ("where is the brass hook?", "where's the brass hook"),
    ("where is the brass hook?", "could you tell me where the brass hook is located"),
    ("who is the innkeeper", "please tell me who the innkeeper is"),
    ("how long does a loan last?", "i want to know how long a loan lasts"),
    ("may I enter the tower", "hey, may i enter a tower?"),
    ("what is the crown made of", "What's the crown made of?"),
]


@pytest.mark.requirement("3.03")
async def test_a_question_about_lore_in_other_small_words_is_answered_without_a_call():
    hits = 0
    for one, other in PARAPHRASES:
        cache = AnswerCache(None, Alike(), chance=lambda: 1.0)  # pyright: ignore[reportArgumentType]
        await cache.put("key", LORE, scope="scope", question=one)
        found = await cache.alike("scope", other)
        hits += found == ("key", LORE)
        assert await cache.alike("other commit", other) is None
    assert hits >= 3


def test_the_same_words_in_another_order_mean_something_else():
    assert not same_meaning("what did otto give to maria", "what did maria give to otto")
    assert not same_meaning("", "")


@pytest.mark.requirement("3.03")
@pytest.mark.parametrize(
    "message", ["what time is it", "tell me a joke", "what happened today", "roll the dice", "again"]
)
def test_what_time_or_chance_is_in_is_not_kept(message: str):
    assert not may_be_kept(message)


async def test_an_answer_that_does_not_hold_when_asked_again_is_dropped():
    cache = AnswerCache(None, Alike(), chance=lambda: 0.0)  # pyright: ignore[reportArgumentType]
    await cache.put("key", LORE, scope="scope", question="where is the hook")
    assert cache.doubts
    other = Kept(text="Elsewhere.", route="knowledge", citations=(Citation("b.md", "B", 2, "c"),))
    await cache.checked("scope", "key", LORE, LORE)
    assert (cache.mismatches, await cache.get("key")) == (0, LORE)
    await cache.checked("scope", "key", LORE, other)
    assert (cache.mismatches, await cache.get("key")) == (1, None)
    assert await cache.alike("scope", "where's the hook") is None


@pytest.mark.requirement("4.41", "3.02")
async def test_workers_share_what_is_kept_and_go_on_without():
    store = MemoryStore()
    one, other = AnswerCache(store.expiring), AnswerCache(store.expiring)
    await one.put("key", LORE)
    assert await other.get("key") == LORE

    class Away:
        async def get(self, key: str) -> bytes | None:
            raise ExpiringAway("gone")

        async def swap(self, key: str, old: bytes | None, new: bytes, seconds: float) -> bool:
            raise ExpiringAway("gone")

    alone = AnswerCache(Away())
    await alone.put("key", LORE)
    assert (await alone.get("key"), await alone.get("other")) == (LORE, None)


@pytest.mark.requirement("3.02")
async def test_a_thousand_answers_are_held_the_newest_for_ten_minutes():
    now = 0.0
    cache = AnswerCache(now=lambda: now)
    for number in range(1_100):
        await cache.put(f"key {number}", LORE)
    assert (await cache.get("key 99"), await cache.get("key 1099")) == (None, LORE)
    now = 601.0
    assert await cache.get("key 1099") is None
