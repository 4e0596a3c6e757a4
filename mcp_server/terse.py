"""Owns how schemas of tools are told: clients load every byte of them into a model's context.

`given(schema)` of arguments, `made(schema)` of results. What is left out is what JSON Schema assumes anyway, or what the server
checks without telling. It must not know tools.
"""

from __future__ import annotations

from typing import Any, cast

Schema = dict[str, Any]
_NEVER = frozenset(["title", "minLength", "maxLength"])
"""Titles repeat the names; a text that is too long or too short is refused with its length."""


def given(schema: Schema) -> Schema:
    """Of arguments: what may be left out need not be null as well."""
    told = _told(schema)
    return {**told, "properties": {name: _optional(each) for name, each in told["properties"].items()}}


def made(schema: Schema | None) -> Schema | None:
    """Of a result, of which every field is always there."""
    if schema is None:
        return None
    return {name: value for name, value in _told(schema).items() if name != "required"}


def _optional(schema: Schema) -> Schema:
    choices = [each for each in schema.get("anyOf", ()) if each != {"type": "null"}]
    if len(choices) != 1:
        return schema
    return {**choices[0], **{name: value for name, value in schema.items() if name != "anyOf"}}


def _told(schema: Any, names: bool = False) -> Any:
    """`names`: the keys are names of the schema's own."""
    if isinstance(schema, list):
        return [_told(each) for each in cast("list[Any]", schema)]
    if not isinstance(schema, dict):
        return schema
    return {
        name: _told(value, names=name in ("properties", "$defs"))
        for name, value in cast("Schema", schema).items()
        if names or not _said_anyway(name, value)
    }


def _said_anyway(name: str, value: Any) -> bool:
    return name in _NEVER or (name == "default" and not value) or (name == "additionalProperties" and value is True)
