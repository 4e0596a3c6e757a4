"""A run as JUnit XML: what CI servers need of it, and that nothing that is said breaks it."""

import json
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest

from evals.reports.junit import write
from evals.results import ResultsError
from tests.evals.reports.conftest import LINES, a_row, a_run


def parsed(run: Path) -> Xml.Element:
    file = run / "junit.xml"
    write(run, file)
    return Xml.parse(file).getroot()


def test_each_contender_is_a_suite_and_each_case_a_test_that_fails_with_why_and_lines(two_contenders: Path) -> None:
    (two_contenders / "timings.json").write_text(
        json.dumps({"seconds": {"system:small/b/1": 0.25, "system:small/b/2": 0.5}})
    )
    root = parsed(two_contenders)
    told = [[suite.get(name) for name in ("name", "tests", "failures", "errors", "skipped", "time")] for suite in root]
    assert told == [["rules:none", "5", "0", "0", "1", "0.000000"], ["system:small", "5", "2", "0", "1", "0.750000"]]
    case = root[1].find("testcase[@name='b']")
    assert case is not None
    assert (case.get("classname"), case.get("time")) == ("play.system:small", "0.750000")
    (failure,) = case
    assert failure.get("message") == "2 of 2 epochs: state lamp.location == player.id: it is hall"
    assert failure.get("type") == "state"
    for part in ("scenarios/lamp.md:2", *LINES, "> take lamp\nTaken."):
        assert part in (failure.text or "")
    assert root.findall("testsuite/testcase[@name='e']/skipped") != []
    assert {each.get("name"): each.get("value") for each in root[1].iter("property")}["commit.house"] == "0123456789ab"


def test_a_case_that_broke_its_solver_is_an_error(tmp_path: Path) -> None:
    root = parsed(a_run(tmp_path / "run", [a_row("a", solved=False, error="TimeoutError: the model", checks=())]))
    assert (root[0].get("errors"), root[0].get("failures")) == ("1", "0")
    error = root.find("testsuite/testcase/error")
    assert error is not None
    assert error.get("message") == "TimeoutError: the model"


def test_it_has_the_parts_and_attributes_that_the_schemas_of_ant_and_jenkins_ask_for(two_contenders: Path) -> None:
    root = parsed(two_contenders)
    assert (root.tag, root.attrib) == ("testsuites", {})
    needed = {"name", "package", "id", "tests", "failures", "errors", "skipped", "time", "timestamp", "hostname"}
    for number, suite in enumerate(root):
        assert (suite.attrib.keys(), suite.get("id")) == (needed, str(number))
        parts = [each.tag for each in suite]
        assert parts == ["properties", *["testcase"] * (len(parts) - 3), "system-out", "system-err"]
        assert all(
            each.attrib.keys() == {"name", "classname", "time"} and len(each) <= 1 for each in suite.iter("testcase")
        )


def test_whatever_is_said_the_xml_is_whole_and_bounded(tmp_path: Path) -> None:
    evil = "]]></failure><x>&\x00\x1b\x0b\ufffe\uffff<!--" + "z" * 100_000
    unmet = {"kind": evil, "what": evil, "met": False, "why": evil, "lines": [evil] * 100}
    row = a_row(evil, evil, solved=False, checks=(unmet,), at=evil)
    root = parsed(a_run(tmp_path / "run", [row], [evil + "left out"], suite=evil))
    assert len(list(root.iter("testcase"))) == 2
    assert root.find(".//x") is None
    assert (tmp_path / "run/junit.xml").stat().st_size < 50_000


def test_a_folder_without_a_run_is_a_typed_error(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="there are no results"):
        write(tmp_path, tmp_path / "junit.xml")
