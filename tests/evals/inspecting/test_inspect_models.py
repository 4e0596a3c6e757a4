"""Models both ways: what Inspect asks is logged, counted and limited by it, and ours are providers of Inspect's, over real HTTP."""

# ruff: noqa: E402  # what needs the extra is imported where it is there
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("inspect_ai", reason="the extra [inspect] is not installed")
INSPECTS = (
    "ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning", "ignore:The 'initial' parameter",
)  # fmt: skip
"""Inspect leaves streams of its own open when an evaluation ends, and calls tenacity in an old way."""

from inspect_ai import eval as inspect_eval
from inspect_ai.log import EvalLog, read_eval_log
from inspect_ai.model import ModelOutput, ModelUsage, get_model
from inspect_ai.tool import ToolCall

from agents.models.adapter import Failure
from agents.models.configuration import ConfigurationError, Provider
from agents.models.model import Message, ModelError, Request, Tool
from agents.models.model import ToolCall as OurCall
from evals.inspecting.models import Ours, OverInspect, client, provider
from evals.inspecting.telling import rows
from evals.scripted import Answer, Call, Conversation, serving
from rulebound import inspecting  # as its entry point does
from rulebound.settings import Settings

pytestmark = pytest.mark.filterwarnings(*INSPECTS)
SAYS = "Would you be so kind and bring my coat to where the hook is, over in the west?"
CASE = {"id": "kind", "world": "cloak", "turns": [SAYS], "expect": {"check": ["room == cloakroom"]}}
COLOUR = {"type": "object", "properties": {"colour": {"type": "string"}}, "required": ["colour"]}


@pytest.fixture(scope="module", autouse=True)
def nothing_outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What Inspect keeps of its own is kept here, and no model is configured."""
    home = tmp_path_factory.mktemp("inspect-home")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("XDG_DATA_HOME", "XDG_CACHE_HOME", "INSPECT_CACHE_DIR", "RULEBOUND_HOME"):
            patch.setenv(name, str(home))
        for name in ("RULEBOUND_MODEL", "RULEBOUND_MODELS", "RULEBOUND_MODEL_URL"):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def evaluated(folder: Path, **more: Any) -> EvalLog:
    assert inspecting.cases
    file = folder / "own.jsonl"
    file.write_text(json.dumps(CASE), "utf-8")
    told = {"display": "none", "log_dir": str(folder), "ctl_server": False, "score_display": False}
    arguments = {"of": str(file), "solver": "system", "patience": 10}
    return read_eval_log(inspect_eval("rulebound/cases", task_args=arguments, **told, **more)[0].location)


def goes_west(conversation: Conversation) -> Answer:
    tool = next((each for each in conversation.tools if each == "go"), None)
    return Answer(calls=(Call(tool, {"direction": "west"}),)) if tool else Answer("Done.")


@pytest.mark.requirement("0.34")
def test_a_model_of_ours_answers_the_router_through_inspect_and_the_referee_decides(tmp_path: Path) -> None:
    with serving(goes_west) as server:
        log = evaluated(tmp_path, model="rulebound/scripted", model_base_url=f"{server.url}/v1")
        asked = server.requests
    assert log.status == "success"
    (row,) = rows(log)
    assert row.solved, row.why
    assert row.contender == "system:rulebound/scripted"
    assert "go" in asked[0].conversation.tools
    calls = [each for each in (log.samples or [])[0].events if each.event == "model"]
    assert len(calls) == len(asked)
    usage = log.stats.model_usage["rulebound/scripted"]
    assert usage.input_tokens > 0
    assert row.figures["input_tokens"] == usage.input_tokens
    assert row.figures["calls"] == len(asked)


def test_a_limit_of_inspects_ends_the_sample_and_what_was_played_is_scored(tmp_path: Path) -> None:
    with serving(goes_west) as server:
        log = evaluated(tmp_path, model="rulebound/scripted", model_base_url=f"{server.url}/v1", token_limit=1)
    sample = (log.samples or [])[0]
    assert sample.limit is not None
    assert sample.limit.type == "token"
    assert sample.scores is not None
    assert sample.scores["solved"].value == "I"


def test_what_inspect_keeps_of_an_answer_is_not_asked_again(tmp_path: Path) -> None:
    with serving(goes_west) as server:
        many = {"model": "rulebound/kept", "model_base_url": f"{server.url}/v1", "cache": True}
        first = rows(evaluated(tmp_path, **many))
        asked = len(server.requests)
        second = rows(evaluated(tmp_path, **many))
        assert asked == len(server.requests)
    assert first[0].solved
    assert second[0].solved


def test_inspect_asks_again_only_where_another_try_may_help() -> None:
    ours = Ours("scripted", "http://127.0.0.1:9/v1")
    assert ours.should_retry(Failure("busy", "HTTP 429", again=True))
    assert not ours.should_retry(Failure("refused", "HTTP 401"))


# --- Inspect's models as ours


def asked(*outputs: ModelOutput) -> OverInspect:
    for each in outputs:
        each.usage = ModelUsage(input_tokens=7, output_tokens=3, total_tokens=14, input_tokens_cache_read=4)
    return OverInspect(get_model("mockllm/model", custom_outputs=list(outputs), memoize=False))


def said(text: str) -> ModelOutput:
    return ModelOutput.from_content("mockllm", text)


@pytest.mark.anyio
async def test_a_tool_call_comes_back_with_what_it_took() -> None:
    tool = Tool("go", "Goes", {"type": "object", "properties": {"direction": {"type": "string"}}})
    over = asked(ModelOutput.for_tool_call("mockllm", "go", {"direction": "west"}, tool_call_id="c1"))
    history = (
        Message("system", "s"), Message("user", "u"), Message("assistant", "", (OurCall("c0", "go", {}),)),
        Message("tool", "no way", call_id="c0"),
    )  # fmt: skip
    answer = await client(over).chat(Request(history, "route", tools=(tool,), choice="required", deadline=60))
    assert answer.calls == (OurCall("c1", "go", {"direction": "west"}),)
    assert (answer.usage.input_tokens, answer.usage.cached_tokens, answer.usage.output_tokens) == (11, 4, 3)


@pytest.mark.anyio
async def test_an_answer_that_does_not_fit_its_schema_is_asked_for_once_more() -> None:
    request = Request((Message("user", "Which colour?"),), "test", schema=COLOUR, deadline=60)
    assert (await client(asked(said("red"), said('{"colour": "red"}'))).chat(request)).data == {"colour": "red"}
    with pytest.raises(ModelError, match="twice no answer"):
        await client(asked(said("red"), said("blue"))).chat(request)


@pytest.mark.anyio
async def test_a_label_and_a_stream_work_as_with_our_own_client() -> None:
    request = Request((Message("user", "Hello"),), "label", labels=("greeting", "order"), deadline=60)
    assert (await client(asked(said("greeting"))).chat(request)).label == "greeting"
    pieces = [
        each
        async for each in client(asked(said("Good day"))).stream(Request((Message("user", "Hi"),), "test", deadline=60))
    ]
    assert "".join(each.text for each in pieces) == "Good day"
    assert pieces[-1].answer is not None


@pytest.mark.anyio
async def test_what_goes_wrong_in_inspect_is_a_model_error_and_embeddings_are_unknown() -> None:
    with pytest.raises(ModelError) as found:
        await client(asked()).chat(Request((Message("user", "Hi"),), "test", deadline=60))
    assert found.value.kind == "unavailable"
    with pytest.raises(ModelError) as found:
        await client(asked()).embed(["a"])
    assert found.value.kind == "unknown"


@pytest.mark.anyio
async def test_arguments_that_inspect_could_not_parse_are_no_call() -> None:
    broken = ModelOutput.for_tool_call("mockllm", "go", {}, tool_call_id="c1")
    broken.message.tool_calls = [ToolCall("c1", "go", {}, parse_error="not JSON")]
    tool = Tool("go", "Goes", {"type": "object", "properties": {}})
    with pytest.raises(ModelError, match="not a JSON object"):
        await client(asked(broken, broken.model_copy(deep=True))).chat(
            Request((Message("user", "Hi"),), "route", tools=(tool,), deadline=60)
        )


def test_a_provider_is_found_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "models.toml").write_text(
        '[providers.near]\nmodel = "m"\nurl = "http://127.0.0.1:9/v1"\n', encoding="utf-8"
    )
    assert provider("near", Settings(tmp_path)).url == "http://127.0.0.1:9/v1"
    single = Settings(tmp_path / "none", model="one", model_url="http://127.0.0.1:8/v1", model_key="k")
    assert provider("one", single) == Provider("one", "one", "http://127.0.0.1:8/v1", "k")
    with pytest.raises(ConfigurationError, match="no model 'far'"):
        provider("far", Settings(tmp_path))
