"""Owns /openapi.json: tables of operations as OpenAPI 3.1. It must not know what operations do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mcp_server.web.operations import Nothing, Operation
from rulebound import __version__


class Problem(BaseModel):
    """What an error answers."""

    error: str
    message: str
    hint: str = ""


def route(operations: Sequence[Operation], public_url: str = "") -> Route:
    """Serves the document, which is made once."""
    made = document(operations, public_url)

    async def openapi(_: Request) -> Response:
        return JSONResponse(made)

    return Route("/openapi.json", openapi)


def document(operations: Sequence[Operation], public_url: str = "") -> dict[str, Any]:
    """The description of these operations."""
    models = {model for each in operations for model in (each.answer, each.query, each.body) if model} - {Nothing}
    ordered = sorted([*models, Problem], key=lambda model: model.__name__)
    _, schemas = models_json_schema(
        [(model, "serialization" if _answers(model, operations) else "validation") for model in ordered],
        ref_template="#/components/schemas/{model}",
    )
    definitions: dict[str, Any] = schemas["$defs"]
    paths: dict[str, dict[str, Any]] = {}
    for each in operations:
        paths.setdefault(each.path, {})[each.method.lower()] = _described(each, definitions)
    found: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": "Rulebound", "version": __version__},
        "paths": paths,
        "components": {
            "schemas": definitions,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "An API key or a token."}
            },
        },
        "security": [{"bearer": []}],
    }
    return found | ({"servers": [{"url": public_url}]} if public_url else {})


def _answers(model: type[BaseModel], operations: Sequence[Operation]) -> bool:
    return any(each.answer is model for each in operations)


def _described(operation: Operation, definitions: dict[str, Any]) -> dict[str, Any]:
    taken: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", operation.path)
    ]
    if operation.query is not Nothing:
        asked = definitions[operation.query.__name__]
        taken += [
            {"name": name, "in": "query", "required": name in asked.get("required", ()), "schema": schema}
            for name, schema in asked["properties"].items()
        ]
    if operation.confirm:
        told = f"The same as `{operation.confirm}`: this cannot be taken back."
        schema = {"type": "string"}
        taken.append({"name": "confirm", "in": "query", "required": True, "description": told, "schema": schema})
    answers: dict[str, Any] = {
        "default": {"description": "It was not done", "content": _content("Problem")},
        **(
            {"204": {"description": "It is done"}}
            if operation.answer is Nothing
            else {"200": {"description": operation.summary, "content": _content(operation.answer.__name__)}}
        ),
    }
    found: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "parameters": taken,
        "responses": answers,
        "security": [{"bearer": []}] if operation.scope else [{}, {"bearer": []}],
    }
    if operation.scope:
        found["description"] = f"Needs the scope `{operation.scope}`."
    if operation.body is not None:
        found["requestBody"] = {"required": True, "content": _content(operation.body.__name__)}
    return found


def _content(model: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{model}"}}}
