"""Who may do what over MCP, as data: every tool, resource template, prompt and completion, as every role, with real keys."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

EVERYBODY = ("public", "player", "designer", "gm", "admin", "owner")
PLAY = ("player", "designer", "gm", "admin", "owner")
WRITE = ("designer", "admin", "owner")
PUBLISH = ("admin", "owner")
DIRECT = ("gm", "admin", "owner")
NOBODY = ()


@dataclass(frozen=True)
class Act:
    """What is asked of a tool, a resource template, a prompt or a completion (`what`), and the roles that may."""

    what: str
    given: dict[str, Any]
    may: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.what} {json.dumps(self.given)}"


TALES, SECRETS = {"kb": "tales"}, {"kb": "secrets"}
PAGE = {"page": "README.md"}
MINE, THEIRS = {"handle": "{mine}"}, {"handle": "{theirs}"}
TOOLS = (
    Act("experiences", {}, PLAY),
    Act("start", {"world": "tales"}, PLAY),
    Act("start", {"world": "secrets"}, NOBODY),
    Act("start", {"world": "secrets", "resume": True}, NOBODY),
    Act("start", {"world": "tales", "branch": "draft/{other}/work"}, PUBLISH),
    Act("act", {**MINE, "text": "look"}, PLAY),
    Act("act", {**THEIRS, "text": "look"}, NOBODY),
    Act("act", {**MINE, "action": "reset"}, PLAY),
    Act("act", {**THEIRS, "action": "reset"}, NOBODY),
    Act("act", {**MINE, "action": "reset", "arguments": {"scope": "world"}}, DIRECT),
    Act("observe", MINE, PLAY),
    Act("observe", THEIRS, NOBODY),
    Act("why", MINE, PLAY),
    Act("why", THEIRS, NOBODY),
    Act("ask", {"question": "What is the cloak?", "world": "tales"}, EVERYBODY),
    Act("ask", {"question": "What is the cloak?", "world": "secrets"}, NOBODY),
    Act("ask", {"question": "What is the cloak?", **THEIRS}, NOBODY),
    Act("kb_search", {"query": "cloak", **TALES}, EVERYBODY),
    Act("kb_search", {"query": "cloak", **SECRETS}, NOBODY),
    Act("kb_read", {**PAGE, **TALES}, EVERYBODY),
    Act("kb_read", {**PAGE, **SECRETS}, NOBODY),
    Act("kb_read", {"page": "{canary}.md", "branch": "draft/{other}/work", **TALES}, PUBLISH),
    Act("kb_links", {**PAGE, **TALES}, EVERYBODY),
    Act("kb_links", {**PAGE, **SECRETS}, NOBODY),
    Act("kb_write", {"path": "new.md", "text": "# New\nYes.\n", "dry_run": True, **TALES}, WRITE),
    Act("kb_write", {"path": "new.md", "text": "# New\nYes.\n", "branch": "main", "dry_run": True, **TALES}, PUBLISH),
    Act("kb_write", {"path": "new.md", "text": "# New\nYes.\n", **SECRETS}, NOBODY),
    Act("kb_patch", {**PAGE, "base": "{etag}", "text": "# New\nYes.\n", "dry_run": True, **TALES}, WRITE),
    Act("kb_patch", {**PAGE, "base": "{etag}", "text": "# New\nYes.\n", **SECRETS}, NOBODY),
    Act("kb_patch", {"publish": "draft/{other}/work", "dry_run": True, **TALES}, PUBLISH),
    Act("kb_patch", {"publish": "draft/{other}/plan", **SECRETS}, NOBODY),
    Act("kb_patch", {"revert": "{commit}", **SECRETS}, NOBODY),
    Act("kb_delete", {**PAGE, **TALES}, WRITE),
    Act("kb_delete", {**PAGE, "branch": "main", **TALES}, PUBLISH),
    Act("kb_delete", {**PAGE, **SECRETS}, NOBODY),
)
RESOURCES = (
    Act("kb://{kb}", {"uri": "kb://tales"}, EVERYBODY),
    Act("kb://{kb}", {"uri": "kb://secrets"}, NOBODY),
    Act("kb://{kb}", {"uri": "kb://secrets@main"}, NOBODY),
    Act("kb://{kb}/-/{+what}", {"uri": "kb://tales/-/problems"}, EVERYBODY),
    Act("kb://{kb}/-/{+what}", {"uri": "kb://tales/-/drafts/draft/{other}/work"}, PUBLISH),
    Act("kb://{kb}/-/{+what}", {"uri": "kb://secrets/-/problems"}, NOBODY),
    Act("kb://{kb}/-/{+what}", {"uri": "kb://secrets/-/drafts"}, NOBODY),
    Act("kb://{kb}/-/{+what}", {"uri": "kb://secrets/-/drafts/draft/{other}/plan"}, NOBODY),
    Act("kb://{kb}/{+path}", {"uri": "kb://tales/README.md"}, EVERYBODY),
    Act("kb://{kb}/{+path}", {"uri": "kb://tales/{canary}.md@draft/{other}/work"}, PUBLISH),
    Act("kb://{kb}/{+path}", {"uri": "kb://secrets/README.md"}, NOBODY),
    Act("kb://{kb}/{+path}", {"uri": "kb://tales/%2e%2e/secrets.git/config"}, NOBODY),
    Act("game://{handle}/state", {"uri": "game://{mine}/state"}, PLAY),
    Act("game://{handle}/state", {"uri": "game://{theirs}/state"}, NOBODY),
    Act("game://{handle}/transcript", {"uri": "game://{mine}/transcript"}, PLAY),
    Act("game://{handle}/transcript", {"uri": "game://{theirs}/transcript"}, NOBODY),
    Act("game://{handle}/map", {"uri": "game://{mine}/map"}, PLAY),
    Act("game://{handle}/map", {"uri": "game://{theirs}/map"}, NOBODY),
)
PROMPTS = (
    Act("play", {"world": "tales"}, EVERYBODY),
    Act("continue", MINE, PLAY),
    Act("continue", THEIRS, NOBODY),
    Act("design_a_rule", {"world": "tales", "wish": "Fly."}, EVERYBODY),
    Act("review_a_change", {"world": "tales", "draft": "work"}, EVERYBODY),
    Act("explain_a_refusal", MINE, PLAY),
    Act("explain_a_refusal", THEIRS, NOBODY),
)
"""Those that quote nothing are for everybody: what they tell a model to call is refused to who may not."""
COMPLETIONS = (
    Act("kb", {"kb": "tal"}, EVERYBODY),
    Act("kb", {"kb": "sec"}, NOBODY),
    Act("world", {"world": "sec"}, NOBODY),
    Act("path", {"path": "READ", "kb": "tales"}, EVERYBODY),
    Act("path", {"path": "READ", "kb": "secrets"}, NOBODY),
    Act("handle", {"handle": "{mine}"}, PLAY),
    Act("handle", {"handle": "{theirs}"}, NOBODY),
    Act("command", {"command": "", **MINE}, PLAY),
    Act("command", {"command": "", **THEIRS}, NOBODY),
)
"""The first of what is given is completed; the others are its context."""
HIDDEN = "The word is"


@pytest.fixture
def filled(site: Any) -> dict[str, str]:
    """What the table names: somebody else's game, drafts and pages."""
    theirs = began(site, "other-player")
    page = site.do(site.catalog.service.read(site.who("owner"), "tales", "README.md"))
    other = site.ids["other-designer"]
    return {"theirs": theirs, "other": other, "canary": "xanthippe-7731", "etag": page.etag, "commit": page.commit}


def began(site: Any, caller: str) -> str:
    handle = site.call(caller, "start", world="commons")["result"]["structuredContent"]["handle"]
    site.call(caller, "act", handle=handle, text="look")
    return handle


def asked(site: Any, caller: str, table: str, act: Act, filled: dict[str, str]) -> tuple[bool, str]:
    """Whether it was done, and all that was told."""
    given: Any = _filled(act.given, filled)
    if table == "tools":
        answer = site.call(caller, act.what, **given)
        told = json.dumps(answer)
        return not answer["result"].get("isError") or "Nothing is done yet" in told, told
    if table == "resources":
        answer = site.ask(caller, "resources/read", **given)
    elif table == "prompts":
        answer = site.ask(caller, "prompts/get", name=act.what, arguments=given)
    else:
        (name, value), *context = given.items()
        ref = {"type": "ref/resource", "uri": "kb://{kb}/{+path}"}
        argument = {"name": name, "value": value}
        answer = site.ask(
            caller, "completion/complete", ref=ref, argument=argument, context={"arguments": dict(context)}
        )
        return bool(answer["result"]["completion"]["values"]), json.dumps(answer)
    return "result" in answer, json.dumps(answer)


def _filled(given: Any, filled: dict[str, str]) -> Any:
    text = json.dumps(given)
    for name, value in filled.items():
        text = text.replace(f"{{{name}}}", value)
    return json.loads(text)


TABLES = {"tools": TOOLS, "resources": RESOURCES, "prompts": PROMPTS, "completions": COMPLETIONS}


@pytest.mark.requirement("0.25", "0.37", "4.33")
@pytest.mark.parametrize("caller", EVERYBODY)
def test_a_role_may_do_over_mcp_what_the_table_says_and_nothing_else(
    site: Any, filled: dict[str, str], caller: str
) -> None:
    mine = filled["theirs"] if caller == "public" else began(site, caller)
    before = site.state()
    rows = [(table, act) for table, acts in TABLES.items() for act in acts]

    def wrong(row: tuple[str, Act]) -> str:
        done, told = asked(site, caller, *row, {**filled, "mine": mine})
        as_said = done == (caller in row[1].may) and (done or HIDDEN not in told)
        return "" if as_said else f"{row[1]}: {told[:400]}"

    with ThreadPoolExecutor(8) as pool:
        assert [each for each in pool.map(wrong, rows) if each] == []
    # What may be done here changes games alone: writes are dry runs, and nobody confirms.
    assert {**site.state(), "seats": before["seats"]} == before


def test_every_tool_template_and_prompt_has_a_row(site: Any) -> None:
    def listed(method: str, what: str, key: str) -> set[str]:
        return {each[key] for each in site.ask("owner", method)["result"][what]}

    assert listed("tools/list", "tools", "name") == {act.what for act in TOOLS}
    assert listed("prompts/list", "prompts", "name") == {act.what for act in PROMPTS}
    templates = listed("resources/templates/list", "resourceTemplates", "uriTemplate")
    assert {each for each in templates if not each.startswith("skill://")} == {act.what for act in RESOURCES}


@pytest.mark.requirement("4.31")
def test_what_is_listed_is_the_same_to_the_byte_for_every_role(site: Any) -> None:
    for method in ("tools/list", "prompts/list", "resources/templates/list"):
        assert len({json.dumps(site.ask(caller, method)["result"]) for caller in EVERYBODY}) == 1


@pytest.mark.parametrize("caller", ["public", "player", "owner"])
def test_what_is_static_is_for_everybody(site: Any, caller: str) -> None:
    for each in site.ask(caller, "resources/list")["result"]["resources"]:
        assert "result" in site.ask(caller, "resources/read", uri=each["uri"]), each["uri"]
