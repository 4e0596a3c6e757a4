"""The webhook over real HTTP, in front of a repository that is pushed to."""

import hashlib
import hmac
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest
import uvicorn
from starlette.applications import Starlette

from agents.access import LOCAL
from agents.knowledge import KnowledgeService, MemorySpaces
from agents.worlds import Where, World
from mcp_server.web import webhook

SEALED = b"k" * 32
HALL = "---\nplace: hall\n---\n# Hall\n"
WORLD = "---\nexperience: tiny\nstart: hall\n---\n# Tiny\nSmall.\n"


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    done = subprocess.run(["git", "-C", str(folder), *identity, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


class Site:
    """A Git host with a repository, a designer's clone of it, and a server that serves it."""

    def __init__(self, folder: Path):
        self.host, self.work, self.told = folder / "host.git", folder / "work", list[str]()
        subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(self.host)], check=True)
        subprocess.run(["git", "clone", "-q", str(self.host), str(self.work)], check=True, capture_output=True)
        git(self.work, "checkout", "-q", "-B", "main")
        self.push({"world.md": WORLD, "hall.md": HALL})
        self.location = f"file://{self.host}"

        async def changed(name: str) -> None:
            self.told.append(name)

        self.cache = folder / "cache"
        self.service = KnowledgeService(
            MemorySpaces(), {"tiny": self.location}, home=folder, cache=self.cache, changed=changed
        )
        self.url = ""

    def push(self, pages: dict[str, str]) -> str:
        for path, text in pages.items():
            (self.work / path).write_text(text)
        git(self.work, "add", ".")
        git(self.work, "commit", "-q", "-m", "pages")
        git(self.work, "push", "-q", "origin", "main")
        return git(self.work, "rev-parse", "HEAD")

    def post(self, body: bytes, headers: dict[str, str], kb: str = "tiny") -> Any:
        return httpx2.post(f"{self.url}/webhook/{kb}", content=body, headers=headers, timeout=30)

    def signed(self, body: bytes, kb: str = "tiny") -> str:
        secret = webhook.secret_of(SEALED, kb)
        return f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    catalog: Any = SimpleNamespace(service=made.service)
    app = Starlette(routes=[webhook.route(catalog, SEALED)])
    listening = socket.create_server(("127.0.0.1", 0))
    made.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    yield made
    server.should_exit = True
    thread.join()


@pytest.mark.anyio
async def test_a_pushed_commit_is_live_once_the_webhook_was_told(site: Site) -> None:
    read = await site.service.read(LOCAL, "tiny", "hall")
    world = World.open(Where(site.location), cache=site.cache)
    commit = site.push({"hall.md": HALL + "Swept.\n"})
    assert (await site.service.read(LOCAL, "tiny", "hall")).etag == read.etag
    body = b'{"ref": "refs/heads/main"}'
    answer = site.post(body, {"X-Hub-Signature-256": site.signed(body), "X-GitHub-Delivery": "1"})
    assert (answer.status_code, answer.json()) == (200, {"status": "taken up", "commit": commit})
    assert "Swept" in (await site.service.read(LOCAL, "tiny", "hall")).text
    world.refresh()
    assert world.commit == commit
    assert site.told == ["tiny"]


def test_a_delivery_that_is_played_again_does_nothing(site: Site) -> None:
    headers = {"X-Hub-Signature-256": site.signed(b"{}"), "X-GitHub-Delivery": "7"}
    assert site.post(b"{}", headers).json()["status"] == "taken up"
    assert site.post(b"{}", headers).json() == {"status": "seen"}
    assert site.told == ["tiny"]


def test_gitlab_s_token_and_any_other_host_s_signature_are_known(site: Site) -> None:
    secret = webhook.secret_of(SEALED, "tiny")
    assert site.post(b"{}", {"X-Gitlab-Token": secret}).status_code == 200
    assert site.post(b"hello", {"X-Signature-256": site.signed(b"hello")}).status_code == 200


@pytest.mark.parametrize(
    ("kb", "headers"),
    [
        ("tiny", {}),
        ("absent", {}),
        ("tiny", {"X-Hub-Signature-256": "sha256=" + "0" * 64}),
        ("absent", {"X-Hub-Signature-256": "sha256=" + "0" * 64}),
        ("tiny", {"X-Hub-Signature-256": "sha1=0"}),
        ("tiny", {"X-Gitlab-Token": "wrong"}),
        ("tiny", {"X-Gitlab-Token": webhook.secret_of(SEALED, "other")}),
        ("tiny", {"X-Gitlab-Token": webhook.secret_of(b"j" * 32, "tiny")}),
    ],
)
def test_a_message_without_the_right_signature_is_refused_whether_or_not_there_is_such_a_knowledge_base(
    site: Site, kb: str, headers: dict[str, str]
) -> None:
    answer = site.post(b"{}", headers, kb)
    assert answer.status_code == 401
    assert answer.json()["error"] == "The signature is missing or wrong"
    assert site.told == []


def test_a_signature_of_another_message_is_refused(site: Site) -> None:
    assert site.post(b'{"a": 2}', {"X-Hub-Signature-256": site.signed(b'{"a": 1}')}).status_code == 401


def test_who_has_the_secret_of_what_is_not_served_is_told(site: Site) -> None:
    assert site.post(b"", {"X-Signature-256": site.signed(b"", "absent")}, "absent").status_code == 404


def test_a_message_that_is_too_large_is_refused(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "MAX_BODY", 1_000)
    body = b"x" * 2_000
    assert site.post(body, {"X-Hub-Signature-256": site.signed(body)}).status_code == 413

    def chunks() -> Iterator[bytes]:
        yield from [b"x" * 500] * 4

    answer = httpx2.post(f"{site.url}/webhook/tiny", content=chunks(), headers={"X-Signature-256": "x"}, timeout=30)
    assert answer.status_code == 413


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
