"""The page of a run, in a real browser from its file: what it shows, how it is used, and that hostile text stays text."""

import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from evals.reports.page import report
from evals.results import ResultsError
from evals.summary import summarise, write_summary
from tests.evals.reports.conftest import LINES, Browse, a_row, a_run, a_step

TEXT = "document.body.innerText"
CASES = "[...document.querySelectorAll('#cases tbody th button')].map((each) => each.textContent)"
DIALOG = "document.querySelector('dialog').innerText"
EVIL = '</script><script>window.pwned=1</script><!--<script><img src=x onerror="window.pwned=2">\u2028\x00\ud800\'"`${window.pwned=3}'


def test_the_page_shows_contenders_with_intervals_what_was_left_out_and_each_case(
    browse: Browse, two_contenders: Path
) -> None:
    page = report(two_contenders)
    told = browse(page, ("tell", "text", TEXT), ("tell", "cases", CASES), ("tell", "title", "document.title"))
    text = told["text"]
    assert told["title"] == "play: results"
    assert "5 cases · 2 contenders · 2 epochs · seed 0" in text
    assert re.search(
        r"system:small\s+4\s+62\.5% \d+\.\d–\d+\.\d\s+75\.0%\s+50\.0%\s+8, 0\s+1\s+98\s+\$0\.0020\s+\$0\.016", text
    )
    assert "1 case that only a model can play was left out" in text
    assert told["cases"] == ["a", "b", "c", "d"]
    assert "state lamp.location == player.id: it is hall" in text


def test_cases_are_filtered_by_text_tag_and_failure_and_sorted_by_a_contender(
    browse: Browse, two_contenders: Path
) -> None:
    told = browse(
        report(two_contenders),
        ("fill", "#words", "HALL lamp"),
        ("tell", "words", CASES),
        ("fill", "#words", ""),
        ("choose", "#tag", '["kind","scenario"]'),
        ("tell", "tag", CASES),
        ("choose", "#tag", ""),
        ("check", "#failed"),
        ("tell", "failed", CASES),
        ("tell", "count", "document.querySelector('#shown').value"),
        ("click", "#cases thead th:nth-child(3) button"),
        ("tell", "worst", CASES),
        ("click", "#cases thead th:nth-child(3) button"),
        ("tell", "best", CASES),
        ("tell", "sorted", "document.querySelector('#cases thead th:nth-child(3)').ariaSort"),
    )
    assert (told["words"], told["tag"], told["failed"]) == (["b", "c"], ["a", "d"], ["b", "c"])
    assert told["count"] == "2 of 4 cases"
    assert (told["worst"], told["best"], told["sorted"]) == (["b", "c"], ["c", "b"], "descending")


def test_a_case_opens_as_a_transcript_with_the_lines_that_decided_and_keys_go_on_to_the_next(
    browse: Browse, two_contenders: Path
) -> None:
    told = browse(
        report(two_contenders),
        ("click", "#cases tbody tr:nth-child(2) .cell.no"),
        ("click", "dialog details:last-of-type summary"),
        ("tell", "text", DIALOG),
        ("press", "ArrowRight"),
        ("tell", "next", "document.querySelector('#transcript-title').textContent"),
        ("tell", "place", "location.hash"),
        ("press", "Escape"),
        ("tell", "open", "document.querySelector('dialog').open"),
        ("tell", "focus", "document.activeElement.getAttribute('aria-label')"),
    )
    for part in ("not solved · system:small", "unmet", *LINES, "User: take lamp", "Taken.", "recognise", "$0.0020"):
        assert part in told["text"], part
    assert "lamp.location: hall -> player" in told["text"]
    assert (told["next"], told["place"], told["open"]) == ("c", "#case=c&one=3", False)
    assert told["focus"].startswith("system:small: not solved 0/2.")


def test_two_runs_are_compared_and_both_transcripts_of_a_lost_case_stand_side_by_side(
    browse: Browse, tmp_path: Path
) -> None:
    before = a_run(tmp_path / "before", [a_row(case) for case in "abc"])
    dark = (a_step("take lamp", "It is too dark.", "refused", lines=LINES),)
    now = [a_row("a"), a_row("b", solved=False, steps=dark), a_row("c")]
    told = browse(
        report(a_run(tmp_path / "now", now), against=before),
        ("tell", "text", "document.querySelector('#compared').innerText"),
        ("click", "#compared tbody button"),
        ("tell", "dialog", DIALOG),
        ("tell", "sides", "document.querySelectorAll('#attempts > section').length"),
    )
    assert "rules:none: 100.0% → 66.7%, -33.3 points" in told["text"]
    assert "1 lost, 0 won of 3 cases" in told["text"]
    assert told["sides"] == 2
    for part in ("solved · before", "not solved · now", "Taken.", "It is too dark.", "≠ differs here"):
        assert part in told["dialog"], part


def hostile(contender: str = f"rules:{EVIL}") -> list[Any]:
    steps = (a_step(EVIL, EVIL, lines=[EVIL], actions=[EVIL], rule=EVIL, reason=EVIL, route=EVIL, citations=[EVIL],
                    changes=[{"id": EVIL, "field": EVIL, "before": EVIL, "after": {EVIL: EVIL}}], models=[{"model": EVIL, "purpose": EVIL}],
                    attempted=[EVIL], executed=[EVIL], status="refused"),)  # fmt: skip
    check = {"kind": EVIL, "what": EVIL, "met": False, "why": EVIL, "lines": [EVIL]}
    given: dict[str, Any] = {
        "task": EVIL,
        "at": EVIL,
        "world": EVIL,
        "tags": {EVIL: EVIL},
        "error": EVIL,
        "checks": (check,),
    }
    return [a_row(EVIL, contender, solved=False, steps=steps, **given)]


def written(folder: Path, rows: list[Any], **more: Any) -> Path:
    """A run whose text no encoding can hold: it is escaped, as a program of another language would write it."""
    folder.mkdir()
    name = rows[0].contender
    head = {
        "suite": EVIL,
        "cases": 1,
        "fingerprint": EVIL,
        "epochs": 1,
        "seed": 0,
        "contenders": [name],
        "commits": {EVIL: EVIL},
        "version": EVIL,
    }
    (folder / "results.jsonl").write_text("".join(json.dumps(asdict(row)) + "\n" for row in rows))
    (folder / "summary.json").write_text(json.dumps(summarise(head, rows, [EVIL]) | more))
    return folder


def test_hostile_text_in_every_field_is_shown_as_text_and_nothing_runs(browse: Browse, tmp_path: Path) -> None:
    run = written(tmp_path / "run", hostile())
    told = browse(
        report(run, against=written(tmp_path / "before", hostile())),
        ("click", "#cases tbody th button"),
        ("tell", "text", DIALOG),
        ("tell", "pwned", "window.pwned ?? null"),
        ("tell", "images", "document.querySelectorAll('img, iframe, object, embed, a').length"),
        ("tell", "scripts", "document.scripts.length"),
    )
    assert (told["pwned"], told["images"], told["scripts"]) == (None, 0, 2)
    assert told["text"].count("</script><script>window.pwned=1</script><!--<script><img src=x onerror=") > 10


def test_names_that_every_object_has_are_names_as_any_other(browse: Browse, tmp_path: Path) -> None:
    rows = [
        a_row("__proto__", "constructor", tags={"toString": "valueOf", "__proto__": "x"}),
        a_row("constructor", "system:small", solved=False, tags={"toString": "constructor", "__proto__": "y"}),
    ]
    told = browse(
        report(a_run(tmp_path / "run", rows), against=a_run(tmp_path / "before", rows)),
        ("tell", "cases", CASES),
        ("tell", "strata", "document.querySelector('#strata').innerText"),
        ("click", "#cases tbody th button"),
        ("tell", "text", DIALOG),
    )
    assert told["cases"] == ["__proto__", "constructor"]
    assert "NaN" not in told["strata"]
    assert "Take the lamp of __proto__" in told["text"]


def test_a_line_of_a_million_characters_is_cut_until_it_is_asked_for(browse: Browse, tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", [a_row("a", steps=(a_step("x" * 1_000_000),))])
    told = browse(
        report(run),
        ("click", "#cases tbody th button"),
        ("tell", "cut", "document.querySelector('.says').innerText.length"),
        ("click", ".says button"),
        ("tell", "whole", "document.querySelector('.says').innerText.length"),
    )
    assert told["cut"] < 5_000
    assert told["whole"] > 1_000_000


def test_a_page_without_room_holds_the_transcripts_that_failed_and_says_which_are_elsewhere(
    browse: Browse, tmp_path: Path
) -> None:
    long = (a_step("good " * 500),)
    run = a_run(tmp_path / "run", [a_row("good", steps=long), a_row("bad", solved=False)])
    told = browse(
        report(run, room=1_000),
        ("click", "#cases tbody tr:nth-child(2) th button"),
        ("tell", "bad", DIALOG),
        ("click", "#previous"),
        ("tell", "good", DIALOG),
    )
    assert "User: take lamp" in told["bad"]
    assert "no room for the transcript; results.jsonl beside it has it" in told["good"]


def test_five_thousand_rows_come_a_piece_at_a_time_and_the_last_is_found(browse: Browse, tmp_path: Path) -> None:
    rows = [
        a_row(f"case-{number:04}", name, solved=number % 10 > 0)
        for name in ("rules:none", "expert:none")
        for number in range(2_500)
    ]
    told = browse(
        report(a_run(tmp_path / "run", rows)),
        ("tell", "count", "document.querySelector('#shown').value"),
        ("tell", "first", f"{CASES}.length"),
        ("tell", "scrolled", "document.querySelector('#cases tbody tr:last-child').scrollIntoView()"),
        ("wait", f"{CASES}.length > 150"),
        ("fill", "#words", "case-2499"),
        ("tell", "found", CASES),
    )
    assert (told["count"], told["found"]) == ("2,500 of 2,500 cases", ["case-2499"])
    assert told["first"] <= 200


@pytest.mark.parametrize("given", [{"width": 390, "height": 800}, {"dark": True}], ids=["phone", "dark"])
def test_the_page_fits_a_phone_and_has_contrast_in_the_dark(
    browse: Browse, two_contenders: Path, given: dict[str, Any]
) -> None:
    contrast = """(() => {
        const light = (rgb) => rgb.match(/[\\d.]+/g).slice(0, 3).map((each) => each / 255)
          .map((each) => (each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4))
          .reduce((sum, each, index) => sum + each * [0.2126, 0.7152, 0.0722][index], 0);
        const paper = light(getComputedStyle(document.body).backgroundColor);
        const ratio = (element) => { const ink = light(getComputedStyle(element).color); return (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05); };
        return Math.min(...[...document.querySelectorAll('p, th, td, button, label, summary')].map(ratio));
    })()"""
    told = browse(
        report(two_contenders),
        ("tell", "wide", "document.documentElement.scrollWidth - innerWidth"),
        ("tell", "contrast", contrast),
        (
            "tell",
            "unnamed",
            "[...document.querySelectorAll('button, input, select')].filter((each) => !each.labels?.length && !each.textContent && !each.ariaLabel).length",
        ),
        **given,
    )
    assert told["wide"] <= 0
    assert told["contrast"] >= 4.5
    assert told["unnamed"] == 0


def test_a_run_in_which_nothing_was_played_is_a_page_too(browse: Browse, two_contenders: Path) -> None:
    (two_contenders / "results.jsonl").write_text("")
    head = json.loads((two_contenders / "summary.json").read_text())["run"]
    write_summary(two_contenders, head, [], ["a"])
    assert "0 of 0 cases" in browse(report(two_contenders), ("tell", "text", TEXT))["text"]


def test_the_same_results_give_the_same_bytes_and_nothing_in_them_is_from_elsewhere(two_contenders: Path) -> None:
    first = report(two_contenders).read_bytes()
    assert report(two_contenders).read_bytes() == first
    text = first.decode("ascii", "ignore")
    assert re.findall(r"https?://[^\"' ]+", text.replace("http://www.w3.org/2000/svg", "")) == []
    assert "default-src 'none'" in text
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|\bsrc=| on[a-z]+=\"", text
    )


@pytest.mark.parametrize(
    ("file", "content"),
    [("summary.json", None), ("summary.json", "["), ("summary.json", "[]"), ("summary.json", '{"run": 1, "contenders": {}}'),
     ("results.jsonl", None), ("results.jsonl", "{}\n"), ("results.jsonl", "\udcff")],
)  # fmt: skip
def test_files_that_cannot_be_used_are_a_typed_error_that_names_them(
    two_contenders: Path, file: str, content: str | None
) -> None:
    (two_contenders / file).unlink()
    if content is not None:
        (two_contenders / file).write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(ResultsError, match=file):
        report(two_contenders)
    assert not (two_contenders / "report.html").exists()
