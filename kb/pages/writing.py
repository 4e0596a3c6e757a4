"""Owns commits: pages put, edited and deleted, drafts merged, commits reverted, as new objects that no branch names yet.

`put(repository, head, changes, author, message)` gives a commit, which `kb.pages.landing` puts on its branch after it was
checked. It must not know what pages mean.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pygit2
from pygit2.enums import FileMode, ObjectType

from kb.pages.names import WriteError, message_text, page_bytes, page_path
from kb.pages.repository import Repository

_COMMITTER = ("Rulebound", "rulebound@localhost")


class Conflict(WriteError):
    """Somebody else's change stands in the way; nothing was written. `etag` is what the page's content is now,
    `places` are `path:line` of each clash."""

    def __init__(self, message: str, hint: str, *, etag: str | None = None, places: Sequence[str] = ()):
        super().__init__(message, f"{hint} Its etag is now {etag}." if etag else hint)
        self.etag, self.places = etag, tuple(places)


@dataclass(frozen=True, slots=True)
class Author:
    """Who a commit is by."""

    name: str

    @property
    def signature(self) -> pygit2.Signature:
        name = (
            "".join(each for each in self.name if each.isprintable() and each not in "<>").strip(" .,;:'\"") or "nobody"
        )
        return pygit2.Signature(name, f"{''.join(c if c.isalnum() else '-' for c in name)}@rulebound.invalid")


@dataclass(frozen=True, slots=True)
class Edit:
    """A text that stands in a page exactly once, and what shall stand there."""

    find: str
    replace: str


def edited(path: str, data: bytes, edits: Sequence[Edit]) -> str:
    """A page's text after edits, one after the other; its kind of line ends stays. Raises `WriteError`."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise WriteError(f"{path} is not UTF-8", "Replace its whole text.") from None
    windows = "\r\n" in text
    text = text.replace("\r\n", "\n") if windows else text
    for number, edit in enumerate(edits, 1):
        find = edit.find.replace("\r\n", "\n")
        count = text.count(find) if find else 0
        if count != 1:
            lines = [n for n, line in enumerate(text.split("\n"), 1) if find and find.split("\n")[0] in line][:5]
            where = f", around lines {', '.join(map(str, lines))}" if lines else ""
            what = f"Edit {number}: the text to find stands {count} times in {path}, not once{where}"
            raise WriteError(what, "Read the page, and quote more of what stands around it.")
        text = text.replace(find, edit.replace.replace("\r\n", "\n"))
    return text.replace("\n", "\r\n") if windows else text


def put(repository: Repository, head: str | None, changes: Mapping[str, str | None], author: str, message: str) -> str:
    """A commit after `head` with the texts at their paths; None deletes. Raises `WriteError`."""
    tree = repository.root(head) if head else None
    for path, text in changes.items():
        parts = [*filter(None, repository.inner.split("/")), *page_path(path).split("/")]
        _fits(tree, parts)
        blob = None if text is None else repository.git.create_blob(page_bytes(path, text))
        made = _with(repository.git, tree, parts, blob) or repository.git.TreeBuilder().write()
        tree = repository.git[made].peel(pygit2.Tree)
    if tree is None:
        raise WriteError("There is nothing to write", "Name a page.")
    told = message_text(message, f"Change {', '.join(sorted(changes))}")
    return _commit(repository, tree.id, [head] if head else [], author, told)


def _with(
    git: pygit2.Repository, tree: pygit2.Tree | None, parts: list[str], blob: pygit2.Oid | None
) -> pygit2.Oid | None:
    """The tree with a blob at a path, or without it; None where nothing is left of it."""
    builder = git.TreeBuilder(tree) if tree is not None else git.TreeBuilder()
    name, *rest = parts
    former = tree[name] if tree is not None and name in tree else None
    if rest:
        inner = _with(git, former if isinstance(former, pygit2.Tree) else None, rest, blob)
        mode = FileMode.TREE
    else:
        inner, mode = blob, FileMode.BLOB_EXECUTABLE
        mode = former.filemode if former is not None and former.filemode == mode else FileMode.BLOB
    if inner is not None:
        builder.insert(name, inner, mode)
    elif former is not None:
        builder.remove(name)
    return builder.write() if len(builder) else None


def _fits(tree: pygit2.Tree | None, parts: list[str]) -> None:
    """Refuses a path through a link or a file, at a folder, or beside a name that is the same to some file systems."""
    folder = tree
    for depth, part in enumerate(parts, 1):
        if folder is None:
            return
        there = "/".join(parts[:depth])
        if part not in folder:
            twin = next((e.name for e in folder if e.name and _folded(e.name) == _folded(part)), None)
            if twin is not None:
                what = f"{there}: {twin!r} is there, which some file systems take for the same name"
                raise WriteError(what, "Use that name, or another.")
            return
        found = folder[part]
        if found.filemode in (FileMode.LINK, FileMode.COMMIT) or (found.type == ObjectType.TREE) == (
            depth == len(parts)
        ):
            what = "a folder" if found.type == ObjectType.TREE else "a file, link or submodule"
            raise WriteError(f"{there!r} is {what}", "Choose another path.")
        folder = found if isinstance(found, pygit2.Tree) else None


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _commit(repository: Repository, tree: pygit2.Oid, parents: list[str], author: str, message: str) -> str:
    made = repository.git.create_commit(
        None, Author(author).signature, pygit2.Signature(*_COMMITTER), f"{message}\n", tree, [*parents]
    )
    return str(made)


def merge(repository: Repository, live: str, draft: str, author: str, message: str) -> str:
    """The commit that holds both: the draft's own where it is ahead of live and there is no message, else a merge. Raises
    `Conflict`."""
    if live == draft:
        return draft
    if repository.git.descendant_of(draft, live):
        tree = repository.git[draft].peel(pygit2.Tree).id
        return _commit(repository, tree, [live, draft], author, message_text(message, "")) if message else draft
    tree = _merged(repository, repository.git.merge_commits(live, draft), "The draft and the live branch")
    return _commit(repository, tree, [live, draft], author, message_text(message, "Publish a draft"))


def revert(repository: Repository, head: str, commit: str, author: str, message: str) -> str:
    """A commit after `head` that takes another one back. Raises `Conflict` where later ones build on it."""
    former = repository.git[commit].peel(pygit2.Commit)
    if not former.parent_ids:
        raise WriteError("The first commit cannot be taken back", "Delete the pages instead.")
    before = repository.git[former.parent_ids[0]].peel(pygit2.Tree)
    index = repository.git.merge_trees(former.tree, repository.root(head), before)
    tree = _merged(repository, index, f"Commit {commit[:12]} and those after it")
    if tree == repository.root(head).id:
        raise WriteError(f"Commit {commit[:12]} is taken back already", "Look at the history.")
    return _commit(repository, tree, [head], author, message_text(message, f"Revert {_first(former.message)!r}"))


def _first(message: str) -> str:
    return message.strip().split("\n")[0]


def _merged(repository: Repository, index: pygit2.Index, who: str) -> pygit2.Oid:
    """The tree of a merged index. Raises `Conflict` with the lines of each page at which both sides changed."""
    places: list[str] = []
    for ancestor, ours, theirs in index.conflicts or ():
        path = next(str(each.path) for each in (ours, theirs, ancestor) if each is not None)
        if ours is None or theirs is None:
            places.append(f"{path}:1")
            continue
        text = repository.git.merge_file_from_index(ancestor, ours, theirs).contents
        places += _clashes(path, text)
    if places:
        what = f"{who} change the same lines: {', '.join(places[:20])}"
        hint = (
            "Change the draft so that those lines are as in the live branch, or write the pages anew on a fresh draft."
        )
        raise Conflict(what, hint, places=places)
    return index.write_tree(repository.git)


def _clashes(path: str, text: str) -> list[str]:
    """`path:line` of each clash, by the lines of our side."""
    found, line, theirs = list[str](), 1, False
    for each in text.split("\n"):
        if each.startswith("<<<<<<< "):
            found.append(f"{path}:{line}")
        elif each.startswith("=======") and found:
            theirs = True
        elif each.startswith(">>>>>>> "):
            theirs = False
        elif not theirs:
            line += 1
    return found or [f"{path}:1"]
