"""Owns which paths, branches and texts may be written: portable names inside the tree, UTF-8 text of a bounded size.

`page_path(text)`, `draft_name(text)`, `page_bytes(path, text)`; each raises `WriteError`. It must not know Git.
"""

from __future__ import annotations

import re
import unicodedata

from kb.pages.page import MAX_BYTES
from kb.pages.source import SUFFIXES

MAX_PATH = 240
MAX_DATA = 4 * 1024 * 1024
MAX_MESSAGE = 2_000
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?", re.IGNORECASE)
_DRAFT = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,58}[a-z0-9])?")


class WriteError(Exception):
    """Nothing was written: `args[0]` says what and where, `hint` what to do."""

    def __init__(self, message: str, hint: str):
        super().__init__(message)
        self.hint = hint


def page_path(path: str) -> str:
    """The path, where a file of that name can be checked out on any system and stays in the tree.

    Raises `WriteError`.
    """
    why = _bad_path(path)
    if why:
        raise WriteError(f"{path[:80]!r} is not a page's path: {why}", "Write it like `rooms/cellar.md`.")
    return path


def _bad_path(path: str) -> str | None:
    if not path or len(path.encode("utf-8", "surrogatepass")) > MAX_PATH:
        return f"it has no name, or more than {MAX_PATH} bytes"
    if unicodedata.normalize("NFC", path) != path:
        return "its letters are not in the composed form (NFC)"
    if any(unicodedata.category(each)[0] == "C" or unicodedata.category(each) in ("Zl", "Zp") for each in path):
        return "it holds a character that cannot be seen"
    if re.search(r'[\\:*?"<>|~]', path):
        return 'it holds one of \\ : * ? " < > | ~'
    for part in path.split("/"):
        if part in ("", ".", "..") or part.startswith("."):
            return "a part of it is empty or begins with a dot"
        if part != part.strip() or part.endswith(".") or part.startswith("-"):
            return "a part of it begins or ends with a space, ends with a dot or begins with a dash"
        if _RESERVED.fullmatch(part):
            return f"{part!r} is reserved on Windows"
    if not path.lower().endswith(SUFFIXES):
        return f"it ends in none of {', '.join(SUFFIXES)}"
    return None


def draft_name(name: str) -> str:
    """A draft's own name, after `draft/WHO/`. Raises `WriteError`."""
    if not _DRAFT.fullmatch(name):
        raise WriteError(f"{name[:80]!r} is not a draft's name", "Use small letters, digits and dashes, at most 60.")
    return name


def page_bytes(path: str, text: str) -> bytes:
    """The bytes of a text to be stored at a path. Raises `WriteError`."""
    most = MAX_BYTES if path.lower().endswith(".md") else MAX_DATA
    try:
        data = text.encode("utf-8")
    except UnicodeEncodeError as error:
        what = f"Character {error.start + 1} of the text is half of a surrogate pair"
        raise WriteError(what, "Send the text as UTF-8.") from None
    if "\0" in text:
        raise WriteError("The text holds a NUL", "Send plain text.")
    if len(data) > most:
        raise WriteError(f"The text has {len(data)} bytes, more than {most}", "Split it into several pages.")
    return data


def message_text(message: str, otherwise: str) -> str:
    """A commit's message without what a terminal would obey, or the one to use where there is none."""
    kept = "".join(each for each in message if each == "\n" or unicodedata.category(each)[0] != "C")
    return kept.strip()[:MAX_MESSAGE] or otherwise
