"""What bystanders notice where no rule tells them anything: who goes, what is done in sight, what became of their quests."""

from pathlib import Path

import pytest

from agents.worlds import Where
from rulebound.app import App, build
from rulebound.settings import Settings

pytestmark = pytest.mark.anyio
PAGES = {
    "world.md": "---\nexperience: yard\nuses: [adventure]\nstart: yard\nworld: shared\n---\n# Yard\nA yard.\n",
    "yard.md": "---\nplace: yard\nexits: {in: cellar}\n---\n# Yard\nOpen.\n",
    "cellar.md": "---\nplace: cellar\nexits: {out: yard}\ndark: yes\n---\n# Cellar\nDark.\n",
    "gate.md": "---\nitem: gate\nin: yard\nfixed: yes\nstate: {shut: yes/no}\n---\n# Gate\nIron.\n",
    "swing.md": (
        '---\nrule: swing\non: swing <item>\n---\n# Swing\nIt moves.\n## Then\n- set `item.shut` to `!item.shut`\n- say "It swings."\n'
    ),
    "vanish.md": '---\nrule: vanish\non: vanish\n---\n# Vanish\nOff.\n## Then\n- move `player` to [[cellar]]\n- say "Off."\n',
    "return.md": '---\nrule: return\non: return\n---\n# Return\nBack.\n## Then\n- move `player` to [[yard]]\n- say "Back."\n',
    "whisper.md": (
        "---\nrule: whisper\non: whisper to <other: player>\n---\n# Whisper\nFor one.\n## Then\n"
        '- tell `other` "{player} whispers."\n- say "Done."\n'
    ),
}


@pytest.fixture
def app(tmp_path: Path) -> App:
    return build(Settings(tmp_path / "home"))


@pytest.fixture
def yard(tmp_path: Path) -> Where:
    folder = tmp_path / "yard"
    folder.mkdir()
    for name, text in PAGES.items():
        (folder / name).write_text(text, encoding="utf-8")
    return Where.of(str(folder))


async def heard(app: App, handle: str, principal: str) -> list[str]:
    """What others' turns told a player."""
    since = (await app.games.observe(handle, principal, 0))["since"]
    return [each["text"] for each in since if not each["said"]]


async def test_bystanders_see_what_is_done_to_things_in_sight(app: App, yard: Where) -> None:
    ann, ben = [(await app.games.start(yard, each, name=each.title()))[0] for each in ("ann", "ben")]
    await app.games.act(ben, "ben", "swing gate")
    await app.games.act(ben, "ben", "look")
    assert await heard(app, ann, "ann") == ["Ben comes.", "Ben: swing gate"]


@pytest.mark.requirement("2.05")
async def test_bystanders_see_who_comes_and_goes_even_where_no_rule_says_so_but_not_in_the_dark(
    app: App, yard: Where
) -> None:
    ann, ben = [(await app.games.start(yard, each, name=each.title()))[0] for each in ("ann", "ben")]
    await app.games.act(ben, "ben", "vanish")
    await app.games.act(ben, "ben", "return")
    lines = await heard(app, ann, "ann")
    assert lines[0] == "Ben comes."
    assert lines[1] == "Ben leaves for the Cellar."
    assert len(lines) == 3
    await app.games.act(ann, "ann", "vanish")
    before = len(await heard(app, ann, "ann"))
    await app.games.act(ben, "ben", "vanish")
    assert not any(line.startswith("Ben arrives") for line in (await heard(app, ann, "ann"))[before:])


async def test_what_is_told_to_one_is_heard_by_that_one_alone(app: App, yard: Where) -> None:
    ann, ben, eve = [(await app.games.start(yard, each, name=each.title()))[0] for each in ("ann", "ben", "eve")]
    await app.games.act(ben, "ben", "whisper to ann")
    assert "Ben whispers." in await heard(app, ann, "ann")
    assert "Ben whispers." not in await heard(app, eve, "eve")


async def test_a_player_who_leaves_is_missed(app: App, yard: Where) -> None:
    ann, ben = [(await app.games.start(yard, each, name=each.title()))[0] for each in ("ann", "ben")]
    await app.games.leave(ben, "ben")
    assert await heard(app, ann, "ann") == ["Ben comes.", "Ben is gone."]
