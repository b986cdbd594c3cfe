"""A small real model behind the server: real pacing, real usage, cut in the middle of its sentence."""

import pytest
import requests

from rig.envelopes import answer, check_run, of_sse
from rig.process import Process
from rig.server import INPUT_NANO, OUTPUT_NANO, ROOT, Installation, nano
from rig.sse import collect
from rig.waiting import free_port, wait_until


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    folder, port = tmp_path_factory.mktemp("real"), free_port()
    process = Process(["scripts/model.sh", "serve", str(port)], folder / "model.log", cwd=ROOT)
    installation = None
    try:

        def healthy() -> bool:
            assert process.alive, process.tail()
            try:
                return requests.get(f"http://127.0.0.1:{port}/health", timeout=2).ok
            except requests.RequestException:
                return False

        wait_until("the model is loaded", healthy, 60)
        model = {"id": "smollm2", "provider": "openai", "base_url": f"http://127.0.0.1:{port}/v1", "api_key": "none"}
        installation = Installation(folder / "i", extra_models=[model])
        installation.serve()
        yield installation
    finally:
        if installation:
            installation.stop()
        process.stop()


def ask(installation, tenant, text: str, **more) -> list[dict]:
    body = {"text": text, "model": "smollm2", "temperature": 0, **more}
    return of_sse(collect(installation.servers[0].url, tenant.key, body))


def test_it_answers_and_is_charged_by_its_own_usage(real, make_tenant):
    tenant = make_tenant(real)
    envelopes = ask(real, tenant, "Say hello.", max_tokens=24)
    end = check_run(envelopes)
    assert end["type"] == "chat.complete" and answer(envelopes).strip()
    usage = end["usage"]
    assert 0 < usage["output_tokens"] <= 24 and usage["input_tokens"] > 5
    assert nano(end["cost_usd"]) == usage["input_tokens"] * INPUT_NANO + usage["output_tokens"] * OUTPUT_NANO


def test_it_is_cut_at_the_cap(real, make_tenant):
    tenant = make_tenant(real)
    tenant.cap("0.00025", window="day")
    envelopes = ask(real, tenant, "Write a long story about a lighthouse.", max_tokens=400)
    end = check_run(envelopes)
    assert end["type"] == "chat.cut" and end["cut"]["reason"] == "budget_exceeded"
    assert answer(envelopes).strip() and 0 < end["usage"]["output_tokens"] < 125
    assert nano(tenant.usage()["totals"]["cost_usd"]) == nano(end["cost_usd"]) <= nano("0.00025")
