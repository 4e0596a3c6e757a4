"""Owns the same exchange with a model in two forms: chat completions as `agents.models.wire` writes them, and Inspect's own types.

Plain functions, each direction of each. It must not know who asks or who answers.
"""

from __future__ import annotations

import json
from typing import Any, cast

from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageTool,
    ChatMessageUser,
    GenerateConfig,
    Logprob,
    Logprobs,
    ModelOutput,
    ModelUsage,
    ResponseSchema,
    StopReason,
    TopLogprob,
)
from inspect_ai.tool import ToolCall, ToolChoice, ToolFunction, ToolInfo, ToolParams
from inspect_ai.util import JSONSchema

from agents.models.answers import loaded
from storage.records import Json

CARRIED = ("grammar",)
"""Parts of a body that Inspect has no name for."""
_FINISH: dict[StopReason, str] = {"max_tokens": "length", "model_length": "length", "tool_calls": "tool_calls"}
_STOP: dict[str, StopReason] = {"length": "max_tokens", "tool_calls": "tool_calls", "content_filter": "content_filter"}


# --- a body of ours to what Inspect asks with


def messages(body: Json) -> list[ChatMessage]:
    """What is said, as Inspect has it."""
    return [_message(each) for each in body["messages"]]


def _message(said: Json) -> ChatMessage:
    text = said["content"] or ""
    match said["role"]:
        case "system":
            return ChatMessageSystem(content=text)
        case "assistant":
            calls = [
                ToolCall(each["id"], each["function"]["name"], json.loads(each["function"]["arguments"]))
                for each in said.get("tool_calls", ())
            ]
            return ChatMessageAssistant(content=text, tool_calls=calls or None)
        case "tool":
            return ChatMessageTool(content=text, tool_call_id=said["tool_call_id"])
        case _:
            return ChatMessageUser(content=text)


def tools(body: Json) -> list[ToolInfo]:
    """What may be called. Inspect knows a part of JSON schema; what it leaves out is checked when the call comes."""
    offered = [each["function"] for each in body.get("tools", ())]
    return [
        ToolInfo(
            name=each["name"],
            description=each["description"],
            parameters=ToolParams.model_validate(each["parameters"]),
        )
        for each in offered
    ]


def choice(body: Json) -> ToolChoice:
    """Whether a tool has to be called."""
    return "any" if body.get("tool_choice") == "required" else "auto"


def config(body: Json) -> GenerateConfig:
    """How it is asked."""
    found = GenerateConfig(
        max_tokens=body["max_tokens"],
        temperature=body["temperature"],
        logprobs=body.get("logprobs"),
        top_logprobs=body.get("top_logprobs"),
        extra_body={name: body[name] for name in CARRIED if name in body} or None,
    )
    if wanted := body.get("response_format", {}).get("json_schema"):
        schema = JSONSchema.model_validate(wanted["schema"])
        found.response_schema = ResponseSchema(name=wanted["name"], json_schema=schema, strict=wanted["strict"])
    return found


# --- what Inspect was told to a completion


def completion(output: ModelOutput) -> Json:
    """A model's answer as `agents.models.wire.Heard` takes it."""
    first, usage = output.choices[0], output.usage or ModelUsage()
    cached = usage.input_tokens_cache_read or 0
    calls = [
        {"id": each.id, "function": {"name": each.function, "arguments": _arguments(each)}}
        for each in first.message.tool_calls or ()
    ]
    told = first.logprobs.model_dump() if first.logprobs else None
    return {
        "choices": [
            {
                "message": {"content": first.message.text, "tool_calls": calls},
                "finish_reason": _FINISH.get(first.stop_reason, "stop"),
                "logprobs": told and {"content": [{"top_logprobs": None} | each for each in told["content"]]},
            }
        ],
        "usage": {
            "prompt_tokens": usage.input_tokens + cached + (usage.input_tokens_cache_write or 0),
            "completion_tokens": usage.output_tokens,
            "prompt_tokens_details": {"cached_tokens": cached},
        },
    }


def _arguments(call: ToolCall) -> str:
    """As text; what could not be parsed is passed on as it is no object, so that it is asked for once more."""
    return "" if call.parse_error is None and not call.arguments else json.dumps(call.parse_error or call.arguments)


# --- what Inspect asks with to a body of ours


def body(model: str, said: list[ChatMessage], offered: list[ToolInfo], chosen: ToolChoice, how: GenerateConfig) -> Json:
    """A request as an OpenAI-compatible endpoint takes it."""
    made: Json = {"model": model, "messages": [_said(each) for each in said]}
    plain = {
        "max_tokens": how.max_tokens,
        "temperature": how.temperature,
        "top_p": how.top_p,
        "stop": how.stop_seqs,
        "seed": how.seed,
        "logprobs": how.logprobs,
        "top_logprobs": how.top_logprobs,
    }
    made |= {name: value for name, value in plain.items() if value is not None}
    if offered:
        made["tools"] = [
            {"type": "function", "function": each.model_dump(exclude_none=True, exclude={"options"})}
            for each in offered
        ]
        if isinstance(chosen, ToolFunction):
            made["tool_choice"] = {"type": "function", "function": {"name": chosen.name}}
        else:
            made["tool_choice"] = "required" if chosen == "any" else chosen
    if how.response_schema is not None:
        schema = how.response_schema
        named = {"name": schema.name, "schema": schema.json_schema.model_dump(exclude_none=True)}
        made["response_format"] = {"type": "json_schema", "json_schema": {**named, "strict": bool(schema.strict)}}
    return made | (how.extra_body or {})


def _said(message: ChatMessage) -> Json:
    made: Json = {"role": message.role, "content": message.text}
    if isinstance(message, ChatMessageAssistant) and message.tool_calls:
        made["tool_calls"] = [
            {
                "id": each.id,
                "type": "function",
                "function": {"name": each.function, "arguments": json.dumps(each.arguments)},
            }
            for each in message.tool_calls
        ]
    if isinstance(message, ChatMessageTool):
        made["tool_call_id"] = message.tool_call_id
    return made


# --- a completion to what Inspect is told


def output(model: str, answer: Json) -> ModelOutput:
    """An endpoint's answer as Inspect has it. Raises KeyError, TypeError or ValueError where it is none."""
    first: Json = answer["choices"][0]
    said: Json = first["message"]
    message = ChatMessageAssistant(
        content=said.get("content") or "",
        model=model,
        source="generate",
        tool_calls=[_call(each, number) for number, each in enumerate(said.get("tool_calls") or ())] or None,
    )
    stop = "tool_calls" if message.tool_calls else _STOP.get(first.get("finish_reason") or "", "stop")
    told = ChatCompletionChoice(message=message, stop_reason=stop, logprobs=_logprobs(first.get("logprobs")))
    return ModelOutput(model=model, choices=[told], usage=_usage(answer.get("usage") or {}))


def _call(call: Json, number: int) -> ToolCall:
    function: Json = call["function"]
    given: Any = function.get("arguments") or "{}"
    id, name = call.get("id") or f"call_{number}", str(function["name"])
    try:
        arguments = loaded(given) if isinstance(given, str) else given
    except ValueError as error:
        return ToolCall(id, name, {}, parse_error=f"{error}: {given}")
    if not isinstance(arguments, dict):
        return ToolCall(id, name, {}, parse_error=f"no object: {given}")
    return ToolCall(id, name, cast(Json, arguments))


def _logprobs(told: Json | None) -> Logprobs | None:
    if not told or not told.get("content"):
        return None
    return Logprobs(
        content=[
            Logprob(
                token=each["token"],
                logprob=each["logprob"],
                top_logprobs=[
                    TopLogprob(token=other["token"], logprob=other["logprob"])
                    for other in each.get("top_logprobs") or ()
                ],
            )
            for each in told["content"]
        ]
    )


def _usage(told: Json) -> ModelUsage:
    """Inspect counts cached tokens apart from those charged in full."""
    given, answered = int(told.get("prompt_tokens") or 0), int(told.get("completion_tokens") or 0)
    details = cast(Json, told.get("prompt_tokens_details") or {})
    cached = int(details.get("cached_tokens") or 0)
    return ModelUsage(
        input_tokens=given - cached,
        output_tokens=answered,
        total_tokens=given + answered,
        input_tokens_cache_read=cached or None,
    )
