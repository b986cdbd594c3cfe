"""SDKs and frameworks that are given our base address and nothing else. What is run is what docs/clients.md shows."""

import concurrent.futures
import contextlib
import io
import re

import pytest

from rig.envelopes import tokens
from rig.ledger import charged_nano
from rig.server import INPUT_NANO, OUTPUT_NANO, ROOT, nano
from rig.tools import call

# What OpenAI's own types do not foresee shows as a warning of pydantic.
pytestmark = pytest.mark.filterwarnings("error::UserWarning")

CAP = "0.0005"
SNIPPETS = re.findall(r"^```python\n(.*?)^```$", (ROOT / "docs" / "clients.md").read_text(), re.M | re.S)

#: What of a snippet makes it speak another dialect.
CHAT_LANGCHAIN = {"use_responses_api=True": "use_responses_api=False"}
#: The conversation with a tool that ChatOpenAI holds, held by ChatAnthropic.
ANTHROPIC_LANGCHAIN = {
    "import openai\n": "import anthropic\n",
    "langchain_openai import ChatOpenAI": "langchain_anthropic import ChatAnthropic",
    "ChatOpenAI(": "ChatAnthropic(max_tokens=2000, ",
    "/v1": "",
    ", use_responses_api=True": "",
    "openai.APIError": "anthropic.APIStatusError",
    "error.code": 'error.body["error"]["code"]',
}
CHAT_AGENTS = {"OpenAIResponsesModel": "OpenAIChatCompletionsModel"}
WAYS = {
    "openai chat": ("chat.completions", {}),
    "openai responses": ("client.responses", {}),
    "anthropic": ("client.messages", {}),
    "langchain responses": ("langchain_openai", {}),
    "langchain chat": ("langchain_openai", CHAT_LANGCHAIN),
    "langchain messages": ('model.stream("', {}),
    "langchain messages with a tool": ("langchain_openai", ANTHROPIC_LANGCHAIN),
    "agents responses": ("from agents", {}),
    "agents chat": ("from agents", CHAT_AGENTS),
}


def snippet(mark: str) -> str:
    found = [text for text in SNIPPETS if mark in text]
    assert len(found) == 1, f"{len(found)} snippets with {mark}"
    return found[0]


def run(server, tenant, way: str, count: int) -> tuple[str, str]:
    """Runs the snippet of a way with an answer of so many words; what it printed of the answer, and how it says it was cut."""
    mark, changes = WAYS[way]
    source = snippet(mark)
    words = f"\n@tokens {count}\n@rate 0"
    asked = {
        "https://kdcube.example": server.url,
        "kd-…": tenant.key,
        "Tell me about rivers.": f"Tell me about rivers.{words}",
        "How is the weather in Kyiv?": "How is it?\n@rate 0\n" + call("weather", town="Kyiv") + "\n@then" + words,
    }
    for shown, meant in changes.items():
        assert shown in source, shown
        source = source.replace(shown, meant)
    for shown, meant in asked.items():
        # Inside a text of Python's the prompt has to be escaped, so that its lines stay in it.
        source = source.replace(shown, meant.encode("unicode_escape").decode().replace('"', '\\"'))
    program = compile(source, f"docs/clients.md, {way}", "exec")
    printed = io.StringIO()
    # On a thread of its own: the browser of other tests keeps an event loop running on this one, and a snippet may start its own.
    with contextlib.redirect_stdout(printed), concurrent.futures.ThreadPoolExecutor(1) as thread:
        thread.submit(exec, program, {"__name__": "snippet"}).result()
    said, _, cut = printed.getvalue().partition("\ncut: ")
    return said, cut


def test_every_snippet_is_run():
    assert {snippet(mark) for mark, _ in WAYS.values()} == set(SNIPPETS)


@pytest.mark.parametrize("way", WAYS)
def test_a_conversation_with_a_tool_streams_and_is_cut_at_the_cap(server, installation, make_tenant, way):
    free = make_tenant(installation)
    said, cut = run(server, free, way, 30)
    uses_tool = "weather" in snippet(WAYS[way][0])
    # The arguments of the call are two words that nobody prints.
    hidden = 2 if uses_tool else 0
    assert tokens(said) == 30 and not cut
    assert ("It is sunny in Kyiv." in said) == uses_tool
    totals = free.usage()["totals"]
    assert totals["output_tokens"] == 30 + hidden and totals["requests"] == (2 if uses_tool else 1)

    capped = make_tenant(installation)
    capped.cap(CAP)
    said, cut = run(server, capped, way, 1000)
    assert "budget_exceeded" in cut, f"{way} does not say that it was cut: {cut}"
    totals = capped.usage()["totals"]
    assert 0 < tokens(said) == totals["output_tokens"] - hidden < 1000
    cost = totals["input_tokens"] * INPUT_NANO + totals["output_tokens"] * OUTPUT_NANO
    assert cost == nano(totals["cost_usd"]) == charged_nano(installation.folder / "data", capped.org) <= nano(CAP)
