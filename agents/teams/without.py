"""Owns what a team gives where no model answers: its own words, and the facts that its page names.

`await facts(desk, task)`. It must not call a model, nor change anything.
"""

from __future__ import annotations

from agents.knowledge.templates import kinds, template
from agents.teams.tools import Desk, use
from storage.records import Json


async def facts(desk: Desk, task: str) -> Json:
    """What a team gives with no model: `text` and `seen`, as its page says."""
    parts: list[str] = [desk.team.apology]
    seen: list[Json] = []
    for each in desk.team.without:
        told: Json = {"text": ""}
        if each == "pages":
            told = await use(desk, "search", {"query": task}, "")
        elif each == "scene" and desk.handle:
            told = {"text": await _scene(desk)}
        elif each == "template":
            told = {"text": _template(task)}
        parts.append(told["text"])
        seen += told.get("seen", [])
    return {"text": "\n\n".join(part for part in parts if part), "seen": seen}


async def _scene(desk: Desk) -> str:
    found = (await desk.games.observe(desk.handle, desk.asker.id))["perceived"]
    lines = [found.get("room", ""), found.get("description", "")]
    lines.append(f"Here: {', '.join(found['things'])}." if found.get("things") else "")
    return "\n".join(line for line in lines if line)


def _template(task: str) -> str:
    """The page to begin from: of the first kind that the task names, else a place."""
    words = [word.strip(".,:;!?\"'").casefold() for word in task.split()]
    kind = next((word for word in words if word in {*kinds(None), "location"}), "place")
    name = next((words[at + 1] for at, word in enumerate(words[:-1]) if word in ("named", "called")), "new-page")
    return f"```markdown\n{template(kind, f'{name}.md', None)}```"
