"""Owns teams' pages: members and their tools, the order of work, limits, when to stop, what a human is asked before.

`compile_team(typed)` needs nothing but the page; `bundled_teams()` are those that every world has. It must not know models.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache

from kb import library
from kb.compiler.classify import Typed, classify
from kb.diagnostics import Diagnostic, Span, problem
from kb.pages.front import LORE_KEYS, Entry
from kb.pages.page import Bullet, Section, find_code, parse_bytes, parse_page
from kb.suggest import suggest
from kb.teams import EACH, EFFECTS, FACTS, TOOLS, Again, Choose, Claim, Member, Part, Team, Together

KEYS = ("team", "members", "steps", "deadline", "calls", "cost")
SECTIONS = ("Work", "Stop when", "Ask before", "With no model", "Notes")
MAX_STEPS, MAX_CALLS, MAX_COST, MAX_SECONDS = 100, 200, 100.0, 3600
MAX_MEMBERS = 20
_SECONDS = {"second": 1, "minute": 60, "hour": 3600}
_LENGTH = re.compile(r"([1-9]\d{0,3}) (second|minute|hour)s?")
# A line's backticks are read as `@`, its numbers as they stand; prose may follow a colon.
_TURN = re.compile(r"@(?:(?:,| and|, and) @)* at the same time|@|@ for each @")
_CHOOSE = re.compile(r"@ chooses among @(?:(?:,| and|, and) @)*, at most ([1-9]\d?) times?")
_AGAIN = re.compile(r"[Ii]f @ (?:→|->) ([1-9]\d?), at most ([1-9]\d?) times?")
_CLAIM = re.compile(r"(?P<not>!?)checked|(?P<member>[a-z][a-z0-9-]*) (?P<is>==|!=) \"(?P<word>[^\"]+)\"")
WORK = (
    "Write ``scout``, ``scout` and `critic` at the same time`, ``cast` for each `npc``, "
    "``lead` chooses among `scout` and `critic`, at most 5 times` or `if `!checked` → 2, at most 3 times`."
)
CLAIM = 'Write `checked` or `critic == "good"`.'


def compile_team(typed: Typed) -> tuple[Team | None, list[Diagnostic]]:
    """The team of a page."""
    problems: list[Diagnostic] = []
    entries = typed.page.front.entries
    for key, entry in entries.items():
        if key not in KEYS and key not in LORE_KEYS:
            hint = suggest(key, KEYS) or f"The keys are {', '.join(KEYS)}."
            problems.append(problem("RB105", entry.key_span, f"A team has no key `{key}`", hint))
    names = _names(typed, problems)
    sections = _sections(typed, names, problems)
    members = tuple(_member(name, sections[name], problems) for name in names if name in sections)
    known = {each.id: each for each in members}
    work = _work(typed, sections.get("work"), names, problems)
    stop = [_claim(code, span, known, problems) for code, span in _codes(sections.get("stop-when"), problems)]
    ask = _of(EFFECTS, "tool that changes something", sections.get("ask-before"), problems)
    without = _of(FACTS, "way to answer with no model", sections.get("with-no-model"), problems)
    for part in work:
        if isinstance(part, Again):
            _answers(part.claim, known, typed.span, problems)
    steps = int(_number(entries, "steps", 12, 1, MAX_STEPS, problems))
    calls = int(_number(entries, "calls", 12, 1, MAX_CALLS, problems))
    cost = _number(entries, "cost", 0.5, 0, MAX_COST, problems)
    deadline = _deadline(entries.get("deadline"), problems)
    if problems:
        return None, problems
    return Team(
        id=typed.id,
        name=typed.page.title or typed.id,
        purpose=" ".join(line for line, _ in typed.page.description if line),
        members=members,
        work=tuple(work),
        stop=tuple(each for each in stop if each is not None),
        ask=frozenset(ask),
        without=tuple(without),
        apology=_prose(sections.get("with-no-model"), ""),
        steps=steps,
        deadline=deadline,
        calls=calls,
        cost=cost,
        span=typed.span,
    ), []


@cache
def bundled_teams() -> Mapping[str, tuple[Team, str]]:
    """The teams of every world, with the text of their pages, by id."""
    root = library.libraries()["teams"]
    pages = [parse_bytes(f"shared/teams/{file.name}", file.read_bytes()) for file in sorted(root.glob("*.md"))]
    return {typed.id: (_whole(typed), typed.page.text) for typed in classify(pages, set())[0]}


def read_team(path: str, text: str) -> Team:
    """The team of a page's text that did compile once."""
    return _whole(classify([parse_page(path, text)], set())[0][0])


def _whole(typed: Typed) -> Team:
    team, problems = compile_team(typed)
    assert team is not None, problems
    return team


# --- Members --------------------------------------------------------------------------------------


def _names(typed: Typed, problems: list[Diagnostic]) -> list[str]:
    entry = typed.page.front.entries.get("members")
    names = [str(item.value) for item in entry.items] if entry else []
    if not names:
        span = entry.value_span if entry else typed.span
        problems.append(problem("RB508", span, "The team has no members", "Write `members: [scout, critic]`."))
    if entry and len(names) > MAX_MEMBERS:
        hint = f"Have at most {MAX_MEMBERS}."
        problems.append(problem("RB508", entry.value_span, f"The team has {len(names)} members", hint))
    for item in entry.items if entry else ():
        if names.count(str(item.value)) > 1 or not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", str(item.value)):
            hint = "Give each a name of its own, in small letters: `critic`."
            problems.append(problem("RB508", item.span, f"`{item.value}` is not a member's name", hint))
    return list(dict.fromkeys(names))


def _sections(typed: Typed, names: Sequence[str], problems: list[Diagnostic]) -> dict[str, Section]:
    """The sections by slug: the members' and the team's own."""
    own = {_slug(each) for each in SECTIONS}
    found: dict[str, Section] = {}
    for section in typed.page.sections:
        slug = _slug(section.heading)
        if slug in found or (slug not in own and slug not in names):
            known = (*names, *SECTIONS)
            what = "is there twice" if slug in found else "is no member, and no section of a team"
            hint = suggest(section.heading, known) or f"Sections are {', '.join(known)}."
            problems.append(problem("RB508", section.span, f"`{section.heading}` {what}", hint))
        found.setdefault(slug, section)
    for name in names:
        if name not in found:
            hint = f"Add `## {name.replace('-', ' ').capitalize()}` with what it does, in prose."
            problems.append(problem("RB508", typed.span, f"The member `{name}` has no section", hint))
    return found


def _slug(heading: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", heading.lower()).strip("-")


def _member(name: str, section: Section, problems: list[Diagnostic]) -> Member:
    """A member's section: prose, and bullets `tools:` and `answers:` whose backticks are exact."""
    tools: list[str] = []
    answers: list[str] = []
    for block in section.blocks:
        key = re.match(r"(tools|answers):", block.text) if isinstance(block, Bullet) else None
        if not isinstance(block, Bullet) or key is None:
            continue
        codes = find_code(block.text)
        if key[1] == "answers":
            answers += [code for _, _, code in codes]
        for start, end, code in codes if key[1] == "tools" else ():
            if code in TOOLS:
                tools.append(code)
                continue
            hint = suggest(code, TOOLS) or f"The tools are {', '.join(TOOLS)}."
            problems.append(problem("RB508", block.at(start, end), f"There is no tool `{code}`", hint))
    role = _prose(section)
    if not role:
        problems.append(problem("RB508", section.span, f"It is not said what `{name}` does", "Say it in prose."))
    if len(answers) == 1:
        hint = "Give at least two: `- answers: `good`, `again``."
        problems.append(problem("RB508", section.span, f"`{name}` can give only one answer", hint))
    return Member(name, section.heading, role, tuple(dict.fromkeys(tools)), tuple(dict.fromkeys(answers)), section.span)


def _prose(section: Section | None, exact: str = r"(?:tools|answers):") -> str:
    """What a section says to people and models: all but its exact bullets."""
    blocks = section.blocks if section else ()
    kept = (each for each in blocks if not (isinstance(each, Bullet) and re.match(exact, each.text)))
    return "\n".join(f"- {each.text}" if isinstance(each, Bullet) else each.source for each in kept)


# --- Work -----------------------------------------------------------------------------------------


def _work(typed: Typed, section: Section | None, names: Sequence[str], problems: list[Diagnostic]) -> list[Part]:
    """The numbered lines of Work; without that section the members work one after the other."""
    if section is None:
        return [Together((name,)) for name in names]
    parts: list[Part] = []
    for block in section.blocks:
        part = _part(block, names, parts, problems) if isinstance(block, Bullet) else None
        if not isinstance(block, Bullet):
            problems.append(problem("RB509", block.span, "This line is not exact", WORK))
        elif part is not None:
            parts.append(part)
    if not parts and not problems:
        problems.append(problem("RB509", section.span, "Nobody works", WORK))
    return parts


def _part(block: Bullet, names: Sequence[str], before: Sequence[Part], problems: list[Diagnostic]) -> Part | None:
    codes = find_code(block.text)
    line, told = block.text, [code for _, _, code in codes]
    for start, end, _ in reversed(codes):
        line = f"{line[: start - 1]}@{line[end + 1 :]}"
    line = re.split(r":\s", line.rstrip("."), maxsplit=1)[0]
    if match := _AGAIN.fullmatch(line):
        part = int(match[1]) - 1
        if part >= len(before) or isinstance(before[part], Again):
            hint = "Name a line above this one in which somebody works."
            problems.append(problem("RB509", block.span, f"Line {part + 1} is none to go back to", hint))
        claim = _read_claim(told[0], block.at(*codes[0][:2]), problems)
        return Again(claim, part, int(match[2])) if claim else None
    each = line.endswith("for each @")
    choose = _CHOOSE.fullmatch(line)
    if choose is None and not _TURN.fullmatch(line):
        problems.append(problem("RB509", block.span, "This line is not exact", WORK))
        return None
    for (start, end, code), last in zip(codes, [False] * (len(codes) - 1) + [each], strict=True):
        if code not in (EACH if last else names):
            hint = suggest(code, names) or f"Name one of {', '.join(EACH if last else names)}."
            what = f"There is no `{code}` to go through" if last else f"There is no member `{code}`"
            problems.append(problem("RB509", block.at(start, end), what, hint))
    if choose is not None:
        return Choose(told[0], tuple(told[1:]), int(choose[1]))
    return Together((told[0],), told[1]) if each else Together(tuple(dict.fromkeys(told)))


# --- Conditions, lists, limits --------------------------------------------------------------------


def _codes(section: Section | None, problems: list[Diagnostic]) -> list[tuple[str, Span]]:
    """The exact part of each bullet, `prose: `code`` or the code alone."""
    found: list[tuple[str, Span]] = []
    for block in section.blocks if section else ():
        codes = find_code(block.text) if isinstance(block, Bullet) else []
        if isinstance(block, Bullet) and len(codes) == 1:
            found.append((codes[0][2], block.at(*codes[0][:2])))
        elif isinstance(block, Bullet):
            problems.append(problem("RB509", block.span, "This line is not exact", "Write `- prose: `exact``."))
    return found


def _claim(code: str, span: Span, known: Mapping[str, Member], problems: list[Diagnostic]) -> Claim | None:
    claim = _read_claim(code, span, problems)
    if claim is not None:
        _answers(claim, known, span, problems)
    return claim


def _read_claim(code: str, span: Span, problems: list[Diagnostic]) -> Claim | None:
    match = _CLAIM.fullmatch(code)
    if match is None:
        problems.append(problem("RB509", span, f"`{code}` is not something that a team knows", CLAIM))
        return None
    if match["member"]:
        return Claim(match["member"], match["word"], match["is"] == "==")
    return Claim("", "", not match["not"])


def _answers(claim: Claim, known: Mapping[str, Member], span: Span, problems: list[Diagnostic]) -> None:
    member = known.get(claim.member)
    if claim.member and (member is None or claim.word not in member.answers):
        words = member.answers if member else ()
        hint = suggest(claim.word, words) or "List it in that member's section: `- answers: `good`, `again``."
        problems.append(problem("RB509", span, f"`{claim.member}` never answers `{claim.word}`", hint))


def _of(known: Sequence[str], what: str, section: Section | None, problems: list[Diagnostic]) -> list[str]:
    found: list[str] = []
    for code, span in _codes(section, problems):
        if code in known:
            found.append(code)
            continue
        hint = suggest(code, known) or f"Choose of {', '.join(known)}."
        problems.append(problem("RB509", span, f"`{code}` is no {what}", hint))
    return found


def _number(
    entries: Mapping[str, Entry], key: str, default: float, low: float, high: float, problems: list[Diagnostic]
) -> float:
    entry = entries.get(key)
    if entry is None:
        return default
    value = entry.value
    whole = isinstance(low, int) and isinstance(high, int)
    fits = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
    if not fits or not low <= value <= high:
        hint = f"Write a number from {low} to {high:g}."
        problems.append(problem("RB510", entry.value_span, f"`{key}: {value}` is not a limit", hint))
        return default
    return value


def _deadline(entry: Entry | None, problems: list[Diagnostic]) -> float:
    if entry is None:
        return 120.0
    match = _LENGTH.fullmatch(str(entry.value))
    length = int(match[1]) * _SECONDS[match[2]] if match else 0
    if not 0 < length <= MAX_SECONDS:
        hint = "Write `deadline: 2 minutes`, at most an hour."
        problems.append(problem("RB510", entry.value_span, f"`{entry.value}` is not a deadline", hint))
    return float(length)
