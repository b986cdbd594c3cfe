"""A server with models behind Anthropic's Messages API, and what its tests ask and read."""

import json

import anthropic
import yaml

from rig.messages import MessagesWitness
from rig.server import ROOT, Installation

#: A token that the upstream's cache gave, and one that it took, in nano-USD.
READ_NANO, WRITE_NANO = 100, 1_250

WEATHER = {
    "name": "get_weather",
    "description": "The weather of a city.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


def claude_installation(folder, witness, upstream) -> Installation:
    catalog = yaml.safe_load((ROOT / "scripts" / "demo" / "tools.yaml").read_text())
    lookup = [tool for tool in catalog["tools"] if tool["name"] == "crm.lookup"]
    (folder / "tools.yaml").write_text(yaml.safe_dump({"tools": lookup}))
    claude = {"provider": "anthropic", "base_url": upstream.url, "api_key": "sk-ant-secret", "prompt_overhead": 0}
    claude |= {"upstream_model": "claude-sonnet-4-5"}
    models = [claude | {"id": "claude"}, claude | {"id": "whole", "upstream_stream": False, "max_output_tokens": 500}]
    models += [
        claude | {"id": "chained", "upstream_model": "claude-opus-4-1", "fallback": ["witness"]},
        claude | {"id": "flaky", "retries": 2},
    ]
    installation = Installation(folder, upstream=witness.url, extra_models=models, tools={"file": str(folder / "tools.yaml")})
    prices = json.loads((folder / "prices.json").read_text())
    for price in prices.values():
        price |= {"cache_read_input_token_cost": READ_NANO / 1e9, "cache_creation_input_token_cost": WRITE_NANO / 1e9}
    (folder / "prices.json").write_text(json.dumps(prices))
    return installation


def ask(count: int, rate: int = 0) -> list[dict]:
    return [{"role": "user", "content": f"Tell me something.\n@tokens {count}\n@rate {rate}"}]


def user(content: str) -> list[dict]:
    return [{"role": "user", "content": content}]


def sends(client, monkeypatch) -> list:
    """Records every request that the SDK sends, retries included."""
    sent = []
    send = client._client.send
    monkeypatch.setattr(client._client, "send", lambda request, **more: (sent.append(request), send(request, **more))[1])
    return sent


def events_of(response) -> list[tuple[str, dict]]:
    blocks = [block.split("\n") for block in response.text.strip().split("\n\n")]
    return [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in blocks]


# Fixtures of the tests that need all of it: `installation = pytest.fixture(scope="module")(claude_server)`.


def messages_upstream():
    witness = MessagesWitness()
    yield witness
    witness.stop()


def claude_server(tmp_path_factory, witness, upstream):
    installation = claude_installation(tmp_path_factory.mktemp("anthropic"), witness, upstream)
    installation.serve()
    yield installation
    installation.stop()


def claude_client(server, tenant):
    client = anthropic.Anthropic(base_url=server.url, api_key=tenant.key, max_retries=2)
    yield client
    client.close()
