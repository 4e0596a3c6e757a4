"""How many true paraphrases of a question about lore are given its answer, beside the near-misses, of which none may be; and what a
label costs, over splitting the message into words."""

from __future__ import annotations

import time

from benchmarks.measure import percentiles, rate, row
from router.labels import Labels
from router.meaning import same_meaning

REQUIREMENTS = ("3.03", "4.23", "0.18")
QUESTIONS = {
    "who owns the mill": ["who is the owner of the mill", "to whom does the mill belong", "whose mill is it"],
    "where is the brass hook": ["where can i find the brass hook", "in which place is the brass hook", "the brass hook, where is it"],
    "how long does a loan last": ["what is the length of a loan", "for how long may i keep a loan", "how long is a loan"],
    "what beats paper": ["which move wins against paper", "what wins over paper", "how do i beat paper"],
    "may dogs enter the tavern": ["are dogs allowed in the tavern", "can dogs enter the tavern", "is a dog allowed into the tavern"],
    "who was the first king": ["what was the first king called", "which king was the first", "name of the first king"],
}  # fmt: skip
WRAPPED = (
    "{}?", "{}", "please tell me {}", "could you tell me {}?", "hey, {}", "do you know {}", "i want to know {}", "so, {} exactly?",
    "can you please tell me {}", "excuse me, {}?",
)  # fmt: skip
MISSES = (
    ("who owns the mill", "who owned the mill"),
    ("where is the brass hook", "where is the iron hook"),
    ("how long does a loan last", "how long does a loan not last"),
    ("what beats paper", "what does paper beat"),
    ("may dogs enter the tavern", "may dogs leave the tavern"),
    ("who was the first king", "who was the second king"),
    ("did otto rob maria", "did maria rob otto"),
    ("is it up the hill", "is it down the hill"),
    ("may i borrow 10 books", "may i borrow 100 books"),
)


def main() -> int:
    """Prints shares; a near-miss that hits is an error."""
    wrapped = [(question, form.format(question)) for question in QUESTIONS for form in WRAPPED]
    reworded = [(question, other) for question, others in QUESTIONS.items() for other in others]
    for name, pairs in (("in other small words", wrapped), ("in other words", reworded), ("near-misses", list(MISSES))):
        hits = sum(same_meaning(one, other) for one, other in pairs)
        row(f"{name}: given the answer", f"{hits} of {len(pairs)}", f"{hits / len(pairs):.0%}")
    labels, messages = Labels.shipped(), [message for _, message in (*wrapped, *reworded)]
    begin = time.perf_counter()
    labels.of("hello")
    row("learning the labels, once", f"{time.perf_counter() - begin:.2f} s")
    took: list[float] = []
    for message in messages:
        begin = time.perf_counter()
        labels.of(message)
        took.append(time.perf_counter() - begin)
    p50, p95, _ = percentiles(took)
    floor = rate(lambda: messages[0].casefold().split())
    row(
        "a label, median and 95th percentile", f"{p50 * 1000:.2f}, {p95 * 1000:.2f} ms", f"{p50 * floor:.0f}× splitting"
    )
    return int(any(same_meaning(one, other) for one, other in MISSES))


if __name__ == "__main__":
    raise SystemExit(main())
