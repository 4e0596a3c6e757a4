"""Differences of JSON objects."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage import apply, diff

scalars = st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from([0.0, 1.0, "", "a"])
values = st.recursive(
    scalars, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.sampled_from("abc"), v, max_size=3), max_leaves=12
)
objects = st.dictionaries(st.sampled_from("abcd-~="), values, max_size=5)


@given(objects, objects)
def test_a_patch_leads_from_the_one_object_to_the_other(old: dict[str, Any], new: dict[str, Any]) -> None:
    kept = json.dumps(old)
    assert json.dumps(apply(old, diff(old, new)), sort_keys=True) == json.dumps(new, sort_keys=True)
    assert json.dumps(old) == kept


@given(objects)
def test_nothing_differs_from_itself(old: dict[str, Any]) -> None:
    assert diff(old, json.loads(json.dumps(old))) == {}


@pytest.mark.parametrize(("old", "new"), [(1, True), (0, False), (1, 1.0), ([1], [True])])
def test_what_python_takes_for_equal_and_json_does_not_is_kept_apart(old: Any, new: Any) -> None:
    assert diff({"a": old}, {"a": new}) == {"=": {"a": new}}
