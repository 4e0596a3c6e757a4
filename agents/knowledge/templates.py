"""Owns what a new page of each kind begins as, for designers: pages that check as they stand.

`template(kind, path, rulebook)`. The built-in kinds are written out; a world's own kinds get a key for each field that has a
start. It must not know where pages are kept.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from agents.knowledge.errors import KnowledgeError
from kb.compiler.builtin import RESERVED
from kb.rulebook import Rulebook
from kb.suggest import suggest

_TEMPLATES = {
    "lore": "# {name}\nWhat is known about it.\n",
    "experience": "---\nexperience: {id}\nuses: [adventure]\nstart: hall\n---\n# {name}\nHow it begins.\n",
    "place": "---\nplace: {id}\nexits: {{out: {start}}}\n---\n# {name}\nWhat one sees here.\n",
    "item": "---\nitem: {id}\nin: {start}\n---\n# {name}\nWhat one sees, looking at it.\n",
    "npc": '---\nnpc: {id}\nin: {start}\n---\n# {name}\nWho it is.\n',
    "quest": "---\nquest: {id}\n---\n# {name}\nWhat is to be done.\n",
    "rule": '---\nrule: {id}\non: {words}\n---\n# {name}\nWhen one may do it.\n## Then\n- say "You {words}."\n',
    "table": (
        "---\ntable: {id}\nhit: first\n---\n# {name}\n| `room.id` | say |\n|---|---|\n"
        "| - | Nothing happens. |\n"
    ),
    "kind": (
        "---\nkind: {id}\n---\n# {name}\n## State\n| Field | Type | Start | Meaning |\n|---|---|---|---|\n"
        "| worth | int 0..100 | 1 | what it is worth |\n"
    ),
    "workflow": "---\nworkflow: {id}\n---\n# {name}\n## 1. Begin\n- Then say \"It begins.\"\n## 2. End\n- End: \"It is done.\"\n",
    "agent": '---\nagent: {id}\nin: {start}\nmay: [say]\n---\n# {name}\nWho it is.\n## Always\n- when `player.score > 0` → say "Well done."\n',
    "scenario": "---\nscenario: {id}\n---\n# {name}\n| Player says | Answer holds | Check |\n|---|---|---|\n| look | | |\n",
}  # fmt: skip
_TEMPLATES["location"] = _TEMPLATES["place"]
_UNPLACED = re.compile(r"^(?:in: |exits: \{out: )\}?\n", re.MULTILINE)


def kinds(rulebook: Rulebook | None) -> list[str]:
    """The kinds of pages that there is a template for."""
    return sorted({*_TEMPLATES, *(rulebook.kinds if rulebook else ())} - {"world", "player", "location"})


def template(kind: str, path: str, rulebook: Rulebook | None) -> str:
    """The text of a new page. Raises `KnowledgeError` for a kind that is not known."""
    id = re.sub(r"[^a-z0-9]+", "-", PurePosixPath(path).stem.lower()).strip("-") or "page"
    id = id if id[0].isalpha() else f"{kind}-{id}"
    id = f"{id}-1" if id in RESERVED else id
    name = id.replace("-", " ").capitalize()
    start = rulebook.settings.start if rulebook else ""
    text = _TEMPLATES.get(kind)
    if text is None:
        found = rulebook.kinds.get(kind) if rulebook else None
        if found is None or kind not in kinds(rulebook):
            raise KnowledgeError(f"There is no kind of page {kind!r}", _hint(kind, kinds(rulebook)))
        held = {field.name: field.start for field in found.fields.values() if _shown(field.start)}
        keys = [f"{key}: {_yaml(value)}" for key, value in held.items() if key not in ("id", "name", "location")]
        text = "\n".join(["---", f"{kind}: {{id}}", *keys, "---", "# {name}", "What it is.", ""])
    filled = text.format(id=id, name=name, start=start, words=id.replace("-", " "))
    return filled if start else _UNPLACED.sub("", filled)


def _hint(kind: str, known: Sequence[str]) -> str:
    return f"{suggest(kind, known)} Templates: {', '.join(known)}.".strip()


def _shown(value: object) -> bool:
    return isinstance(value, (bool, int, float, str)) and value != ""


def _yaml(value: object) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)
