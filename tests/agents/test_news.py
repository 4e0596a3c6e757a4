"""News of games: told once for many changes, to every listener."""

import anyio
import pytest

from agents.news import News
from storage.channels import LocalChannels

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_many_changes_at_once_are_told_together_and_none_is_lost() -> None:
    news = News(LocalChannels())
    async with news.listen() as one, news.listen() as two:
        for game in ("b", "a", "b"):
            news.changed(game)
        with anyio.fail_after(10):
            assert [await anext(one), await anext(two)] == [["a", "b"], ["a", "b"]]
            news.changed("c")
            await news.close()
            assert await anext(one) == ["c"]
