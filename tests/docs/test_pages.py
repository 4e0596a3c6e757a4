"""What the documents show is what happens: the tutorial followed line by line, the README's session, links that lead somewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_STEP = re.compile(
    r"^`(lighthouse/[^`\n]+)`\n\n```markdown\n(.*?)^```|^```console\n\$ (.*?)\n(.*?)^```", re.MULTILINE | re.DOTALL
)
_LINK = re.compile(r"\]\((?!https?://|#)([^)#\s]+)")


def rulebound(*arguments: str, folder: Path, said: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "RULEBOUND_HOME": str(folder / "home")}
    command = [sys.executable, "-c", "from rulebound.cli import main; main()", *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment, input=said, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.requirement("0.42")
def test_whoever_follows_the_tutorial_line_by_line_ends_with_a_working_world(tmp_path: Path) -> None:
    text = (ROOT / "docs/designers/tutorial.md").read_text(encoding="utf-8")
    commands = 0
    for match in _STEP.finditer(text):
        path, content, command, shown = match.groups()
        if path:
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(content, encoding="utf-8")
            continue
        commands += 1
        program, *arguments = command.split()
        assert program == "rulebound"
        done = rulebound(*arguments, folder=tmp_path)
        assert done.returncode == (1 if shown else 0), done.stdout + done.stderr
        if shown:
            assert done.stdout == shown
    assert commands == 4
    played = rulebound(
        "play", "lighthouse", "--script", "-", folder=tmp_path,
        said="take lantern\nlight it\nn\ntake can\nup\nfill great lamp with oil\nlight great lamp\n",
    )  # fmt: skip
    assert "You have won" in played.stdout


def test_the_readme_shows_a_real_session(tmp_path: Path) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    session = re.search(r"^\$ rulebound play cloak --script -\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert session is not None
    said = "\n".join(re.findall(r"^> (.*)$", session[1], re.MULTILINE))
    played = rulebound("play", "cloak", "--script", "-", folder=tmp_path, said=said)
    assert played.stdout.strip() == session[1].strip()


def test_the_readme_shows_a_real_answer_from_pages(tmp_path: Path) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    session = re.search(r'^\$ rulebound ask --world (\w+) "([^"]+)"\n(.*?)^```', text, re.MULTILINE | re.DOTALL)
    assert session is not None
    answered = rulebound("ask", "--world", session[1], session[2], folder=tmp_path).stdout
    commit = re.compile(r"@folder-\w+$", re.MULTILINE)  # changes with every edit of the world
    assert commit.sub("", answered) == commit.sub("", session[3])


def test_the_readme_shows_a_real_page_and_a_real_mistake(tmp_path: Path) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    page = re.search(r"^```markdown\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert page is not None
    cloak = ROOT / "kb/worlds/cloak"
    assert (cloak / "bar.md").read_text(encoding="utf-8") == page[1]
    for file in cloak.glob("*.md"):
        content = file.read_text(encoding="utf-8").replace("cloak.room", "claok.room")
        (tmp_path / "my-world" / file.name).parent.mkdir(exist_ok=True)
        (tmp_path / "my-world" / file.name).write_text(content, encoding="utf-8")
    told = rulebound("check", "my-world", folder=tmp_path).stdout
    assert re.search(r"^bar\.md:4:17 RB202 `claok` is not known here\. Did you mean `cloak`\?$", told, re.MULTILINE)
    assert "bar.md:4:17 RB202 `claok` is not known here. Did you mean `cloak`?" in text


def documents() -> list[Path]:
    return [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("path", documents(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_link_of_a_document_leads_somewhere(path: Path) -> None:
    prose = re.sub(r"```.*?```|`[^`\n]*`", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    missing = [target for target in _LINK.findall(prose) if not (path.parent / target).exists()]
    assert missing == []
