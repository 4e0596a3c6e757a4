"""Owns the Skills extension (SEP-2640): what teaches a client to play, to design a rule, to run an eval.

`Skills()` is passed to the server. Each folder here is a skill, its files are resources. It must not know tools.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from mcp.server.context import ServerRequestContext
from mcp.server.extension import Extension, MethodBinding, ResourceBinding
from mcp.server.mcpserver.resources import TextResource
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS, PaginatedRequestParams, RequestParams

FOLDER = Path(__file__).parent
FRESH: dict[str, Any] = {"ttlMs": 3_600_000, "cacheScope": "public"}
"""They change with the release alone, and are the same for everybody."""


class OfUri(RequestParams):
    uri: str


class OfDirectory(PaginatedRequestParams):
    uri: str


class Skills(Extension):
    """Skills with their files. All fit in one page, so no cursor is ever given."""

    identifier = "io.modelcontextprotocol/skills"

    def __init__(self, folder: Path = FOLDER):
        self._files = {
            f"skill://{path.relative_to(folder).as_posix()}": path.read_text(encoding="utf-8")
            for path in sorted(folder.rglob("*.md"))
        }
        self._skills = {uri: self._entry(uri, text) for uri, text in self._files.items() if uri.endswith("/SKILL.md")}

    def settings(self) -> dict[str, Any]:
        return {"directoryRead": True}

    def resources(self) -> Sequence[ResourceBinding]:
        return [ResourceBinding(TextResource(text=text, **self._listed(uri))) for uri, text in self._files.items()]

    def methods(self) -> Sequence[MethodBinding]:
        return [
            MethodBinding("skills/list", PaginatedRequestParams, self._list),
            MethodBinding("skills/get", OfUri, self._get),
            MethodBinding("resources/directory/read", OfDirectory, self._directory),
        ]

    def _entry(self, uri: str, text: str) -> dict[str, Any]:
        """A skill as it is enumerated: its manifest, and every file with its digest."""
        root = uri.removesuffix("SKILL.md")
        files = {each: data.encode() for each, data in self._files.items() if each.startswith(root)}
        return {
            "uri": uri,
            "frontmatter": yaml.safe_load(text.split("---\n")[1]),
            "resources": [
                {"uri": each, "digest": f"sha256:{hashlib.sha256(data).hexdigest()}", "size": len(data)}
                for each, data in files.items()
            ],
        }

    def _listed(self, uri: str) -> dict[str, Any]:
        """A file as a resource: a manifest has the skill's name and description."""
        about: dict[str, Any] = self._skills[uri]["frontmatter"] if uri in self._skills else {}
        return {
            "uri": uri,
            "name": about.get("name", uri.rsplit("/", 1)[-1]),
            "description": about.get("description", f"Belongs to the skill {uri.split('/')[2]}."),
            "mime_type": "text/markdown",
        }

    async def _list(self, ctx: ServerRequestContext[Any, Any], params: PaginatedRequestParams) -> dict[str, Any]:
        return {"skills": list(self._skills.values()), **FRESH}

    async def _get(self, ctx: ServerRequestContext[Any, Any], params: OfUri) -> dict[str, Any]:
        if params.uri not in self._skills:
            raise MCPError(INVALID_PARAMS, "There is no such skill; skills/list names them", data={"uri": params.uri})
        return {"skill": self._skills[params.uri], **FRESH}

    async def _directory(self, ctx: ServerRequestContext[Any, Any], params: OfDirectory) -> dict[str, Any]:
        root = params.uri.rstrip("/") + "/"
        below = [uri for uri in self._files if uri.startswith(root)]
        if not below:
            raise MCPError(INVALID_PARAMS, "There is no such directory", data={"uri": params.uri})
        folders = dict.fromkeys(uri[len(root) :].split("/")[0] for uri in below if "/" in uri[len(root) :])
        listed = [{"uri": root + name, "name": name, "mimeType": "inode/directory"} for name in folders]
        for uri in below:
            if "/" not in uri[len(root) :]:
                about = self._listed(uri)
                listed.append(
                    {**{key: about[key] for key in ("uri", "name", "description")}, "mimeType": about["mime_type"]}
                )
        return {"resources": listed, **FRESH}
