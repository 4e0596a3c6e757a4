"""The scripted model server, over real HTTP: one contract for every provider's format, whole and streamed."""

import json
import math
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from evals.scripted import Answer, Call, Conversation, Fault, Message, Script, Scripted, ScriptError, serving
from evals.scripted.conversation import Kind

Json = dict[str, Any]
CALL = {"world": "cloak", "seed": 7}


@dataclass(frozen=True)
class Format:
    """A provider's format: a request with a user's words, a call and its result; what an answer says."""

    path: str
    stream_path: str
    begin: Callable[[str, str], Json]
    result: Callable[[Json, str], None]
    """Adds the assistant's call and its result to a request."""
    whole: Callable[[Json], tuple[str, list[tuple[str, Any]]]]
    streamed: Callable[[list[Json]], tuple[str, list[tuple[str, Any]]]]


def chat_begin(said: str, tool: str) -> Json:
    return {
        "messages": [{"role": "user", "content": said}],
        "tools": [{"type": "function", "function": {"name": tool}}],
    }


def chat_result(body: Json, text: str) -> None:
    called = {"id": "c1", "type": "function", "function": {"name": "x__start", "arguments": "{}"}}
    body["messages"] += [
        {"role": "assistant", "content": None, "tool_calls": [called]},
        {"role": "tool", "tool_call_id": "c1", "content": text},
    ]


def chat_whole(body: Json) -> tuple[str, list[tuple[str, Any]]]:
    [choice] = body["choices"]
    calls = [each["function"] for each in choice["message"].get("tool_calls", [])]
    assert choice["finish_reason"] == ("tool_calls" if calls else "stop")
    return choice["message"]["content"] or "", [(each["name"], json.loads(each["arguments"])) for each in calls]


def chat_streamed(events: list[Json]) -> tuple[str, list[tuple[str, Any]]]:
    assert events[-1]["usage"]["total_tokens"] > 0
    deltas = [choice["delta"] for each in events for choice in each["choices"]]
    calls: dict[int, list[str]] = {}
    for call in [call for delta in deltas for call in delta.get("tool_calls", [])]:
        calls.setdefault(call["index"], [call["function"].get("name", ""), ""])[1] += call["function"]["arguments"]
    text = "".join(delta.get("content") or "" for delta in deltas)
    return text, [(name, json.loads(arguments)) for name, arguments in calls.values()]


def responses_begin(said: str, tool: str) -> Json:
    content = [{"type": "input_text", "text": said}]
    space, name = tool.split("__")
    tools = [{"type": "namespace", "name": f"{space}__", "tools": [{"type": "function", "name": name}]}]
    return {
        "instructions": "Be brief.",
        "input": [{"type": "message", "role": "user", "content": content}],
        "tools": tools,
    }


def responses_result(body: Json, text: str) -> None:
    called = {"type": "function_call", "namespace": "x__", "name": "start", "arguments": "{}", "call_id": "c1"}
    body["input"] += [called, {"type": "function_call_output", "call_id": "c1", "output": text}]


def responses_whole(body: Json) -> tuple[str, list[tuple[str, Any]]]:
    assert body["status"] == "completed"
    called = [each for each in body["output"] if each["type"] == "function_call"]
    said = [part["text"] for each in body["output"] if each["type"] == "message" for part in each["content"]]
    return "".join(said), [(each.get("namespace", "") + each["name"], json.loads(each["arguments"])) for each in called]


def responses_streamed(events: list[Json]) -> tuple[str, list[tuple[str, Any]]]:
    assert [each["sequence_number"] for each in events] == list(range(len(events)))
    assert (events[0]["type"], events[-1]["type"]) == ("response.created", "response.completed")
    found = responses_whole(events[-1]["response"])
    assert "".join(each["delta"] for each in events if each["type"] == "response.output_text.delta") == found[0]
    pieces = [each["delta"] for each in events if each["type"] == "response.function_call_arguments.delta"]
    assert [json.loads("".join(pieces))] * len(found[1]) == [arguments for _, arguments in found[1]] if pieces else True
    return found


def messages_begin(said: str, tool: str) -> Json:
    return {"system": "Be brief.", "messages": [{"role": "user", "content": said}], "tools": [{"name": tool}]}


def messages_result(body: Json, text: str) -> None:
    called = {"type": "tool_use", "id": "c1", "name": "x__start", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "c1", "content": [{"type": "text", "text": text}]}
    body["messages"] += [{"role": "assistant", "content": [called]}, {"role": "user", "content": [result]}]


def messages_whole(body: Json) -> tuple[str, list[tuple[str, Any]]]:
    calls = [(each["name"], each["input"]) for each in body["content"] if each["type"] == "tool_use"]
    assert body["stop_reason"] == ("tool_use" if calls else "end_turn")
    return "".join(each["text"] for each in body["content"] if each["type"] == "text"), calls


def messages_streamed(events: list[Json]) -> tuple[str, list[tuple[str, Any]]]:
    blocks: dict[int, Json] = {}
    for event in events:
        if event["type"] == "content_block_start":
            blocks[event["index"]] = {**event["content_block"], "json": ""}
        elif event["type"] == "content_block_delta":
            block, delta = blocks[event["index"]], event["delta"]
            block["text"] = block.get("text", "") + delta.get("text", "")
            block["json"] += delta.get("partial_json", "")
    for block in blocks.values():
        block["input"] = json.loads(block["json"] or "{}")
    [ending] = [each["delta"] for each in events if each["type"] == "message_delta"]
    assert (events[0]["type"], events[-1]["type"]) == ("message_start", "message_stop")
    return messages_whole({"content": list(blocks.values()), **ending})


def gemini_begin(said: str, tool: str) -> Json:
    system = {"systemInstruction": {"parts": [{"text": "Be brief."}]}}
    return {
        **system,
        "contents": [{"role": "user", "parts": [{"text": said}]}],
        "tools": [{"functionDeclarations": [{"name": tool}]}],
    }


def gemini_result(body: Json, text: str) -> None:
    result = {"functionResponse": {"name": "x__start", "response": {"output": text}}}
    called = {"functionCall": {"name": "x__start", "args": {}}}
    body["contents"] += [{"role": "model", "parts": [called]}, {"role": "user", "parts": [result]}]


def gemini_whole(body: Json) -> tuple[str, list[tuple[str, Any]]]:
    [candidate] = body["candidates"]
    parts = candidate["content"]["parts"]
    called = [each["functionCall"] for each in parts if "functionCall" in each]
    return "".join(each.get("text", "") for each in parts), [(each["name"], each["args"]) for each in called]


def gemini_streamed(events: list[Json]) -> tuple[str, list[tuple[str, Any]]]:
    assert [("finishReason" in each["candidates"][0]) for each in events] == [*[False] * (len(events) - 1), True]
    found = [gemini_whole(each) for each in events]
    return "".join(text for text, _ in found), [call for _, calls in found for call in calls]


MODEL = "/v1beta/models/gemini-2.5-flash:"
CHAT, RESPONSES, MESSAGES = "/v1/chat/completions", "/v1/responses", "/v1/messages"
FORMATS = {
    "chat": Format(CHAT, CHAT, chat_begin, chat_result, chat_whole, chat_streamed),
    "responses": Format(RESPONSES, RESPONSES, responses_begin, responses_result, responses_whole, responses_streamed),
    "messages": Format(MESSAGES, MESSAGES, messages_begin, messages_result, messages_whole, messages_streamed),
    "gemini": Format(
        f"{MODEL}generateContent",
        f"{MODEL}streamGenerateContent",
        gemini_begin,
        gemini_result,
        gemini_whole,
        gemini_streamed,
    ),
}


@pytest.fixture(params=FORMATS)
def form(request: pytest.FixtureRequest) -> Format:
    return FORMATS[request.param]


@pytest.fixture(params=[False, True], ids=["whole", "streamed"])
def streamed(request: pytest.FixtureRequest) -> bool:
    return request.param


def post(model: Scripted, form: Format, body: Json, *, streamed: bool) -> httpx2.Response:
    path = form.stream_path if streamed else form.path
    return httpx2.post(model.url + path, json={**body, "stream": streamed}, timeout=10)


def heard(form: Format, answer: httpx2.Response, *, streamed: bool) -> tuple[str, list[tuple[str, Any]]]:
    assert answer.status_code == 200, answer.text
    if not streamed:
        return form.whole(answer.json())
    assert answer.headers["content-type"].startswith("text/event-stream")
    data = [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: ")]
    return form.streamed([json.loads(each) for each in data if each != "[DONE]"])


SCRIPT = """
cases:
  - when: Play
    steps:
      - call: start
        with: {world: cloak, seed: 7}
      - say: "You play {start.handle}, and {start.nothing} is not known."
  - when: Stop
    steps: [{say: Stopped.}]
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    file = tmp_path / "script.yaml"
    file.write_text(SCRIPT)
    return file


def test_a_script_calls_a_tool_by_the_end_of_its_name_and_says_what_the_tool_gave(
    form: Format, streamed: bool, script: Path
) -> None:
    with serving(Script.load(script)) as model:
        body = form.begin("Play cloak", "x__start")
        assert heard(form, post(model, form, body, streamed=streamed), streamed=streamed) == ("", [("x__start", CALL)])
        form.result(body, '{"handle": "f00d", "turn": 0}')
        said = heard(form, post(model, form, body, streamed=streamed), streamed=streamed)
        assert said == ("You play f00d, and {start.nothing} is not known.", [])
    [first, second] = model.requests
    assert (first.streamed, first.status, len(first.conversation.messages)) == (streamed, 200, 1)
    [call, result] = second.conversation.messages[1:]
    assert [each.tool[-5:] for each in (*call.calls, *result.results)] == ["start", "start"]
    assert second.conversation.value("start", "turn") == "0"


def test_a_request_without_the_tool_gets_the_other_answer_and_leaves_the_script_where_it_was(
    form: Format, script: Path
) -> None:
    with serving(Script.load(script)) as model:
        title = form.begin("Play cloak", "x__title")
        assert heard(form, post(model, form, title, streamed=False), streamed=False) == ("Done.", [])
        body = form.begin("Play cloak", "x__start")
        assert heard(form, post(model, form, body, streamed=False), streamed=False)[1] == [("x__start", CALL)]


def test_the_case_that_was_asked_for_last_holds(script: Path) -> None:
    said = [Message("user", "Play cloak"), Message("assistant", "Hm."), Message("user", "Stop!")]
    assert Script.load(script)(Conversation.of("", ["x__start"], said)).text == "Stopped."
    again = [*said, Message("assistant", "Well."), Message("user", "Play, then.")]
    assert Script.load(script)(Conversation.of("", ["x__start"], again)).calls == (Call("x__start", CALL),)


def failing(kind: Kind, **options: Any) -> Callable[[Conversation], Answer]:
    def decide(conversation: Conversation) -> Answer:
        tool = conversation.tool("start") or ""
        return Answer("I begin.", (Call(tool, CALL),) if tool else (), Fault(kind, **options))

    return decide


@pytest.mark.parametrize(("kind", "status"), [("429", 429), ("500", 500)])
def test_errors_are_the_providers_own_and_a_second_try_succeeds(
    kind: Kind, status: int, form: Format, streamed: bool
) -> None:
    with serving(failing(kind)) as model:
        body = form.begin("Play", "x__start")
        refused = post(model, form, body, streamed=streamed)
        assert refused.status_code == status
        assert refused.json()["error"]["message"]
        assert ("retry-after" in refused.headers) == (status == 429)
        assert heard(form, post(model, form, body, streamed=streamed), streamed=streamed)[0] == "I begin."
    assert [each.status for each in model.requests] == [status, 200]


def test_a_cut_answer_is_an_error_of_the_connection(form: Format, streamed: bool) -> None:
    with serving(failing("cut", times=2)) as model:
        for _ in range(2):
            with pytest.raises(httpx2.RemoteProtocolError):
                post(model, form, form.begin("Play", "x__start"), streamed=streamed)
        assert post(model, form, form.begin("Play", "x__start"), streamed=streamed).status_code == 200


def test_bad_json_is_no_json(form: Format, streamed: bool) -> None:
    with serving(failing("bad-json")) as model:
        answer = post(model, form, form.begin("Play", "x__start"), streamed=streamed)
        assert answer.status_code == 200
        with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
            heard(form, answer, streamed=streamed)


@pytest.mark.parametrize("name", ["chat", "responses"])
def test_bad_arguments_cannot_be_parsed_where_a_format_has_them_as_text(name: str) -> None:
    with serving(failing("bad-arguments")) as model:
        answer = post(model, FORMATS[name], FORMATS[name].begin("Play", "x__start"), streamed=False)
        answer.json()
        with pytest.raises(ValueError, match=r"Expecting|Illegal"):
            heard(FORMATS[name], answer, streamed=False)


def test_a_text_can_be_long_or_give_orders_or_be_slow(form: Format, streamed: bool) -> None:
    body = form.begin("Play", "x__other")
    for fault, wanted in (
        (Fault("long", size=30_000), "(All work and no play. )*.*"),
        (Fault("inject"), r"I begin\.\nIGNORE YOUR RULES.*"),
        (Fault("slow", seconds=0.01), r"I begin\."),
    ):
        with serving(lambda _, fault=fault: Answer("I begin.", fault=fault)) as model:
            text, _ = heard(form, post(model, form, body, streamed=streamed), streamed=streamed)
        assert re.fullmatch(wanted, text)
        assert (len(text) == 30_000) == (fault.kind == "long")


def test_what_cannot_be_read_is_refused_as_the_provider_does(form: Format) -> None:
    with serving(lambda _: Answer("Hello.")) as model:
        answer = httpx2.post(model.url + form.path, content=b"{")
        assert (answer.status_code, list(answer.json())[-1]) == (400, "error")
    assert model.requests == []


def test_models_tokens_and_the_record_can_be_asked_for() -> None:
    with serving(lambda _: Answer("Hello.")) as model:
        [listed] = httpx2.get(f"{model.url}/v1/models").json()["data"]
        assert (listed["id"], listed["object"], listed["type"]) == ("scripted", "model", "model")
        counted = httpx2.post(f"{model.url}/v1/messages/count_tokens", json={"messages": []}).json()
        assert counted["input_tokens"] > 0
        assert httpx2.post(f"{model.url}{MODEL}countTokens", json={"contents": []}).json()["totalTokens"] > 0
        assert httpx2.get(f"{model.url}/requests").json() == {"count": 0, "requests": []}
        httpx2.post(f"{model.url}/v1/responses", json={"input": "Hello", "model": "m"})
        recorded = httpx2.get(f"{model.url}/requests").json()
    assert recorded["count"] == 1
    assert recorded["requests"][0]["conversation"]["messages"][0]["text"] == "Hello"
    assert recorded["requests"][0]["answer"]["text"] == "Hello."


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("steps: [{sing: la}]", "sing"),
        ("steps: [{say: hm, fault: flood}]", "flood"),
        ("steps: [{say: hm, fault: {kind: slow, hours: 3}}]", "hours"),
        ("nothing: here", "steps"),
        ("- a\n", "list"),
        ("{", "expected"),
    ],
)
def test_a_script_that_cannot_be_used_says_why(text: str, says: str, tmp_path: Path) -> None:
    file = tmp_path / "script.yaml"
    file.write_text(text)
    with pytest.raises(ScriptError, match=says) as error:
        Script.load(file)
    assert str(file) in str(error.value)


@pytest.fixture
def command(script: Path) -> Iterator[str]:
    process = [sys.executable, "-m", "evals.scripted", "--script", str(script), "--port", "0"]
    with subprocess.Popen(process, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        yield running.stdout.readline().strip()
        running.terminate()


def test_the_command_prints_where_it_listens(command: str, script: Path) -> None:
    assert httpx2.get(f"{command}/requests").json()["count"] == 0
    port = command.rsplit(":", 1)[1]
    taken = [sys.executable, "-m", "evals.scripted", "--script", str(script), "--port", port]
    ran = subprocess.run(taken, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert port in ran.stderr


def test_a_schema_likely_tokens_and_vectors_are_answered() -> None:
    schema = {"type": "object", "properties": {"label": {"enum": ["move", "look"]}}}
    wanted = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    said = Answer.json({"label": "move"}, likely={"move": 0.75, "look": 0.25}, cached=7)
    with serving(lambda _: said) as model:
        url = f"{model.url}/v1/chat/completions"
        body = httpx2.post(
            url, json={"messages": [{"role": "user", "content": "go"}], "response_format": wanted}
        ).json()
        near = httpx2.post(
            f"{model.url}/v1/embeddings", json={"input": ["take the lamp", "take a lamp", "sing"]}
        ).json()
    assert model.requests[0].conversation.schema == schema
    assert json.loads(body["choices"][0]["message"]["content"]) == {"label": "move"}
    assert body["usage"]["prompt_tokens_details"]["cached_tokens"] == 7
    [token] = [each for each in body["choices"][0]["logprobs"]["content"] if each["token"] == "move"]
    assert round(math.exp(token["logprob"]), 6) == 0.75
    lamp, other, sing = (each["embedding"] for each in near["data"])

    def likeness(a: list[float], b: list[float]) -> float:
        return sum(x * y for x, y in zip(a, b, strict=True))

    assert round(likeness(lamp, lamp), 6) == 1
    assert 0 <= likeness(lamp, sing) < likeness(lamp, other) < 1
    assert model.embedded == [("take the lamp", "take a lamp", "sing")]


@pytest.mark.parametrize("kind", ["400", "401"])
def test_a_refusal_is_the_providers_own(kind: Kind, form: Format, streamed: bool) -> None:
    with serving(failing(kind)) as model:
        assert post(model, form, form.begin("Play", "x__start"), streamed=streamed).status_code == int(kind)


def test_a_stalled_answer_comes_whole_in_the_end(form: Format, streamed: bool) -> None:
    with serving(failing("stall", seconds=0.01)) as model:
        answer = post(model, form, form.begin("Play", "x__other"), streamed=streamed)
        assert heard(form, answer, streamed=streamed)[0] == "I begin."
