"""What the client does about providers that fail, and about those who ask too much. Calls are counted at the server."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import UTC, date, datetime
from typing import Any

import pytest

from agents.models import Message, ModelError, Request, Tool, Usage, asked
from agents.models.client import Client
from agents.models.configuration import Configuration, Prices, Provider
from evals.scripted import Answer, Call, Conversation, Fault, Scripted, serving
from storage import StoreAway
from storage.ledger import EVERYBODY, CallRecord, Limits, MemoryLedger, Reserved, Spent
from tests.models.conftest import KEY, nothing_there

pytestmark = pytest.mark.anyio
HI = asked("s", "Hi", purpose="test")
SCHEMA = {"type": "object", "properties": {"yes": {"type": "boolean"}}, "required": ["yes"]}
TAKE = Tool("take", "Takes.", {"type": "object", "properties": {"what": {"type": "string"}}})
Serve = Callable[[Any], Scripted]


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as opened:
        yield opened


@pytest.fixture
def serve(stack: AsyncExitStack) -> Serve:
    return lambda decide: stack.enter_context(serving(decide))


def provider(server: Scripted | str, name: str = "first", **options: Any) -> Provider:
    url = server if isinstance(server, str) else server.url
    return Provider(name, "scripted", f"{url}/v1", KEY, **options)


def configuration(*providers: Provider, **options: Any) -> Configuration:
    found = {each.name: each for each in providers}
    return Configuration(found, tuple(found), **options)


async def opened(stack: AsyncExitStack, said: Configuration, **options: Any) -> Client:
    return await stack.enter_async_context(Client(said, chance=lambda: 0.0, **options))


async def failing(model: Client, request: Request = HI) -> ModelError:
    with pytest.raises(ModelError) as failed:
        await model.chat(request)
    return failed.value


@pytest.mark.requirement("4.39", "4.48")
@pytest.mark.parametrize("kind", ["500", "401", "cut", "429"])
async def test_where_a_provider_fails_the_next_of_the_chain_answers(
    stack: AsyncExitStack, serve: Serve, kind: Any
) -> None:
    bad, good = serve(lambda _: Answer("no", fault=Fault(kind, times=9, after=5))), serve(lambda _: Answer("Yes."))
    model = await opened(stack, configuration(provider(bad), provider(good, "second")))
    answer = await model.chat(HI)
    assert (answer.text, answer.usage.provider, len(good.requests)) == ("Yes.", "second", 1)
    assert len(bad.requests) == {"500": 3, "cut": 3, "401": 1, "429": 1}[kind]
    assert answer.usage.calls == len(bad.requests) + 1
    if kind != "cut":  # after a part was told nobody else can go on
        pieces = [piece async for piece in model.stream(HI)]
        assert "".join(piece.text for piece in pieces) == "Yes."


async def test_a_hanging_provider_leaves_time_for_the_next(stack: AsyncExitStack, serve: Serve) -> None:
    bad, good = serve(lambda _: Answer("no", fault=Fault("slow", seconds=2, times=9))), serve(lambda _: Answer("Yes."))
    model = await opened(stack, configuration(provider(bad), provider(good, "second")))
    answer = await model.chat(asked("s", "Hi", purpose="test", deadline=1.0))
    assert (answer.text, len(bad.requests), len(good.requests)) == ("Yes.", 1, 1)


async def test_where_nobody_listens_the_error_says_where_and_what_to_do(stack: AsyncExitStack) -> None:
    with nothing_there() as url:
        failed = await failing(await opened(stack, configuration(provider(url))))
    assert failed.kind == "unavailable"
    assert url in str(failed)
    assert "rulebound models" in failed.hint
    assert (
        await failing(await opened(stack, configuration(provider(url))), asked("s", "u", purpose="test", model="x"))
    ).kind == "unknown"


async def test_retry_after_is_kept_to_and_where_it_is_too_late_there_is_no_other_try(
    stack: AsyncExitStack, serve: Serve
) -> None:
    server = serve(lambda _: Answer("no", fault=Fault("429", times=9, after=60)))
    failed = await failing(await opened(stack, configuration(provider(server))))
    assert (failed.kind, len(server.requests)) == ("busy", 1)


@pytest.mark.requirement("4.38")
async def test_a_provider_that_failed_five_times_is_left_alone_for_a_minute_and_then_probed_by_three_calls(
    stack: AsyncExitStack, serve: Serve
) -> None:
    now, broken = [0.0], [True]
    server = serve(lambda _: Answer("Well.", fault=Fault("500", times=10**6) if broken[0] else None))
    model = await opened(stack, configuration(provider(server)), clock=lambda: now[0])
    for _ in range(2):
        await failing(model)
    assert len(server.requests) == 5
    assert model.health()["providers"]["first"]["breaker"] == "open"
    assert 'llm_breaker_open{provider="first"} 1' in model.metrics()
    now[0] = 59.9
    assert "left alone" in str(await failing(model))
    assert len(server.requests) == 5
    now[0] = 60.0
    await failing(model)
    assert (len(server.requests), model.health()["status"]) == (6, "degraded")
    now[0], broken[0] = 120.0, False
    assert model.health()["providers"]["first"]["breaker"] == "half-open"
    for _ in range(3):
        assert (await model.chat(HI)).text == "Well."
    health = model.health()
    assert (health["purposes"]["test"]["on"], health["purposes"]["test"]["requests"]) == (True, 7)
    assert health | {"purposes": {}} == {
        "status": "healthy",
        "purposes": {},
        "providers": {
            "first": {
                "model": "scripted",
                "through": "http",
                "breaker": "closed",
                "waiting": 0,
                "again_in_seconds": 0.0,
            }
        },
    }


async def test_refusals_and_limits_do_not_open_the_breaker(stack: AsyncExitStack, serve: Serve) -> None:
    server = serve(lambda _: Answer("no", fault=Fault("401", times=99)))
    model = await opened(stack, configuration(provider(server)))
    for _ in range(8):
        assert (await failing(model)).kind == "refused"
    assert len(server.requests) == 8


@pytest.mark.parametrize(
    "said",
    [
        "not json",
        '{"yes": 3}',
        '{"no": true}',
        "[1]",
        '{"yes": NaN}',
        '{"yes": true, "a": "\\u0000"}',
        '{"yes": true, "a": 18446744073709551616}',
    ],
)
async def test_what_is_no_answer_is_asked_for_once_more_and_then_an_error(
    stack: AsyncExitStack, serve: Serve, said: str
) -> None:
    server = serve(lambda _: Answer(said))
    model = await opened(stack, configuration(provider(server)))
    failed = await failing(model, asked("s", "Is it?", purpose="judge", schema=SCHEMA))
    assert (failed.kind, len(server.requests), sum(each.calls for each in failed.usage)) == ("invalid", 2, 2)
    assert "That is no answer" in server.requests[1].conversation.messages[-1].text


@pytest.mark.parametrize(
    "said", ['{"yes": true}', 'Sure!\n```json\n{"yes": true}\n```\nBye', 'It is {"yes": true}.', '```\n{"yes": true}']
)
async def test_json_is_found_where_a_provider_does_not_bind_and_the_prompt_says_what_is_wanted(
    stack: AsyncExitStack, serve: Serve, said: str
) -> None:
    server = serve(lambda _: Answer(said))
    model = await opened(stack, configuration(provider(server, schema=False)))
    answer = await model.chat(asked("s", "Is it?", purpose="judge", schema=SCHEMA))
    assert (answer.data, len(server.requests)) == ({"yes": True}, 1)
    assert "response_format" not in server.requests[0].body
    assert '"yes"' in server.requests[0].conversation.system


async def test_a_second_answer_that_is_one_is_taken(stack: AsyncExitStack, serve: Serve) -> None:
    server = serve(lambda talk: Answer("eh" if len(talk.messages) == 1 else '{"yes": false}', cached=4))
    said = configuration(provider(server, prices=Prices(1.0, 2.0, 0.5)))
    answer = await (await opened(stack, said)).chat(asked("s", "Is it?", purpose="judge", schema=SCHEMA))
    assert (answer.data, answer.usage.calls, len(server.requests), answer.usage.cached_tokens) == (
        {"yes": False},
        2,
        2,
        8,
    )
    took = answer.usage
    assert took.cost == pytest.approx(((took.input_tokens - 8) * 1.0 + 8 * 0.5 + took.output_tokens * 2.0) / 1e6)


@pytest.mark.parametrize(
    ("said", "likely", "label", "probability"),
    [
        ("look", {"look": 0.75, "move": 0.25}, "look", 0.75),
        ('{"label": "Look"}', {"Look": 0.6}, "look", 0.6),
        ("look", None, "look", None),
        (' "LOOK".', None, "look", None),
        ("Hm", {"lo": 0.4, "mo": 0.5, "x": 0.1}, "move", 0.5),
    ],
)
async def test_a_label_comes_with_its_probability_where_the_provider_tells(
    stack: AsyncExitStack, serve: Serve, said: str, likely: Any, label: str, probability: float | None
) -> None:
    server = serve(lambda _: Answer(said, likely=likely))
    model = await opened(stack, configuration(provider(server)))
    answer = await model.chat(asked("s", "See?", purpose="label", labels=("move", "look")))
    assert (answer.label, len(server.requests)) == (label, 1)
    assert answer.probability == (None if probability is None else pytest.approx(probability))


CALL = '{"name": "take", "arguments": {"what": "lamp"}}'


@pytest.mark.parametrize(
    ("said", "text", "called"),
    [
        (CALL, "", True),
        (f"Sure. ```json\n{CALL}\n```", "Sure.", True),
        (f"<tool_call>\n{CALL}\n</tool_call>", "", True),
        (f"I do so:\n```\n{CALL}\n```\nDone.", "I do so:\n\nDone.", True),
        (CALL.replace("take", "rm"), CALL.replace("take", "rm"), False),
        ("```python\nprint(1)\n``` and 1 < 2", "```python\nprint(1)\n``` and 1 < 2", False),
        ("A {brace}, a `tick`, a <tag>.  Fine. ", "A {brace}, a `tick`, a <tag>.  Fine. ", False),
    ],
)
async def test_a_call_written_as_text_is_one_only_where_that_tool_is_offered_and_streams_say_the_same(
    stack: AsyncExitStack, serve: Serve, said: str, text: str, called: bool
) -> None:
    server = serve(lambda _: Answer(said, pieces=40))
    model = await opened(stack, configuration(provider(server)))
    request = asked("s", "Take it.", purpose="route", tools=(TAKE,))
    whole = await model.chat(request)
    pieces = [piece async for piece in model.stream(request)]
    assert pieces[-1].answer is not None
    for answer in (whole, pieces[-1].answer):
        assert answer.text == text
        assert [call.arguments for call in answer.calls] == ([{"what": "lamp"}] if called else [])
    assert "".join(piece.text for piece in pieces) == text


async def test_arguments_that_are_no_object_are_never_passed_on(stack: AsyncExitStack, serve: Serve) -> None:
    server = serve(lambda _: Answer(calls=(Call("take", {"what": "x"}),), fault=Fault("bad-arguments", times=99)))
    model = await opened(stack, configuration(provider(server)))
    request = asked("s", "Take it.", purpose="route", tools=(TAKE,))
    assert (await failing(model, request)).kind == "invalid"
    with pytest.raises(ModelError, match="no answer"):
        _ = [piece async for piece in model.stream(request)]
    assert len(server.requests) == 4


async def test_a_body_without_end_is_cut_off(stack: AsyncExitStack, serve: Serve) -> None:
    server = serve(lambda _: Answer(fault=Fault("long", size=6_000_000, times=9)))
    model = await opened(stack, configuration(provider(server)))
    assert "more than" in str(await failing(model))
    pieces = [piece async for piece in model.stream(HI)]
    assert pieces[-1].answer is not None
    assert (len(pieces[-1].answer.text), pieces[-1].answer.finish) == (8192, "length")


@pytest.mark.requirement("3.01")
async def test_players_come_before_agents_and_background_and_each_principal_in_turn(
    stack: AsyncExitStack, serve: Serve
) -> None:
    order = list[str]()

    def decide(talk: Conversation) -> Answer:
        order.append(talk.messages[-1].text)
        return Answer("ok", fault=Fault("slow", seconds=0.2) if talk.messages[-1].text == "first" else None)

    server = serve(decide)
    model = await opened(stack, configuration(provider(server, concurrency=1)))

    async def ask(text: str, principal: str, priority: Any) -> None:
        await model.chat(asked("s", text, purpose="test", principal=principal, priority=priority, deadline=20))

    first = asyncio.create_task(ask("first", "z", "player"))
    while not server.requests:
        await asyncio.sleep(0.005)
    later = [
        ("b1", "bg", "background"),
        *((f"a{n}", "ann", "player") for n in range(3)),
        ("g1", "npc", "agent"),
        ("b", "bob", "player"),
    ]
    await asyncio.gather(first, *(ask(*each) for each in later))
    assert order == ["first", "a0", "b", "a1", "a2", "g1", "b1"]


@pytest.mark.requirement("3.01", "4.40")
async def test_a_full_line_turns_away_who_fills_it_and_says_so(stack: AsyncExitStack, serve: Serve) -> None:
    server = serve(lambda _: Answer("ok", fault=Fault("slow", seconds=0.2)))
    model = await opened(stack, configuration(provider(server, concurrency=1, waiting=3)))
    flood = [asyncio.create_task(model.chat(asked("s", f"f{n}", purpose="test", principal="ann"))) for n in range(8)]
    await asyncio.sleep(0)
    other = await model.chat(asked("s", "other", purpose="test", principal="bob"))
    ends = await asyncio.gather(*flood, return_exceptions=True)
    busy = [each for each in ends if isinstance(each, ModelError)]
    assert other.text == "ok"
    assert [each.kind for each in busy] == ["busy"] * len(busy)
    assert len(busy) == 5
    assert len(server.requests) == 8 - 5 + 1


async def test_who_goes_away_frees_the_place_and_what_was_under_way_is_still_counted(
    stack: AsyncExitStack, serve: Serve
) -> None:
    server = serve(
        lambda talk: Answer("ok", fault=Fault("slow", seconds=0.3) if talk.messages[-1].text != "Hi" else None)
    )
    model = await opened(stack, configuration(provider(server, concurrency=1)))
    tasks = [asyncio.create_task(model.chat(asked("s", f"x{n}", purpose="test"))) for n in range(3)]
    while not server.requests:
        await asyncio.sleep(0.005)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert (await model.chat(HI)).text == "ok"
    assert model.health()["providers"]["first"]["waiting"] == 0
    assert len(server.requests) == 2
    assert (await model.accounts.today())[EVERYBODY].calls == 2


@pytest.mark.requirement("4.48", "4.24")
async def test_a_budget_stops_before_the_call(stack: AsyncExitStack, serve: Serve) -> None:
    server = serve(lambda _: Answer("ok"))
    said = configuration(provider(server), each=Limits(calls=2), everybody=Limits(calls=3))
    model = await opened(stack, said)
    for _ in range(2):
        await model.chat(HI)
    assert (await failing(model)).kind == "budget"
    bob = asked("s", "Hi", purpose="test", principal="bob")
    await model.chat(bob)
    refused = await failing(model, bob)
    assert "3 of 3 calls" in str(refused)
    assert refused.usage == ()
    assert len(server.requests) == 3


@pytest.mark.requirement("4.48")
async def test_money_is_reserved_for_the_longest_answer_and_settled_to_what_it_cost(
    stack: AsyncExitStack, serve: Serve
) -> None:
    server = serve(lambda _: Answer("Four tokens or so."))
    said = configuration(provider(server, prices=Prices(0.0, 1000.0)), everybody=Limits(cost=0.1))
    model = await opened(stack, said)
    request = asked("s", "Hi", purpose="test", max_tokens=60)
    assert (await asyncio.gather(model.chat(request), failing(model, request)))[1].kind == "budget"
    answer = await model.chat(request)
    assert answer.usage.cost == pytest.approx(0.004)
    spent = (await model.accounts.today())["local"]
    assert (spent.calls, spent.cost) == (2, pytest.approx(0.008))
    assert len(server.requests) == 2


class Away(MemoryLedger):
    """A ledger whose store can be away."""

    away = False

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[CallRecord] = []

    async def reserve(self, day: date, principal: str, wanted: Spent, everybody: Limits, each: Limits) -> Reserved:
        if self.away:
            raise StoreAway("away")
        return await super().reserve(day, principal, wanted, everybody, each)

    async def record(self, calls: Any) -> None:
        if self.away:
            raise StoreAway("away")
        self.kept += calls
        await super().record(calls)


@pytest.mark.requirement("4.48", "0.44")
async def test_while_the_store_is_away_this_process_counts_on_from_what_it_knows(
    stack: AsyncExitStack, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agents.models.accounts.AGAIN", 0.01)
    server, ledger = serve(lambda _: Answer("ok")), Away()
    day = date(2026, 1, 1)
    # Another worker spent three already.
    await ledger.reserve(day, "local", Spent(3, 0.0), Limits(), Limits())
    said = configuration(provider(server), each=Limits(calls=5))
    async with Client(said, ledger=ledger, now=lambda: datetime(2026, 1, 1, tzinfo=UTC)) as model:
        await model.chat(HI)
        ledger.away = True
        await model.chat(HI)
        assert (await failing(model)).kind == "budget"
        ledger.away = False
    assert (await ledger.spent(day))["local"].calls == 5
    assert [(each.outcome, each.purpose, each.principal) for each in ledger.kept] == [("ok", "test", "local")] * 2
    assert len(server.requests) == 2


async def test_vectors_are_nearer_the_more_is_shared_and_counted(stack: AsyncExitStack, serve: Serve) -> None:
    server = serve(lambda _: Answer(""))
    model = await opened(stack, configuration(provider(server), embedding="first"))
    one, two = await model.embed(["take the lamp", "sing"])
    assert (len(one), one == two, server.embedded) == (256, False, [("take the lamp", "sing")])
    assert (await model.accounts.today())[EVERYBODY].calls == 1
    with pytest.raises(ModelError) as failed:
        await (await opened(stack, configuration(provider(server)))).embed(["x"])
    assert failed.value.kind == "unknown"


@pytest.mark.requirement("0.17")
async def test_everything_is_measured(stack: AsyncExitStack, serve: Serve) -> None:
    server = serve(lambda _: Answer("ok", fault=Fault("500")))
    model = await opened(stack, configuration(provider(server, prices=Prices(0, 1e6))))
    await model.chat(HI)
    text = model.metrics()
    assert 'agent_requests_total{purpose="test",outcome="ok"} 1' in text
    assert "agent_response_time_ms_count 1" in text
    assert "agent_error_rate 0" in text
    assert 'agent_model_usage_total{provider="first",model="scripted",kind="output"} 1' in text
    assert 'llm_provider_calls_total{provider="first",outcome="unavailable"} 1' in text
    assert "llm_api_calls_total 2" in text
    assert "llm_cost_daily_usd 1" in text


async def test_labels_go_to_their_own_provider(stack: AsyncExitStack, serve: Serve) -> None:
    small, big = serve(lambda _: Answer("move")), serve(lambda _: Answer("Hello."))
    said = Configuration({"big": provider(big, "big"), "small": provider(small, "small")}, ("big",), label="small")
    model = await opened(stack, said)
    await model.chat(asked("s", "go", purpose="label", labels=("move", "look")))
    await model.chat(HI)
    assert (len(small.requests), len(big.requests)) == (1, 1)
    assert isinstance((await model.chat(HI)).usage, Usage)
    assert Message("user", "x").calls == ()
