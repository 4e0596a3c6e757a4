"""Owns random text adventures with known solutions: places, doors with keys, boxes, darkness, distractors, and one thing to bring home.

`plan(random, size)` draws a world and `solution(plan)` works it out on the plan; `make` writes worlds as pages. A later region is
entered only by a door whose key lies in an earlier one, so every world can be solved.
"""

from __future__ import annotations

import random
from collections import deque

from evals.bases import HERE
from evals.cases import Case, Expect, Turn
from evals.generators import Made
from evals.generators.adventure import OPPOSITE, Command, Model, Plan, Thing, named

SIZE = 8
MAX_SIZE = 40
PLACES = (
    "hall", "study", "kitchen", "cellar", "attic", "garden", "chapel", "library", "pantry", "stable", "armoury", "gallery",
    "courtyard", "tower", "crypt", "orchard", "bathhouse", "nursery", "workshop", "boathouse", "observatory", "dovecote",
    "vestry", "granary", "scriptorium", "refectory", "cloister", "laundry", "smithy", "ballroom", "conservatory", "larder",
    "dungeon", "balcony", "parlour", "vault", "terrace", "wardrobe", "foundry", "theatre",
)  # fmt: skip
STUFF = (
    "brass", "copper", "silver", "golden", "iron", "pewter", "bronze", "ebony", "ivory", "marble", "crystal", "leather",
    "velvet", "wicker", "granite", "cobalt", "scarlet", "purple", "emerald", "turquoise",
)  # fmt: skip
JUNK = (
    "apple", "feather", "candle", "ribbon", "kettle", "pebble", "thimble", "violin", "compass", "blanket", "hammer", "mirror",
    "bucket", "napkin", "pencil", "saddle", "trumpet", "umbrella", "whistle", "zither",
)  # fmt: skip
TREASURES = ("goblet", "necklace", "sceptre", "tapestry", "figurine")
ALTARS = ("altar", "pedestal", "plinth")
BOXES = ("chest", "basket", "cabinet", "trunk", "casket")
FIXED = ("fountain", "statue", "chandelier", "bookshelf", "fireplace")
_KEPT = 8
"""Materials that are left for what must have one."""
_STEPS = {"north": (0, 1), "south": (0, -1), "east": (1, 0), "west": (-1, 0)}


def plan(pick: random.Random, size: int = SIZE) -> Plan:
    """A random world of so many places (2 to 40)."""
    size = max(2, min(size, MAX_SIZE))
    names = pick.sample(PLACES, size)
    locks = pick.randint(1, max(1, min(4, size // 3)))
    # Place n belongs to region `region[n]`; each region has one place at least.
    cuts = sorted(pick.sample(range(1, size), min(locks, size - 1)))
    region = {name: sum(n >= cut for cut in cuts) for n, name in enumerate(names)}
    spots: dict[tuple[int, int], str] = {(0, 0): names[0]}
    exits: dict[str, dict[str, str]] = {name: {} for name in names}
    doors: dict[str, dict[str, str]] = {}
    stuff = pick.sample(STUFF, len(STUFF))
    boxes = iter(pick.sample(BOXES, len(BOXES)))
    things: dict[str, Thing] = {}

    def before(number: int) -> list[str]:
        return [name for name in names if name in placed and region[name] < number]

    def put(thing: Thing) -> None:
        things[thing.id] = thing

    def hide(id: str, within: list[str]) -> None:
        """Lays a thing somewhere among these places: on the floor, or in a box."""
        at, box = pick.choice(within), next(boxes, "") if pick.random() < 0.5 else ""
        if box:
            put(Thing(box, at, "box"))
        put(Thing(id, box or at))

    placed: dict[str, tuple[int, int]] = {names[0]: (0, 0)}
    for name in names[1:]:
        first = not any(region[other] == region[name] for other in placed)
        from_ = before(region[name]) if first else [other for other in placed if region[other] == region[name]]
        free = [
            (other, way, spot)
            for other in (from_ if any(_free(placed[o], spots) for o in from_) else list(placed))
            for way, spot in _free(placed[other], spots)
        ]
        other, way, spot = pick.choice(free)
        spots[spot], placed[name] = name, spot
        exits[other][way], exits[name][OPPOSITE[way]] = name, other
        locked = first or region[other] != region[name]
        if not locked and (len(stuff) < _KEPT or pick.random() > 0.15):
            continue
        material = stuff.pop()
        door = f"{material}-door"
        put(Thing(door, other, "door", f"{material}-key" if locked else "", name))
        for place, side in ((other, way), (name, OPPOSITE[way])):
            doors.setdefault(place, {})[side] = door
        if locked:
            hide(f"{material}-key", before(max(region[name], 1)))
    treasure, altar = f"{stuff.pop()}-{pick.choice(TREASURES)}", pick.choice(ALTARS)
    hide(treasure, [name for name in names if region[name] == region[names[-1]]])
    put(Thing(altar, pick.choice([name for name in names if region[name] == 0]), "altar"))
    # Distractors: keys that fit nothing, things of no use, things that cannot be taken.
    for id in (f"{stuff.pop()}-key", *pick.sample(JUNK, min(len(JUNK), 1 + size // 3))):
        put(Thing(id, pick.choice(names)))
    for id in pick.sample(FIXED, min(len(FIXED), 1 + size // 5)):
        put(Thing(id, pick.choice(names), "scenery"))
    dark = frozenset(name for name in names[1:] if pick.random() < 0.25) if pick.random() < 0.5 else frozenset[str]()
    if dark:
        put(Thing("lantern", names[0], "lamp"))
    return Plan(exits, doors, dark, things, names[0], treasure, altar)


def _free(at: tuple[int, int], spots: dict[tuple[int, int], str]) -> list[tuple[str, tuple[int, int]]]:
    """The ways from a spot to spots where nothing is yet."""
    ways = [(way, (at[0] + x, at[1] + y)) for way, (x, y) in _STEPS.items()]
    return [(way, spot) for way, spot in ways if spot not in spots]


def solution(plan: Plan) -> list[Command]:
    """Commands that bring the treasure to where it belongs; each was done on a model of the plan."""
    model, done = Model(plan), list[Command]()

    def do(command: Command) -> None:
        model.do(command)
        done.append(command)

    def opened(id: str) -> None:
        """Opens a door or box that one stands at; fetches its key first, and comes back."""
        here = model.at
        if id in model.locked:
            key = plan.things[id].key
            fetch(key)
            walk(here)
            do(Command("unlock", id, key))
        do(Command("open", id))

    def walk(to: str) -> None:
        while model.at != to:
            way = _way(plan, model.at, to)
            door = plan.doors.get(model.at, {}).get(way)
            if door is not None and door not in model.open:
                opened(door)
            do(Command("go", way))

    def fetch(id: str) -> None:
        if model.held(id):
            return
        box = plan.things.get(model.where[id])
        walk(box.at if box else model.where[id])
        if box and box.id not in model.open:
            opened(box.id)
        do(Command("take", id))

    if "lantern" in plan.things:
        fetch("lantern")
        do(Command("switch on", "lantern"))
    fetch(plan.treasure)
    walk(plan.things[plan.altar].at)
    do(Command("put on", plan.treasure, plan.altar))
    return done


def _way(plan: Plan, from_: str, to: str) -> str:
    """The direction in which a shortest way begins, whatever doors there are."""
    back, waiting = {to: ""}, deque([to])
    while waiting:
        at = waiting.popleft()
        for way, next_ in plan.exits[at].items():
            if next_ not in back:
                back[next_] = OPPOSITE[way]
                waiting.append(next_)
    return back[from_]


def pages(plan: Plan, id: str) -> dict[str, str]:
    """The world as pages of an experience in a folder of its own."""
    goal = f"Bring the {named(plan.treasure)} to the {plan.altar} in the {plan.things[plan.altar].at}."
    won = f'end the game "The {named(plan.treasure)} is where it belongs."'
    files = {
        "world.md": f"---\nexperience: {id}\nuses: [adventure]\nstart: {plan.start}\nscore: 1\n---\n# {id.capitalize()}\n{goal}\n"
        f"## Rules\n| On | When | Then |\n|---|---|---|\n"
        f'| after put [[{plan.treasure}]] on [[{plan.altar}]] | | award 1 for "the goal"; {won} |\n'
    }
    for name, ways in plan.exits.items():
        front = [f"place: {name}", f"exits: {_map(ways)}"]
        front += [f"doors: {_map(plan.doors[name])}"] if name in plan.doors else []
        front += ["dark: yes"] if name in plan.dark else []
        files[f"places/{name}.md"] = _page(front, name, f"Ways lead {', '.join(ways)}.")
    for thing in plan.things.values():
        front = [f"item: {thing.id}", f"in: {thing.at}", *_FRONT[thing.sort]]
        front += ["locked: yes", f"key: {thing.key}"] if thing.key else []
        if thing.sort == "door":
            both = f"room.lit && (room == {thing.at} || room == {thing.beyond})"
            front.append(f'derived: {{perceivable: "{both}"}}')
        files[f"things/{thing.id}.md"] = _page(front, thing.id, f"A {named(thing.id)}.")
    return {f"{id}/{path}": text for path, text in files.items()}


_FRONT = {
    "loose": (),
    "lamp": ("switchable: yes",),
    "box": ("fixed: yes", "container: yes", "openable: yes"),
    "altar": ("fixed: yes", "supporter: yes"),
    "scenery": ("fixed: yes",),
    "door": ("fixed: yes", "scenery: yes", "openable: yes"),
}


def _map(pairs: dict[str, str]) -> str:
    return f"{{{', '.join(f'{key}: {value}' for key, value in pairs.items())}}}"


def _page(front: list[str], id: str, text: str) -> str:
    return "\n".join(("---", *front, "---", f"# {named(id).capitalize()}", text, ""))


def task(plan: Plan) -> str:
    """What is to be done, for who chooses the commands."""
    return f"Bring the {named(plan.treasure)} to the {plan.altar} in the {plan.things[plan.altar].at} and put it there."


def make(n: int, seed: int, size: int = 0) -> Made:
    """`n` worlds, an experience each, with one case each."""
    files: dict[str, str] = {}
    cases: list[Case] = []
    for number in range(n):
        drawn = plan(random.Random(f"worlds/{seed}/{number}"), size or SIZE)
        steps, id = solution(drawn), f"world-{number + 1}"
        files |= pages(drawn, id)
        lines = tuple(str(each) for each in steps)
        tags = {
            "generator": "worlds",
            "places": str(len(drawn.exits)),
            "locks": str(sum(bool(each.key) for each in drawn.things.values())),
            "dark": "yes" if drawn.dark else "no",
        }
        cases.append(
            Case(
                f"worlds-{seed}-{number + 1}",
                HERE,
                tuple(Turn(line) for line in lines),
                Expect(check=("player.score == 1", 'player.ended != ""')),
                task=task(drawn),
                gold=lines,
                experience=id,
                steps=3 * len(lines),
                tags=tags,
            )
        )
    return Made(files, tuple(cases))
