"""The tournament's rule book a second time, in Python, confirms the labels of its cases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

BEGINS = datetime(2026, 6, 6, 13, 10, tzinfo=UTC)
ARBITERS = ("enter-late", "change-section", "pair", "open-round", "penalise", "correct", "finish")
CHIEF = ("expel", "decide-appeal", "give-prize")
NEEDS = dict.fromkeys(ARBITERS, "gm") | dict.fromkeys(CHIEF, "admin")
LENGTH = {"open-section": 30, "challengers": 20, "seniors": 20}
SATURDAY = datetime(2026, 6, 6, tzinfo=UTC)
ROUNDS = {3: SATURDAY + timedelta(hours=16, minutes=30)}
OFFENCES = ("talking", "late-move", "illegal-move", "phone", "advice")


def games(f: Any) -> list[dict[str, Any]]:
    return f.all("moves")


def played(f: Any, who: str) -> list[tuple[str, str, str, bool]]:
    """Each game of somebody: their colour, the opponent, the result, and whether it was a forfeit."""
    return [
        (own, each[other], each["result"], each.get("forfeit", False))
        for each in games(f)
        for own, other in (("white", "black"), ("black", "white"))
        if each[own] == who
    ]


def points(f: Any, who: str) -> float:
    won = sum(1.0 if result == own else 0.5 if result == "draw" else 0.0 for own, _, result, _ in played(f, who))
    return won + f[who]["byes"] / 2


def rank(f: Any, who: str) -> tuple[float, ...]:
    """The greater, the better."""
    mine = played(f, who)
    return (
        points(f, who),
        sum(points(f, opponent) for _, opponent, _, _ in mine),
        sum(own == result and not forfeit for own, _, result, forfeit in mine),
        sum(own == "black" and not forfeit for own, _, _, forfeit in mine),
    )


def place(f: Any, who: str) -> int:
    section = f[who]["section"]
    others = [each for each in f.all("born") if each["section"] == section and not each["out"]]
    return 1 + sum(rank(f, each["id"]) > rank(f, who) for each in others)


def scored(f: Any) -> None:
    """Points as checks read them."""
    for each in f.all("born"):
        each["points"] = points(f, each["id"])


def age(f: Any, who: str) -> int:
    return f.now.year - int(f[who]["born"])


def unfit(f: Any, who: str, section: str) -> str:
    """Why a section does not take somebody."""
    years, rating = age(f, who), f[who]["rating"]
    if (section == "juniors" and years >= 16) or (section == "seniors" and years < 60):
        return "age"
    return "rating" if rating > {"challengers": 1800, "rapid": 2000}.get(section, 9999) else ""


def fee(f: Any, who: str, section: str) -> float:
    if section in ("juniors", "seniors"):
        return 10 if section == "juniors" else 40
    whole = {"open-section": 60, "challengers": 45, "rapid": 25}[section]
    return whole if age(f, who) >= 18 else (whole + 1) // 2


def full(f: Any, section: str) -> bool:
    return sum(each["section"] == section for each in f.all("born")) >= f[section]["capacity"]


def first(*whys: tuple[str, Any]) -> str:
    """The first that holds."""
    return next((why for why, so in whys if so), "")


def own(f: Any, *who: str) -> bool:
    """Whether the one who speaks is of these, or an arbiter."""
    return f.role != "player" or f["player"].get("entrant") in who


def out(f: Any, who: str) -> bool:
    return not f[who]["section"] or f[who]["out"]


def register(f: Any, entrant: str, section: str) -> str:
    why = first(
        ("entered", f[entrant]["section"]),
        ("closed", f.now > f[section]["closes"]),
        ("full", full(f, section)),
    ) or unfit(f, entrant, section)
    if not why:
        f[entrant].update(section=section, owes=fee(f, entrant, section))
    return why


def enter_late(f: Any, entrant: str, section: str) -> str:
    why = first(
        ("entered", f[entrant]["section"]),
        ("open", f.now <= f[section]["closes"]),
        ("closed", f.now > f[section]["check_in"]),
        ("full", full(f, section)),
    ) or unfit(f, entrant, section)
    if not why:
        f[entrant].update(section=section, owes=fee(f, entrant, section) + 10, byes=1)
    return why


def pay_fee(f: Any, entrant: str, n: float) -> str:
    owes = f[entrant]["owes"]
    why = first(("nothing", not owes), ("sum", n != owes))
    if not why:
        f[entrant].update(owes=0, paid=n)
        cash(f, n)
    return why


def cash(f: Any, amount: float) -> None:
    f["world"]["cash"] = f["world"].get("cash", 0) + amount


def check_in(f: Any, entrant: str) -> str:
    it = f[entrant]
    if out(f, entrant) or it["checked_in"]:
        return "out"
    until = f[it["section"]]["check_in"]
    why = first(
        ("own", not own(f, entrant)),
        ("fee", it["owes"]),
        ("early", f.now < until - timedelta(hours=1)),
        ("closed", f.now > until),
    )
    it["checked_in"] = not why
    return why


def playing(f: Any, who: str) -> bool:
    return any(result == "open" for _, _, result, _ in played(f, who))


def withdraw(f: Any, entrant: str) -> str:
    it = f[entrant]
    why = first(("out", out(f, entrant)), ("own", not own(f, entrant)), ("playing", playing(f, entrant)))
    if not why:
        section = f[it["section"]]
        share = 1 if f.now <= section["closes"] else 0.5 if f.now <= section["check_in"] else 0
        cash(f, -share * it["paid"])
        it.update(out=True, paid=it["paid"] * (1 - share))
    return why


def change_section(f: Any, entrant: str, section: str) -> str:
    it = f[entrant]
    stays = out(f, entrant) or it["section"] == section or f[it["section"]]["round"] or f[section]["round"]
    why = first(("begun", stays), ("full", full(f, section))) or unfit(f, entrant, section)
    if not why:
        it.update(section=section, owes=max(0, fee(f, entrant, section) - it["paid"]))
    return why


def bye(f: Any, entrant: str, round: int) -> str:
    if out(f, entrant):
        return "out"
    it, section = f[entrant], f[f[entrant]["section"]]
    why = first(
        ("round", round != section["round"] + 1),
        ("own", not own(f, entrant)),
        ("twice", it["byes"]),
        ("last", round == section["rounds"]),
        ("late", not section["round"] and section["starts"] - f.now < timedelta(minutes=30)),
    )
    if not why:
        it.update(byes=1, bye_round=round, board=round)
    return why


def pair(f: Any, white: str, black: str) -> str:
    one, two = f[white], f[black]
    round = f[one["section"]]["round"]
    unpaired = white == black or one["section"] != two["section"] or not round
    absent = any(not each["checked_in"] or each["out"] for each in (one, two))
    why = first(
        ("pair", unpaired or absent),
        ("board", max(one["board"], two["board"]) >= round),
        ("met", any(opponent == black for _, opponent, _, _ in played(f, white))),
        ("points", abs(points(f, white) - points(f, black)) > 1),
        ("colour", one["streak"] >= 2 or two["streak"] <= -2),
    )
    if not why:
        one.update(board=round, streak=max(0, one["streak"]) + 1)
        two.update(board=round, streak=min(0, two["streak"]) - 1)
    return why


def open_round(f: Any, section: str) -> str:
    it = f[section]
    unfinished = any(each["section"] == section and each["result"] == "open" for each in games(f))
    why = first(
        ("last", it["round"] >= it["rounds"]),
        ("games", unfinished),
        ("early", not it["round"] and f.now < it["check_in"]),
    )
    if not why:
        it["round"] += 1
        it["starts"] = ROUNDS.get(it["round"])
    return why


def sit_down(f: Any, entrant: str, game: str) -> str:
    it = f[game]
    if entrant not in (it["white"], it["black"]) or it["result"] != "open":
        return "own"
    it["white_here" if it["white"] == entrant else "black_here"] = True
    return ""


def claim_forfeit(f: Any, game: str) -> str:
    it = f[game]
    here, missing = ("white", "black") if it["white_here"] else ("black", "white")
    why = first(
        ("missing", it["result"] != "open" or it["white_here"] == it["black_here"]),
        ("own", not own(f, it[here])),
        ("wait", f.minutes(it["starts"]) < f[it["section"]]["patience"]),
    )
    if not why:
        it.update(result=here, forfeit=True)
        loser = f[it[missing]]
        loser["forfeits"] = loser.get("forfeits", 0) + 1
        loser["out"] = loser["forfeits"] >= 2
        scored(f)
    return why


def report(f: Any, game: str, outcome: str, moves: int) -> str:
    it = f[game]
    why = first(
        ("result", it["result"] != "open" or not (it["white_here"] and it["black_here"])),
        ("own", not own(f, it["white"], it["black"])),
        ("draw", outcome == "draw" and moves < LENGTH.get(it["section"], 0)),
    )
    if not why:
        it.update(result=outcome, moves=moves)
        scored(f)
    return why


def penalise(f: Any, entrant: str, game: str, offence: str) -> str:
    it, who = f[game], f[entrant]
    if offence not in OFFENCES:
        return "type"
    if entrant not in (it["white"], it["black"]) or it["result"] != "open":
        return "own"
    before = {"illegal-move": who["illegal"] + 1, "phone": 2, "advice": 2}.get(offence, who["warnings"])
    f["world"]["penalty"] = ("warning", "minutes", "loss")[min(2, int(before))]
    counted = {"illegal-move": "illegal", "talking": "warnings", "late-move": "warnings"}.get(offence)
    if counted:
        who[counted] += 1
    if before >= 2:
        it.update(result="black" if it["white"] == entrant else "white", ruled=True, over=f.now)
        scored(f)
    return ""


def expel(f: Any, entrant: str) -> str:
    why = first(("out", out(f, entrant)), ("playing", playing(f, entrant)))
    f[entrant]["out"] = f[entrant]["out"] or not why
    return why


def appeal(f: Any, game: str, grounds: str, deposit: float) -> str:
    it = f[game]
    why = first(
        ("not-ruled", not it["ruled"]),
        ("own", f["player"].get("entrant") not in (it["white"], it["black"])),
        ("late", it["ruled"] and f.minutes(it["over"]) > 30),
        ("already", it.get("appealed")),
        ("deposit", deposit != 20),
        ("grounds", len(grounds.strip()) < 10),
    )
    if not why:
        it["appealed"] = True
        f["last appeal"].update(game=game)
        cash(f, deposit)
    return why


def decide_appeal(f: Any, appeal: str, upheld: bool, outcome: str) -> str:
    it = f[f["last appeal"]["game"]]
    why = first(
        ("same", upheld and outcome == it["result"]),
        ("begun", upheld and it["round"] < f[it["section"]]["round"]),
    )
    if not why and upheld:
        it["result"] = outcome
        cash(f, -20)
        scored(f)
    return why


def correct(f: Any, game: str, outcome: str) -> str:
    it = f[game]
    why = first(
        ("same", it["result"] in ("open", outcome)),
        ("begun", it["round"] < f[it["section"]]["round"]),
        ("ruled", it["ruled"]),
    )
    if not why:
        it["result"] = outcome
        scored(f)
    return why


def finish(f: Any, section: str) -> str:
    it = f[section]
    unfinished = any(each["section"] == section and each["result"] == "open" for each in games(f))
    if it["round"] != it["rounds"] or it.get("finished") or unfinished:
        return "last"
    it["finished"] = True
    return ""


def give_prize(f: Any, entrant: str) -> str:
    it = f[entrant]
    section, came = it["section"], place(f, entrant)
    prizes = {
        "open-section": (300, 150, 50),
        "challengers": (150, 75, 50),
        "seniors": (150, 75, 50),
        "rapid": (100, 50, 50),
        "juniors": (40, 40, 20),
    }[section]
    entries = sum(each["section"] == section for each in f.all("born"))
    fund = f["world"].get("fund", 1000)
    why = first(
        ("last", not f[section].get("finished")),
        ("already", it.get("prize")),
        ("place", came > 3),
        ("eight", came == 3 and section != "juniors" and entries < 8),
        ("fund", came <= 3 and prizes[min(came, 3) - 1] > fund),
    )
    if not why:
        it["prize"] = prizes[came - 1]
        f["world"]["fund"] = fund - it["prize"]
    return why


JUDGES = {
    "register": register,
    "enter-late": enter_late,
    "pay-fee": pay_fee,
    "check-in": check_in,
    "withdraw": withdraw,
    "change-section": change_section,
    "bye": bye,
    "pair": pair,
    "open-round": open_round,
    "sit-down": sit_down,
    "claim-forfeit": claim_forfeit,
    "report": report,
    "penalise": penalise,
    "expel": expel,
    "appeal": appeal,
    "decide-appeal": decide_appeal,
    "correct": correct,
    "finish": finish,
    "give-prize": give_prize,
}


def test_a_second_rule_book_gives_every_case_its_label(confirm: Any) -> None:
    assert confirm("tournament", BEGINS, JUDGES, NEEDS) == []
