"""Owns changing a knowledge base for somebody who is in it: write, patch, delete, publish, revert; each checked first.

Each takes an `Entered` and gives a `Written`. What would break the live branch is refused with its lines; on a draft it is
told. It must not know transports.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from agents.knowledge.access import Entered
from agents.knowledge.base import Snapshot
from agents.knowledge.errors import KnowledgeError, NotThere
from agents.knowledge.graph import Graph, kind_of
from agents.knowledge.reading import no_page
from agents.knowledge.results import Written
from agents.knowledge.templates import template
from agents.worlds import with_libraries
from kb.diagnostics import Diagnostic, Severity, causes_first
from kb.pages.landing import drop, land, locked
from kb.pages.names import page_path
from kb.pages.repository import Repository
from kb.pages.writing import Conflict, Edit, edited, merge, put, revert
from kb.rulebook import Rulebook

Make = Callable[[str | None, Snapshot | None], str]
"""From a branch's commit, and what it holds, a new commit."""
MAX_PROBLEMS = 50


def write(
    entered: Entered, path: str, text: str, *, copy_of: str, kind: str, branch: str, message: str, dry_run: bool
) -> Written:
    """A new page: a text, a copy of another page, or the template of a kind. A page that is there is a `Conflict`."""
    if sum(map(bool, (text, copy_of, kind))) != 1:
        raise KnowledgeError("A new page has one of text, copy_of and template", "Give one of them.")

    def make(head: str | None, at: Snapshot | None) -> str:
        repository = _repository(entered)
        page_path(path)
        there = repository.etag(head, path)
        if there is not None:
            raise Conflict(f"{path} exists", "Patch it, with its etag as the base.", etag=there)
        return put(repository, head, {path: _new_text(entered, path, text, copy_of, kind, at)}, entered.who.id, message)

    return _landed(entered, branch, make, (path,), dry_run)


def _new_text(entered: Entered, path: str, text: str, copy_of: str, kind: str, at: Snapshot | None) -> str:
    if text:
        return text
    if copy_of:
        original = at.resolve(copy_of) if at else None
        if at is None or original is None:
            raise no_page(entered, copy_of)
        if original not in at.pages:
            raise KnowledgeError(
                f"{original} is a library's page", "Write a page of your own that says `instead of` it."
            )
        return _renamed(at, original, path)
    return template(kind, path, _rulebook(at, path))


def _renamed(at: Snapshot, original: str, path: str) -> str:
    """A page's text with the id that its new path names, so that no two pages have one id."""
    page = at.pages[original]
    first = next(iter(page.front.entries.values()), None)
    lines = page.text.split("\n")
    if first is not None and isinstance(first.value, str) and kind_of(page) != "kind":
        span = first.value_span
        line = lines[span.line - 1]
        id = path.rsplit("/", 1)[-1].rsplit(".", 1)[0].lower().replace("_", "-").replace(" ", "-")
        at_column = line.index(first.value, span.column - 1)
        lines[span.line - 1] = line[:at_column] + id + line[at_column + len(first.value) :]
    return "\n".join(lines)


def _rulebook(at: Snapshot | None, path: str) -> Rulebook | None:
    """The rulebook of the experience that a path lies in, or of the only one."""
    if at is None:
        return None
    found = at.checked.rulebooks.values()
    inside = [each for each in found if path.startswith(each.settings.span.path.rpartition("/")[0])]
    return max(inside, key=lambda each: len(each.settings.span.path), default=None)


def patch(
    entered: Entered, page: str, *, base: str, edits: Sequence[Edit], text: str | None, branch: str, message: str, dry_run: bool
) -> Written:  # fmt: skip
    """A page with edits, or with another text, if it still is what the client read (`base`, its etag)."""
    if bool(edits) == (text is not None):
        raise KnowledgeError("A patch has either edits or a text", "Give one of them.")
    path = _path(entered, page, branch)

    def make(head: str | None, at: Snapshot | None) -> str:
        repository = _repository(entered)
        there = repository.etag(head, path)
        if there is None:
            raise no_page(entered, page)
        _based(path, base, there)
        new = text if text is not None else edited(path, repository.content(there), edits)
        return put(repository, head, {path: new}, entered.who.id, message)

    return _landed(entered, branch, make, (path,), dry_run)


def _based(path: str, base: str, there: str) -> None:
    if not base:
        raise KnowledgeError("A change of a page needs its base", "Read the page, and give its etag as the base.")
    if base != there:
        what = f"{path} is not what it was when you read it"
        raise Conflict(what, "Read it again, and make the change to what it is now.", etag=there)


def _path(entered: Entered, page: str, branch: str) -> str:
    """The path of a page by its name, on the branch that is written or, before there is such a draft, the live one."""
    name = entered.branch(branch, writing=True)
    at = entered.base.at(name) or entered.base.at(entered.base.live)
    path = at.resolve(page) if at else None
    if at is None or path is None or not at.etag(path):
        raise no_page(entered, page)
    return path


def delete(
    entered: Entered, page: str, *, base: str, cascade: str, branch: str, message: str, dry_run: bool
) -> Written:
    """A page goes. Where others name it: `cascade` "unlink" takes links and exits to it out of them, "delete" also deletes
    what is in it alone; without it nothing is done and what would dangle is told."""
    if cascade not in ("", "unlink", "delete"):
        raise KnowledgeError(f"There is no cascade {cascade[:40]!r}", "Use unlink or delete, or leave it out.")
    path = _path(entered, page, branch)
    dangling: list[str] = []
    orphans: list[str] = []
    paths: list[str] = []
    before = ""

    def make(head: str | None, at: Snapshot | None) -> str:
        nonlocal before
        repository = _repository(entered)
        there = repository.etag(head, path)
        if there is None or at is None:
            raise no_page(entered, page)
        before = there
        if base:
            _based(path, base, there)
        graph = Graph(at.pages)
        gone = graph.inside(path) if cascade == "delete" else {path}
        uses = [use for each in gone for use in graph.to(each) if use.path not in gone]
        dangling[:] = sorted({f"{use.path}:{use.span.line}" for use in uses})
        if uses and not cascade and not dry_run:
            hint = "Change those lines first, or choose a cascade: unlink takes links and exits out, delete also deletes what is inside."
            raise KnowledgeError(f"Others name {path}: {', '.join(dangling[:20])}", hint)
        changes: dict[str, str | None] = dict.fromkeys(sorted(gone))
        if cascade:
            changes |= _without(repository, head, graph, gone, {use.path for use in uses})
        left = Graph({each: at.pages[each] for each in at.pages if each not in gone}).orphans()
        orphans[:] = sorted(set(left) - set(graph.orphans()))
        paths[:] = changes
        return put(repository, head, changes, entered.who.id, message or f"Delete {', '.join(sorted(gone))}")

    return replace(_landed(entered, branch, make, paths, dry_run, dangling, orphans), before=before)


def _without(
    repository: Repository, head: str | None, graph: Graph, gone: set[str], naming: set[str]
) -> Mapping[str, str]:
    """The pages that name what goes, without their links and exits to it."""
    changed: dict[str, str] = {}
    for path in sorted(naming):
        etag = repository.etag(head, path)
        if etag is not None:
            text = repository.content(etag).decode("utf-8", "strict")
            new = graph.without(path, text, gone)
            if new != text:
                changed[path] = new
    return changed


def publish(entered: Entered, draft: str, *, message: str, dry_run: bool) -> Written:
    """A draft becomes part of the live branch, by a merge where both went on; then the draft is gone."""
    entered.need("publish")
    name = entered.branch(draft)
    repository = entered.base.writable()
    head = repository.head(name)
    live = entered.base.live
    if head is None or name == live:
        raise entered.no_branch(draft)
    paths: list[str] = []

    def make(before: str | None, at: Snapshot | None) -> str:
        assert before is not None, "the live branch has a commit"
        new = merge(repository, before, head, entered.who.id, message)
        paths[:] = _inside(repository, before, new)
        return new

    written = _landed(entered, live, make, paths, dry_run)
    if not dry_run:
        drop(repository, name, head)
    return written


def take_back(entered: Entered, commit: str, *, branch: str, message: str, dry_run: bool) -> Written:
    """What a commit changed is as it was before it."""
    paths: list[str] = []

    def make(head: str | None, at: Snapshot | None) -> str:
        repository = _repository(entered)
        found = repository.commit_named(commit, head) if head else None
        if head is None or found is None:
            raise NotThere(f"There is no commit {commit[:50]!r} on this branch", "Look at the history.")
        new = revert(repository, head, found, entered.who.id, message)
        paths[:] = _inside(repository, head, new)
        return new

    return _landed(entered, branch, make, paths, dry_run)


def _inside(repository: Repository, before: str, after: str) -> list[str]:
    """The pages that differ. Raises `KnowledgeError` where files outside the knowledge base do."""
    prefix = f"{repository.inner}/" if repository.inner else ""
    changed = [each.path for each in repository.deltas(before, after)]
    outside = [path for path in changed if not path.startswith(prefix)]
    if outside:
        what = f"It also changes what is no part of the knowledge base: {', '.join(outside[:5])}"
        raise KnowledgeError(what, "Do it in the repository itself.")
    return [path.removeprefix(prefix) for path in changed]


# --- Landing --------------------------------------------------------------------------------------


def _repository(entered: Entered) -> Repository:
    return entered.base.writable()


def _landed(
    entered: Entered,
    branch: str,
    make: Make,
    paths: Sequence[str],
    dry_run: bool,
    dangling: Sequence[str] = (),
    orphans: Sequence[str] = (),
) -> Written:
    """Makes a commit, checks it, and puts it on its branch. A dry run does all but the last."""
    entered.need("write")
    repository = entered.base.writable()
    name = entered.branch(branch, writing=True)
    live = name == entered.base.live
    if live:
        entered.need("publish")
    with locked(repository, name):
        head = repository.head(name)
        start = head or repository.head(entered.base.live)
        before = entered.base.at(name) or entered.base.at(entered.base.live)
        new = make(start, before)
        after = entered.base.snapshot(new, name)
        # What a draft brings is counted from the live branch, so that a valid one can be played and published.
        brought = _brought(before if live else entered.base.at(entered.base.live), after)
        errors = [each for each in brought if each.severity is Severity.ERROR]
        if live and errors and not dry_run:
            hint = "Mend these lines, or write it to a draft."
            what = f"That would break the live branch of {entered.name}, so nothing was written"
            raise KnowledgeError(what, hint, causes_first(errors)[:MAX_PROBLEMS])
        if not dry_run:
            land(repository, name, head, new)
            entered.base.landed(name, after)
    shown = {each for each in after.checked.problems if each.span.path in paths} | set(brought)
    etag = repository.etag(new, paths[0]) if len(paths) == 1 else None
    return Written(
        entered.name, name, live, new, tuple(paths), etag or "", tuple(causes_first(sorted(shown))[:MAX_PROBLEMS]),
        _cites(after, paths), tuple(dangling), tuple(orphans), dry_run,
    )  # fmt: skip


def _brought(before: Snapshot | None, after: Snapshot) -> list[Diagnostic]:
    """The problems that were not there before, whatever line they stand on."""
    former = Counter(_told(each) for each in before.checked.problems) if before else Counter[tuple[str, str, str]]()
    found: list[Diagnostic] = []
    for each in after.checked.problems:
        if former[_told(each)]:
            former[_told(each)] -= 1
        else:
            found.append(each)
    return found


def _told(each: Diagnostic) -> tuple[str, str, str]:
    # That no page names an experience stands on whichever page is the first.
    return each.code, each.message, "" if each.code == "RB601" else each.span.path


def _cites(at: Snapshot, paths: Sequence[str]) -> tuple[str, ...]:
    """The pages whose declarations decide whether these are valid: their kinds', and the experiences'."""
    kinds = {kind_of(at.pages[path]) for path in paths if path in at.pages}
    found: set[str] = set()
    for path, page in with_libraries(at.pages).items():
        entry = page.front.entries.get("experience") or page.front.entries.get("kind")
        if entry is not None and (entry.key == "experience" or entry.value in kinds):
            found.add(f"{path}:{entry.key_span.line}@{at.commit[:12]}")
    return tuple(sorted(found)[:10])
