"""Tasks over a JSON database become rules, data and cases; the end of each is that of the calls, done on the JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agents.worlds import Where, World
from evals.cases import Case, CaseError
from evals.environment import environments, where_of
from evals.importers import Imported, read, save
from evals.importers.patches import changed
from evals.scoring import Verdict, verdict
from evals.solvers.rules import played
from evals.suites import suite


def verdicts(cases: list[Case], *, gold: bool = False) -> list[Verdict]:
    places = environments(cases)
    return [
        verdict(each, played(each, at, each.gold if gold else [turn.says for turn in each.turns], "user"), at)
        for each in cases
        for at in (places[where_of(each)],)
    ]


def problems(imported: Imported) -> list[str]:
    return [str(each) for each in imported.problems]


ORDER = {"type": "string"}
SHOP: dict[str, Any] = {
    "name": "shop",
    "tables": {
        "users": {
            "ada_k": {"name": {"first": "Ada"}, "credit": 10.5, "vip": True, "orders": ["#W1", "#W2"]},
            "ben_l": {"name": {"first": "Ben"}, "credit": 0, "vip": False, "orders": ["#W3"]},
        },
        "orders": [
            {"id": "#W1", "user": "ada_k", "status": "pending", "total": 40, "items": [{"sku": "s1", "qty": 2}], "at": {"city": "York"}, "notes": [], "paid": {"card": 40.0}},
            {"id": "#W2", "user": "ada_k", "status": "sent", "total": 15, "items": [], "at": {"city": "Ely"}, "notes": ["odd"], "paid": {}},
            {"id": "#W3", "user": "ben_l", "status": "pending", "total": 7, "items": [], "at": {"city": "Bath"}, "notes": [], "paid": {}, "mixed": 1},
            {"id": "#W4", "user": None, "status": "pending", "total": 7, "items": [], "at": {"city": "Bath"}, "notes": [], "paid": {}, "mixed": "one"},
        ],
    },
    "tools": [
        {
            "name": "cancel_order",
            "description": "Cancels.\n---\n# Not a heading [[nowhere]] {1/0} | `x`",
            "parameters": {"properties": {"order_id": ORDER, "user_id": ORDER, "reason": {"type": "string", "enum": ["mistake", "no longer needed"]}}, "required": ["order_id", "user_id"]},
            "effects": [
                {"op": "replace", "path": "/orders/{order_id}/status", "value": "cancelled"},
                {"op": "increment", "path": "/users/{user_id}/credit", "value": {"from": "/orders/{order_id}/total"}},
                {"op": "append", "path": "/orders/{order_id}/notes", "value": "{reason}"},
            ],
        },
        {
            "type": "function",
            "function": {"name": "move", "parameters": {"properties": {"order_id": ORDER, "city": ORDER}, "required": ["order_id", "city"]}},
            "effects": [{"op": "replace", "path": "/orders/{order_id}/at/city", "value": "{city}"}],
        },
        {
            "name": "give",
            "parameters": {"properties": {"order_id": ORDER, "to": ORDER, "lines": {"type": "array", "items": {"type": "object", "properties": {"sku": ORDER, "qty": {"type": "integer"}}}}}, "required": ["order_id", "to", "lines"]},
            "effects": [
                {"op": "replace", "path": "/orders/{order_id}/user", "value": "{to}"},
                {"op": "replace", "path": "/orders/{order_id}/items", "value": "{lines}"},
                {"op": "decrement", "path": "/orders/{order_id}/total", "value": 5},
            ],
        },
        {"name": "delete_user", "parameters": {"properties": {"user_id": ORDER}, "required": ["user_id"]}, "effects": [{"op": "remove", "path": "/users/{user_id}"}]},
        {"name": "get_order", "parameters": {"properties": {"order_id": ORDER}}},
        {"name": "refund", "writes": True, "parameters": {"properties": {"order_id": ORDER}}},
        {"name": "file", "parameters": {"properties": {"scan": {"type": "blob"}}}},
        {"name": "pay", "parameters": {"properties": {"order_id": ORDER}}, "effects": [{"op": "replace", "path": "/orders/{order_id}/mixed", "value": 1}]},
    ],
    "tasks": [
        {"id": "cancel", "instruction": "Cancel W1.", "actions": [{"name": "get_order", "arguments": {"order_id": "#W1"}}, {"name": "cancel_order", "arguments": {"order_id": "#W1", "user_id": "ada_k", "reason": "mistake"}}]},
        {"id": "both", "instruction": "Move W3, and give W2 to Ben.", "actions": [{"name": "move", "kwargs": {"order_id": "#W3", "city": "Leeds"}}, {"name": "give", "arguments": {"order_id": "#W2", "to": "ben_l", "lines": [{"sku": "q", "qty": 3}]}}]},
        {"id": "ask", "instruction": "Where is W2?", "actions": [{"name": "get_order", "arguments": {"order_id": "#W2"}}], "annotator": 3},
        {"id": "gone", "instruction": "Delete Ben.", "actions": [{"name": "delete_user", "arguments": {"user_id": "ben_l"}}]},
        {"id": "refund", "instruction": "Refund.", "actions": [{"name": "refund", "arguments": {"order_id": "#W2"}}]},
        {"id": "unknown", "instruction": "Cancel W9.", "actions": [{"name": "cancel_order", "arguments": {"order_id": "#W9", "user_id": "ada_k"}}]},
        {"id": "scan", "instruction": "Scan.", "actions": [{"name": "file", "arguments": {"scan": "x"}}]},
        {"id": "less", "instruction": "Move.", "actions": [{"name": "move", "arguments": {"order_id": "#W1"}}]},
    ],
}  # fmt: skip


def shop(tmp_path: Path, **more: Any) -> Imported:
    (tmp_path / "shop.json").write_text(json.dumps({**SHOP, **more}))
    return read("database", tmp_path / "shop.json")


def test_tasks_over_a_database_become_a_knowledge_base_whose_gold_solves_them(tmp_path: Path) -> None:
    folder = save(shop(tmp_path), tmp_path / "kb")
    cases = suite(str(folder)).cases()
    assert [each.id for each in cases] == ["cancel", "both", "ask", "gone"]
    assert [(each.solved, each.error) for each in verdicts(cases, gold=True)] == [(True, "")] * 4
    assert [each.solved for each in verdicts(cases)] == [False, False, True, False]


def test_all_that_is_left_out_of_a_database_is_told(tmp_path: Path) -> None:
    told = problems(shop(tmp_path, extra=1))
    assert told == [
        "shop.json: 'extra' is left out.",
        "tables.users.name: the field is called 'name_' on the page.",
        "tables.orders.user: null is read as '', the user that stands for nothing.",
        "tables.orders.mixed: it holds int and text: the field is left out. Give all rows values of one type.",
        "tools.get_order: it has no effects: no rule is made of it. Say `writes` if it has.",
        "tools.refund: what it writes is not told: its rule refuses. Write rules/refund.md.",
        "tools.file: the parameter 'scan' is 'blob', which has no type on a page: it is left out.",
        "tools.pay: its effects name the field orders.mixed, which is not there or was left out: it is left out.",
        "shop.json: task ask: 'annotator' is left out.",
        "shop.json: task refund: what its tool 'refund' writes is not told: the case is left out.",
        "shop.json: task unknown: there is no orders '#W9': the case is left out.",
        "shop.json: task scan: its tool 'file' is not there or was left out: the case is left out.",
        "shop.json: task less: move is not given 'city': the case is left out.",
    ]


def test_the_rules_leave_the_whole_database_as_the_calls_do(tmp_path: Path) -> None:
    """Every field of every row, not only those that a case checks."""
    folder = save(shop(tmp_path), tmp_path / "kb")
    world = World.open(Where.of(str(folder)))
    for case in suite(str(folder)).cases():
        at = next(iter(environments([case]).values()))
        rows = at.gold(case).state.rows
        data = {
            kind: {each["id"]: each for each in json.loads((folder / f"data/{kind}.json").read_text())}
            for kind in ("order", "user")
        }
        if case.id == "cancel":
            data["order"]["w1"] |= {"status": "cancelled", "notes": ["mistake"]}
            data["user"]["ada-k"] |= {"credit": 50.5}
        elif case.id == "both":
            data["order"]["w3"] |= {"at": {"city": "Leeds"}}
            data["order"]["w2"] |= {"user": "ben-l", "items": [{"sku": "q", "qty": 3}], "total": 10}
        elif case.id == "gone":
            del data["user"]["ben-l"]
        for kind, told in data.items():
            fields = world.rulebook.kinds[kind].fields
            assert {id for id in rows if rows[id]["kind"] == kind} == set(told)
            for id, row in told.items():
                assert {name: fields[name].type.dump(rows[id][name]) for name in row if name != "id"} == {
                    name: value for name, value in row.items() if name != "id"
                }


def test_an_effect_that_a_rule_lacks_is_caught(tmp_path: Path) -> None:
    folder = save(shop(tmp_path), tmp_path / "kb")
    page = folder / "rules/cancel-order.md"
    page.write_text("".join(line for line in page.read_text().splitlines(keepends=True) if "credit" not in line))
    found = verdicts(suite(str(folder)).cases(), gold=True)
    assert [each.solved for each in found] == [False, True, True, True]
    assert [each.what for each in found[0].checks if not each.met] == ["ada_k.credit == 50.5 at the end"]


@pytest.mark.parametrize(
    ("effect", "told"),
    [
        ({"op": "replace", "path": "/orders/#W1/status", "value": 1}, "is no path like"),
        ({"op": "test", "path": "/orders/{order_id}/status"}, "an effect has an `op`"),
        ({"op": "replace", "path": "/orders/{order_id}", "value": 1}, "names no field"),
        ({"op": "remove", "path": "/orders/{order_id}/status"}, "only whole rows"),
        ({"op": "replace", "path": "/orders/{order_id}/status", "value": "x", "if": 1}, "an effect has no 'if'"),
        (
            {"op": "replace", "path": "/lists/{order_id}/status", "value": "x"},
            "name a table or an argument that is not there",
        ),
        (
            {"op": "replace", "path": "/orders/{other}/status", "value": "x"},
            "name a table or an argument that is not there",
        ),
        ({"op": "replace", "path": "/orders/{order_id}/total", "value": "many"}, "set what the field cannot hold"),
        ({"op": "replace", "path": "/orders/{order_id}/status", "value": "{nothing}"}, "the argument 'nothing'"),
        ({"op": "replace", "path": "/orders/{order_id}/at/zip", "value": "x"}, "which is not there"),
        ("replace", "an effect is no object"),
    ],
)
def test_an_effect_that_cannot_be_read_is_told_with_its_tool(effect: Any, told: str, tmp_path: Path) -> None:
    tool = {"name": "move", "parameters": {"properties": {"order_id": ORDER}}, "effects": [effect]}
    imported = shop(tmp_path, tools=[tool], tasks=[])
    assert [each for each in problems(imported) if each.startswith("tools.move: ") and told in each]
    assert "rules/move.md" not in imported.files


def test_hostile_names_and_texts_stay_data(tmp_path: Path) -> None:
    odd = "a\n---\nrule: x\n# | `player.score` [[x]] {1/0} \x1b[2J"
    imported = shop(
        tmp_path,
        name=odd,
        tables={
            odd: {odd: {odd: odd, "id": 1, "ID": 2, "9": "x", "name": odd}},
            "items": {"player": {"x": 1}, "World": {"x": 2}},
        },
        tools=[
            {"name": f"do {odd}", "writes": True, "description": odd},
            {"name": "take", "parameters": {"properties": {odd: ORDER}}},
        ],
        tasks=[{"id": odd, "actions": []}, {"id": "t", "instruction": odd, "actions": []}],
    )
    folder = save(imported, tmp_path / "kb")
    assert all(each.is_relative_to(folder) for each in folder.rglob("*"))
    assert [each.id for each in suite(str(folder)).cases()] == ["t"]
    assert all(each.isprintable() for each in problems(imported))
    rows = World.open(Where.of(str(folder))).session.referee.new().rows
    assert sum(odd.replace("\x00", "") in row.values() for row in rows.values()) == 1


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ([], "the file is no object"),
        ({}, "`tables` is no object"),
        ({"tables": {"a": 1}, "tools": [], "tasks": []}, "the table 'a' is no object"),
        ({"tables": {"a": [{"x": 1}]}, "tools": [], "tasks": []}, "has no `id`"),
        ({"tables": {"a": [{"id": 1}, {"id": "1"}]}, "tools": [], "tasks": []}, "have one id"),
        ({"tables": {"a": "../../etc/passwd"}, "tools": [], "tasks": []}, "outside the folder"),
        ({"tables": {}, "tools": [{}], "tasks": []}, "a tool has no `name`"),
        ({"tables": {}, "tools": {}, "tasks": []}, "`tools` is no list"),
    ],
)
def test_a_file_that_is_no_database_is_told(data: Any, told: str, tmp_path: Path) -> None:
    (tmp_path / "d.json").write_text(json.dumps(data))
    with pytest.raises(CaseError, match=r"d\.json: ") as error:
        read("database", tmp_path / "d.json")
    assert told in str(error.value)


def test_a_call_changes_a_copy() -> None:
    before: dict[str, Any] = {"t": {"a": {"n": 1, "l": []}}}
    assert changed(before, (), {}) == before
    assert changed(before, (), {}) is not before
