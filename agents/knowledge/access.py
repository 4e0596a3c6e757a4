"""Owns what a principal sees of the knowledge bases: which there are for them, which branches, what they may do there.

`await Doors(…).enter(who, name, "write")`. What may not be read is answered like what does not exist. It must not know pages.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from agents.access import RIGHTS, Namespace, Principal, Refused, Right, right
from agents.knowledge.base import Base
from agents.knowledge.errors import KnowledgeError, NotThere
from agents.knowledge.results import Seen
from agents.knowledge.spaces import Spaces
from kb.pages.names import draft_name
from kb.suggest import suggest

_PLAIN = re.compile(r"[a-z0-9]{1,32}")


@dataclass(frozen=True, slots=True)
class Entered:
    """A knowledge base that a principal is in, with the most that they may do."""

    who: Principal
    base: Base
    right: Right

    @property
    def name(self) -> str:
        return self.base.namespace.name

    def need(self, wanted: Right) -> None:
        """Raises `Refused` where the right is less than that."""
        if RIGHTS.index(self.right) < RIGHTS.index(wanted):
            hint = "Write to a draft, and ask somebody to publish it." if self.right == "write" else None
            what = f"{self.who.id} may not {wanted} in {self.name}"
            raise Refused(what, hint) if hint else Refused(what)

    def branch(self, name: str, *, writing: bool = False) -> str:
        """The branch that a name means for this principal: the live one, or a draft of theirs, by its short name.

        Without a name it is the live branch, and for who writes without the right to publish their draft `work`. Who may
        publish also names the drafts of others. Raises `NotThere`, `WriteError`.
        """
        live = self.base.live
        if not name:
            return live if not writing or self.right == "publish" else f"{drafts_of(self.who)}work"
        if name == live:
            return live
        if "/" not in name:
            return f"{drafts_of(self.who)}{draft_name(name)}"
        parts = name.split("/")
        mine = name.startswith(drafts_of(self.who)) and len(parts) == 3
        others = self.right == "publish" and len(parts) == 3 and parts[0] == "draft"
        if not (mine or (others and (self.base.head(name) is not None))):
            raise self.no_branch(name)
        draft_name(parts[2])
        return name

    def no_branch(self, name: str) -> NotThere:
        return NotThere(f"There is no branch {name[:80]!r} of {self.name}", "List the drafts, or leave the branch out.")


def drafts_of(who: Principal) -> str:
    """Where a principal's drafts are: a plain id as it is, any other with a digest, so that no two share a folder."""
    if _PLAIN.fullmatch(who.id):
        return f"draft/{who.id}/"
    slug = re.sub(r"[^a-z0-9]+", "-", who.id.lower()).strip("-")[:30] or "id"
    return f"draft/{slug}-{hashlib.sha256(who.id.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}/"


class Doors:
    """The knowledge bases of a process: the operator's (`fixed`, by name their locations), and those that were made."""

    def __init__(self, spaces: Spaces, fixed: Mapping[str, str], cache: Path):
        self.spaces, self.cache = spaces, cache
        self.fixed = {name: Namespace(name, location) for name, location in fixed.items()}
        self._open: dict[str, Base] = {}
        self._lock, self._opening = threading.Lock(), dict[str, threading.Lock]()

    async def all(self) -> dict[str, Namespace]:
        """Every namespace, seen by nobody in particular."""
        made = sorted(await self.spaces.namespaces(), key=lambda each: each.name)
        return {**self.fixed, **{each.name: each for each in made if each.name not in self.fixed}}

    async def visible(self, who: Principal) -> dict[str, tuple[Namespace, Right]]:
        """What there is for a principal."""
        found: dict[str, tuple[Namespace, Right]] = {}
        for name, namespace in (await self.all()).items():
            most = right(who, namespace, await self.spaces.right(who, name))
            if most is not None:
                found[name] = namespace, most
        return found

    async def enter(self, who: Principal, name: str) -> Entered:
        """Raises `NotThere`."""
        namespace = (await self.all()).get(name)
        share = await self.spaces.right(who, name)
        most = right(who, namespace, share) if namespace is not None else None
        if namespace is None or most is None:
            raise NotThere(f"There is no knowledge base {name[:80]!r}", await self._others(who, name))
        return Entered(who, await asyncio.to_thread(self.base, namespace), most)

    async def _others(self, who: Principal, name: str) -> str:
        known = sorted(await self.visible(who))
        return f"{suggest(name, known)} There is {', '.join(known[:30]) or 'none'}.".strip()

    def base(self, namespace: Namespace) -> Base:
        """The open base of a namespace; one that moved to another location or owner is opened anew."""
        with self._lock:
            opening = self._opening.setdefault(namespace.name, threading.Lock())
        with opening:  # cloning one keeps nobody from the others
            known = self._open.get(namespace.name)
            if known is None or known.namespace != namespace:
                known = self._open[namespace.name] = Base.open(namespace, self.cache)
            return known

    async def list(self, who: Principal) -> list[Seen]:
        """The knowledge bases that a principal may read."""
        found: list[Seen] = []
        for name, (namespace, most) in (await self.visible(who)).items():
            try:
                base = await asyncio.to_thread(self.base, namespace)
                writable = base.repository is not None and not base.remote
            except KnowledgeError:  # a host that does not answer hides no other knowledge base
                writable = False
            found.append(Seen(name, namespace.visibility, most, writable))
        return sorted(found, key=lambda each: each.name)
