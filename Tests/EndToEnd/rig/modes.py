"""An installation whose models are all the witness, each metered, tried again and given up in its own way."""

import json

from .server import ROOT, Installation

#: Of the model `steady`, in nano-USD: not what the others cost.
STEADY_OUTPUT_NANO = 7_000


def installation(folder, witness, redis: str = "", grace: str = "1s") -> Installation:
    def model(name: str, **settings) -> dict:
        return {"id": name, "provider": "openai", "base_url": witness.url, "api_key": "w", "prompt_overhead": 16, **settings}

    models = [
        model("held", metering="reserve"),
        model("thinker", reasoning="hidden", metering="stream"),
        model("whole", upstream_stream=False),
        model("flaky", retries=2, retry_after_max="2s"),
        model("chained", fallback=["steady"]),
        model("steady"),
        model("stopping", on_disconnect="stop"),
    ]
    server = {"web_client": str(ROOT / "web-client"), "disconnect_grace": grace}
    made = Installation(folder, upstream=witness.url, redis=redis, extra_models=models, server=server)
    path = folder / "prices.json"
    prices = json.loads(path.read_text())
    prices["steady"] = prices["steady"] | {"output_cost_per_token": 7e-06}
    path.write_text(json.dumps(prices))
    return made
