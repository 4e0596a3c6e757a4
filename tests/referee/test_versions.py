"""Saves and stored parts under later versions of a world: any history of edits, and what the load says of it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from git import Actor, Repo
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kb.check import check
from kb.pages.source import open_source
from kb.referee import Action, Inputs, Referee, State
from kb.referee.parts import head, parts, rewritten
from kb.rulebook import Rulebook

AUTHOR = Actor("A", "a@example.org")
COMMITS = 20


@dataclass
class Named:
    """A field or page: what it is called at each time, and (fields) how high its numbers go."""

    names: list[str]
    high: int = 9
    home: str = "hall"


@dataclass
class World:
    """A world that designers edit; names are never used twice."""

    fields: list[Named] = field(default_factory=lambda: [Named(["f0"]), Named(["f1"])])
    items: list[Named] = field(default_factory=lambda: [Named(["i0"]), Named(["i1"]), Named(["i2"])])
    rooms: list[Named] = field(default_factory=lambda: [Named(["hall"]), Named(["r0"])])
    made: int = 9

    def new(self, letter: str) -> str:
        self.made += 1
        return f"{letter}{self.made}"

    def edit(self, what: int, pick: int) -> None:
        """One of the things that designers do."""
        fields, items, rooms = self.fields, self.items, self.rooms
        match what % 9:
            case 0:
                fields.append(Named([self.new("f")]))
            case 1 if len(fields) > 1:
                del fields[pick % len(fields)]
            case 2:
                fields[pick % len(fields)].names.append(self.new("f"))
            case 3:
                fields[pick % len(fields)].high = 1 + pick % 9
            case 4:
                items.append(Named([self.new("i")], home=rooms[pick % len(rooms)].names[0]))
            case 5 if len(items) > 1:
                del items[pick % len(items)]
            case 6:
                items[pick % len(items)].names.append(self.new("i"))
            case 7:
                rooms.append(Named([self.new("r")]))
            case 8 if len(rooms) > 1:
                if pick % 2:
                    rooms[1 + pick % (len(rooms) - 1)].names.append(self.new("r"))
                else:
                    del rooms[1 + pick % (len(rooms) - 1)]
            case _:
                items[pick % len(items)].home = "hall"

    def pages(self) -> dict[str, str]:
        rows = "".join(f"| {f.names[-1]} | int 0..{f.high} | 0 | {', '.join(f.names[:-1])} | |\n" for f in self.fields)
        found = {
            "world.md": "---\nexperience: small\nstart: hall\n---\n# A small world\n",
            "item.md": "---\nkind: item\n---\n# Item\n## State\n| Field | Type | Start | Was | Meaning |\n|---|---|---|---|---|\n"
            f"{rows}| friend | item | | | |\n",
            "wait.md": '---\nrule: wait\non: wait\n---\n## Then\n- say "Hm."\n',
        }
        there = {room.names[0]: room.names[-1] for room in self.rooms}
        for key, all_ in (("place", self.rooms), ("item", self.items)):
            for each in all_:
                was = f"was: [{', '.join(each.names[:-1])}]\n" if each.names[1:] else ""
                where = f"in: {there.get(each.home, 'hall')}\n" if key == "item" else ""
                id = each.names[-1]
                found[f"{id}.md"] = f"---\n{key}: {id}\n{was}{where}---\n# The {id}\n"
        return found


@dataclass
class Save:
    """What was kept at a commit: numbers, friends and places of items, by the things themselves."""

    dump: dict[str, Any]
    head: dict[str, Any]
    parts: dict[str, Any]
    numbers: dict[tuple[str, str], int]
    friends: dict[str, str]
    places: dict[str, str]


def committed(repo: Repo, pages: dict[str, str]) -> Rulebook:
    root = Path(repo.working_dir)
    for old in root.glob("*.md"):
        old.unlink()
    for path, text in pages.items():
        (root / path).write_text(text)
    repo.git.add(all=True)
    repo.index.commit("An edit", author=AUTHOR, committer=AUTHOR)
    checked = check(open_source(root), run=False)
    assert not checked.errors, [(f"{each.span}", each.message) for each in checked.errors]
    return next(iter(checked.rulebooks.values()))


def saved(world: World, referee: Referee, picks: list[int]) -> Save:
    """A game in which numbers were written, things moved and one was made a friend of another."""
    state = referee.join(referee.new(), "ann", "Ann")
    dump, left = state.dump(), iter(picks * 50)
    kept = Save({}, {}, {}, {}, {}, {})
    for item in world.items:
        fields = dump["instances"][item.names[-1]]["fields"]
        for each in world.fields:
            number = kept.numbers[item.names[0], each.names[0]] = min(next(left), each.high)
            fields[each.names[-1]] = number
        friend, place = world.items[next(left) % len(world.items)], world.rooms[next(left) % len(world.rooms)]
        fields |= {"friend": friend.names[-1], "location": place.names[-1]}
        kept.friends[item.names[0]], kept.places[item.names[0]] = friend.names[0], place.names[0]
    state, notes = referee.load(dump)
    assert notes == []
    kept.dump, kept.head, kept.parts = json.loads(json.dumps([state.dump(), head(state), parts(state)]))
    return kept


def carried_over(world: World, save: Save, state: State, notes: list[str], *, whole: bool) -> None:
    """What is still there is what it was; what is not is told."""
    items, rooms = {each.names[0]: each for each in world.items}, {each.names[0]: each for each in world.rooms}
    for item in world.items:
        row = state.rows[item.names[-1]]
        if item.names[0] not in save.places:
            continue
        for each in world.fields:
            was = save.numbers.get((item.names[0], each.names[0]), 0)
            assert row[each.names[-1]] == (was if was <= each.high else 0)
            if was > each.high:
                assert any(note.startswith(f"{item.names[-1]}.{each.names[-1]}: {was} is not within") for note in notes)
        if (friend := items.get(save.friends[item.names[0]])) is not None:
            assert row["friend"] == friend.names[-1]
        if (place := rooms.get(save.places[item.names[0]])) is not None:
            assert row["location"] == place.names[-1]
        else:
            assert row["location"] in state.rows
            assert any(note.startswith(f"{item.names[-1]}: ") and "back where it begins" in note for note in notes)
    gone = {each["template"] for each in save.dump["instances"].values()} - set(state.shape.renames.templates)
    for template in gone - set(state.shape.fresh):
        assert not whole or any(f"its page {template!r} is gone" in note for note in notes)


Edits = list[tuple[int, int]]
numbers = st.integers(0, 9)
edits = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 99)), min_size=COMMITS, max_size=COMMITS)


@pytest.mark.requirement("3.16", "0.02")
@given(history=edits, picks=st.lists(numbers, min_size=3, max_size=12))
@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_save_made_at_each_of_the_last_twenty_commits_loads_at_the_newest(tmp_path_factory, history: Edits, picks):
    repo = Repo.init(tmp_path_factory.mktemp("history"))
    world, saves = World(), list[Save]()
    for what, pick in history:
        world.edit(what, pick)
        referee = Referee(committed(repo, world.pages()))
        saves.append(saved(world, referee, picks))
    assert len(list(repo.iter_commits())) == COMMITS
    newest = Referee(committed(repo, world.pages()))
    for save in saves:
        for whole in (True, False):
            state, notes = newest.load(save.dump) if whole else newest.load_parts(save.head, save.parts)
            carried_over(world, save, state, notes, whole=whole)
            again, none = newest.load(json.loads(json.dumps(state.dump())))
            assert (again.hash, none) == (state.hash, [])
            stored = {**save.parts, **rewritten(save.parts, state)}
            stored = {id: part for id, part in stored.items() if part is not None}
            again, none = newest.load_parts(head(state), stored)
            assert (again.hash, again.numbers, none) == (state.hash, state.numbers, [])
            turn = newest.resolve(state, "ann", Action("wait"), Inputs(newest.rulebook.settings.begins))
            assert turn.status == "done", turn.reason
