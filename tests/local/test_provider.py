"""A model on this machine is a provider among others, asked for labels in its own way; nothing of it is loaded before."""

import subprocess
import sys

from agents.local import Place, configured
from agents.models.answers import written
from agents.models.configuration import Configuration
from agents.models.model import asked
from agents.models.wire import body

PLACE = Place("http://127.0.0.1:1/v1", "key", "smollm2")


def test_alone_it_is_asked_for_everything_and_beside_others_for_labels_alone() -> None:
    assert configured(PLACE).default == ("local",)
    other = Configuration.one(url="https://models.example.org/v1", model="large", name="other")
    both = configured(PLACE, beside=other)
    assert (both.default, both.label, list(both.providers)) == (("other",), "local", ["other", "local"])


def test_a_label_that_an_operator_gave_to_another_provider_stays_there() -> None:
    other = Configuration.one(url="https://models.example.org/v1", model="large", name="other")
    told = Configuration(other.providers, other.default, label="other")
    assert configured(PLACE, beside=told).label == "other"


def test_a_label_is_bound_by_a_grammar_of_plain_words_and_a_schema_stays_a_schema() -> None:
    provider = configured(PLACE).providers["local"]
    label = body(asked("", "hi", purpose="label", labels=("chat", 'a "quoted" one')), provider)
    assert label["grammar"] == 'root ::= "chat" | "a \\"quoted\\" one"'
    assert "response_format" not in label
    judged = body(asked("", "hi", purpose="judge", schema={"type": "object"}), provider)
    assert "grammar" not in judged
    assert "response_format" in judged


def test_the_commands_load_neither_llama_nor_litellm() -> None:
    script = "import sys, rulebound.commands.local; assert not {'xllamacpp', 'litellm', 'httpx2'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True)


def test_a_call_in_doubled_braces_is_a_call_where_its_tool_is_offered() -> None:
    said = '{{"name": "look_up", "arguments": {"question": "what is a grue?"}}}'
    text, calls = written(said, {"look_up"})
    assert (text, [(call.name, call.arguments) for call in calls]) == (
        "",
        [("look_up", '{"question": "what is a grue?"}')],
    )
    assert written(said, {"do"}) == (said, [])
