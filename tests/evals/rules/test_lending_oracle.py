"""The library's lending policy a second time, in Python, confirms the labels of its cases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

PEOPLE = {"gm": ("suspend", "waive", "change-membership", "close-account", "make-reference", "reprice")}
NEEDS = {rule: role for role, rules in PEOPLE.items() for rule in rules} | {"reinstate": "admin"}
BEGINS = datetime(2026, 3, 2, 9, tzinfo=UTC)


def limit(member: dict[str, Any]) -> int:
    owing = member["owes"] > 5
    return {"adult": 2 if owing else 5, "senior": 4 if owing else 8, "junior": 3, "staff": 50}[member["kind_of"]]


def late(f: Any, loan: dict[str, Any]) -> int:
    return max(0, f.days(loan["due"]))


def lend(f: Any, copy: str, member: str) -> str:
    thing, who = f[copy], f[member]
    very_late = any(
        each["member"] == member and each["open"] and f.days(each["due"]) > 30 for each in f.all("renewals")
    )
    for why, so in (
        ("not-in", thing["out"] or thing.get("lost")),
        ("reference", thing["reference"]),
        ("suspended", who["suspended"]),
        ("owes", who["owes"] > 10),
        ("held", thing["held_for"] not in ("", member)),
        ("junior", thing["adult_only"] and who["kind_of"] == "junior"),
        ("late", very_late),
        ("limit", who["lent"] >= limit(who)),
    ):
        if so:
            return why
    thing.update(out=True, held_for="")
    who["lent"] += 1
    return ""


def renew(f: Any, loan: str) -> str:
    it = f[loan]
    for why, so in (
        ("closed", not it["open"]),
        ("twice", it["renewals"] >= 2),
        ("late", late(f, it) > 7),
        ("suspended", f[it["member"]]["suspended"]),
        ("held", f[it["copy"]]["held_for"] != ""),
    ):
        if so:
            return why
    it["renewals"] += 1
    it["due"] = max(it["due"], f.now) + timedelta(days=14)
    return ""


def return_book(f: Any, loan: str, condition: str = "good", payments: Any = ()) -> str:
    it = f[loan]
    if condition not in ("good", "worn", "damaged"):
        return "type"
    if not it["open"]:
        return "closed"
    who, thing, days = f[it["member"]], f[it["copy"]], late(f, it)
    rate, most = {"junior": (0.1, 2), "staff": (0, 0)}.get(who["kind_of"], (0.25, 10))
    fee = most if days > 14 else days * rate
    if condition == "damaged":
        fee += thing["price"] / (2 if thing["medium"] == "book" else 1)
    paid = sum(each["amount"] for each in payments)
    it.update(open=False, fee=fee)
    thing["out"] = False
    who["lent"] -= 1
    who["owes"] += max(0, fee - paid)
    f["world"]["till"] = paid
    return ""


def pay(f: Any, member: str, payments: Any) -> str:
    who, amounts = f[member], [each["amount"] for each in payments]
    if sum(amounts) <= 0:
        return "nothing"
    if min(amounts) < 0:
        return "negative"
    if sum(amounts) > who["owes"]:
        return "too-much"
    who["owes"] -= sum(amounts)
    f["world"]["till"] = sum(amounts)
    return ""


def waive(f: Any, member: str) -> str:
    who = f[member]
    if who["owes"] <= 0:
        return "nothing"
    if who["owes"] > 20:
        return "head"
    if who.get("waived", 0) >= 2:
        return "twice"
    who.update(owes=0, waived=who.get("waived", 0) + 1)
    return ""


def hold(f: Any, copy: str, member: str) -> str:
    thing = f[copy]
    if thing["reference"]:
        return "reference"
    if thing["held_for"]:
        return "held"
    if f[member]["suspended"]:
        return "suspended"
    if sum(each["held_for"] == member for each in f.all("held_for")) >= 3:
        return "holds"
    thing["held_for"] = member
    return ""


def release_hold(f: Any, copy: str) -> str:
    if not f[copy]["held_for"]:
        return "not-held"
    f[copy]["held_for"] = ""
    return ""


def report_lost(f: Any, loan: str) -> str:
    it = f[loan]
    if not it["open"]:
        return "closed"
    fee = f[it["copy"]]["price"] + 5
    it.update(open=False, fee=fee)
    f[it["copy"]]["lost"] = True
    f[it["member"]]["owes"] += fee
    f[it["member"]]["lent"] -= 1
    return ""


def found(f: Any, copy: str) -> str:
    if not f[copy].get("lost"):
        return "not-lost"
    f[copy].update(lost=False, out=False)
    return ""


def replace_card(f: Any, member: str) -> str:
    if member not in f.rows:
        return "type"
    f[member]["owes"] += {"adult": 3, "staff": 0}.get(f[member]["kind_of"], 1)
    return ""


def suspend(f: Any, member: str) -> str:
    if f[member]["suspended"]:
        return "already"
    f[member]["suspended"] = True
    return ""


def reinstate(f: Any, member: str) -> str:
    if not f[member]["suspended"]:
        return "not-suspended"
    if f[member]["owes"]:
        return "owes"
    f[member]["suspended"] = False
    return ""


def change_membership(f: Any, member: str, to: str) -> str:
    if to not in ("adult", "junior", "senior"):
        return "type"
    if f[member]["kind_of"] == to:
        return "same"
    f[member]["kind_of"] = to
    return ""


def close_account(f: Any, member: str) -> str:
    return "lent" if f[member]["lent"] else "owes" if f[member]["owes"] else ""


def make_reference(f: Any, copy: str) -> str:
    if f[copy]["out"]:
        return "not-in"
    if f[copy]["held_for"]:
        return "held"
    f[copy]["reference"] = True
    return ""


def reprice(f: Any, copy: str, price: float) -> str:
    if not 0 < price < 500:
        return "price"
    f[copy]["price"] = price
    return ""


JUDGES = {
    "lend": lend,
    "renew": renew,
    "return-book": return_book,
    "pay": pay,
    "waive": waive,
    "hold": hold,
    "release-hold": release_hold,
    "report-lost": report_lost,
    "found": found,
    "replace-card": replace_card,
    "suspend": suspend,
    "reinstate": reinstate,
    "change-membership": change_membership,
    "close-account": close_account,
    "make-reference": make_reference,
    "reprice": reprice,
}


def test_a_second_lending_policy_gives_every_case_its_label(confirm: Any) -> None:
    assert confirm("lending-desk", BEGINS, JUDGES, NEEDS) == []


def test_a_policy_that_is_a_day_off_is_found_by_the_case_at_that_day(confirm: Any) -> None:
    def lenient(f: Any, loan: str) -> str:
        return "" if late(f, f[loan]) == 8 else renew(f, loan)

    assert confirm("lending-desk", BEGINS, {**JUDGES, "renew": lenient}, NEEDS) == [
        'lending-desk/renew-late-7/out: renew {"loan": "l-6"}: allowed, not late'
    ]
