"""300 runs at once against one project cap: what was delivered, what was charged and what the ledger holds are one number."""

import math

import pytest

from rig import crowd
from rig.ledger import charged_nano
from rig.server import INPUT_NANO, OUTPUT_NANO, Installation, dollars, nano
from rig.sse import wait_for

pytestmark = pytest.mark.alone

RUNS = 300
TOKENS_A_RUN = 500
#: Room for 500 tokens a run; every run wants four times as much, at a pace at which all of them are live together.
CAP_NANO = RUNS * TOKENS_A_RUN * OUTPUT_NANO
PROMPT = "Tell me something.\n@tokens 2000\n@rate 60"


def check_crowd(installation: Installation, tenant, outcomes: list) -> int:
    """Every claim of the accounting about these runs. Returns how many tokens were delivered."""
    told = crowd.summary(outcomes)
    assert len(outcomes) == RUNS, told
    assert all(outcome.end == "chat.cut" for outcome in outcomes), told
    assert all(outcome.delivered == outcome.output_tokens > 0 for outcome in outcomes)
    delivered = sum(outcome.delivered for outcome in outcomes)
    charged = delivered * OUTPUT_NANO + sum(outcome.input_tokens for outcome in outcomes) * INPUT_NANO

    usage = tenant.usage()
    (window,) = usage["windows"]
    assert nano(str(window["used"])) == nano(usage["totals"]["cost_usd"]) == charged
    assert charged_nano(installation.folder / "data", tenant.org) == charged
    assert charged <= CAP_NANO
    assert CAP_NANO - charged < OUTPUT_NANO, "money for another token was left unused"
    assert nano(str(window["held"])) == nano(str(window["suspense"])) == 0
    assert usage["totals"]["requests"] == RUNS and usage["totals"]["output_tokens"] == delivered
    return delivered


@pytest.mark.timeout(240)
def test_two_server_processes_share_one_cap_through_redis(redis_server, tmp_path, make_tenant):
    """Complaints 1 and 3: check and record apart, a cap for each process. Complaint 27: so many calls of Redis that it times out."""
    installation = Installation(tmp_path / "shared", redis=redis_server.url)
    try:
        urls = [installation.serve().url, installation.serve().url]
        tenant = make_tenant(installation)
        tenant.cap(dollars(CAP_NANO))
        before = redis_server.function_calls()
        outcomes = wait_for(crowd.rush(urls, tenant.key, PROMPT, RUNS))
        calls = redis_server.function_calls() - before
        delivered = check_crowd(installation, tenant, outcomes)
        # 20 at full speed. Slices are two seconds long and at least 32 tokens: a machine that is late needs up to twice as many.
        assert calls <= math.ceil(delivered / 1000) * 50, f"{calls} Redis calls for {delivered} tokens"
    finally:
        installation.stop()


@pytest.mark.timeout(240)
def test_one_process_with_embedded_stores(tmp_path, make_tenant):
    """Complaint 6: an overdraft by runs that all looked before any was charged."""
    installation = Installation(tmp_path / "embedded")
    try:
        url = installation.serve().url
        tenant = make_tenant(installation)
        tenant.cap(dollars(CAP_NANO))
        check_crowd(installation, tenant, wait_for(crowd.rush([url], tenant.key, PROMPT, RUNS)))
    finally:
        installation.stop()
