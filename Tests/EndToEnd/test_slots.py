"""An organisation that is split over several sets of counters: its caps are one, whatever slot a run is counted in."""

import asyncio

import aiohttp
import pytest

from rig import crowd
from rig.ledger import charged_nano_postgres
from rig.server import INPUT_NANO, OUTPUT_NANO, Installation, dollars, nano
from rig.sse import wait_for

pytestmark = pytest.mark.alone

SLOTS = 4
USERS = 12
RUNS = 240
TOKENS_A_RUN = 300
#: Every run wants four times as much as there is for it.
CAP_NANO = RUNS * TOKENS_A_RUN * OUTPUT_NANO
PROMPT = "Tell me something.\n@tokens 1200\n@rate 60"


async def _rush(urls: list[str], keys: list[str]) -> list:
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=110)) as session:
        over = (crowd.over_events, crowd.over_openai)
        jobs = [over[i % 2](session, urls[i % len(urls)], keys[i % len(keys)], PROMPT) for i in range(RUNS)]
        return await asyncio.gather(*jobs)


@pytest.fixture
def split(redis_server, shared_postgres, tmp_path):
    """Two servers; every organisation called hot is split."""
    database = shared_postgres.database()
    installation = Installation(tmp_path / "split", redis=redis_server.url, postgres=database, accounting={"slots": {"hot": SLOTS}})
    installation.database = database
    installation.serve()
    installation.serve()
    yield installation
    installation.stop()


@pytest.mark.timeout(240)
def test_the_slots_of_a_hot_organisation_share_one_cap_and_use_it_up(split, redis_server, shared_postgres):
    keys = [split.key("hot", "web", f"user{number}")["key"] for number in range(USERS)]
    split.budget("org:hot", dollars(CAP_NANO))
    # Small, and shared by two users: both slots take it from each other all the time.
    split.budget("project:hot/web", str(RUNS * 2), "requests", "day")
    outcomes = wait_for(_rush([server.url for server in split.servers], keys))

    told = crowd.summary(outcomes)
    assert len(outcomes) == RUNS and all(outcome.end == "chat.cut" for outcome in outcomes), told
    assert all(outcome.delivered == outcome.output_tokens for outcome in outcomes)
    delivered = sum(outcome.delivered for outcome in outcomes)
    charged = delivered * OUTPUT_NANO + sum(outcome.input_tokens for outcome in outcomes) * INPUT_NANO

    usage = split.settled_usage("org:hot")
    (window,) = usage["windows"]
    assert nano(str(window["used"])) == nano(usage["totals"]["cost_usd"]) == charged
    assert charged_nano_postgres(shared_postgres, split.database, "hot") == charged
    assert charged <= CAP_NANO
    assert CAP_NANO - charged < OUTPUT_NANO * SLOTS, "more than a token a slot was left unused"
    used = {key.decode().partition(":")[0] for key in redis_server.client.keys("{hot*}:w:org:*")}
    assert used == {f"{{hot/{slot}}}" for slot in range(1, SLOTS + 1)}, "every slot has had runs, and nothing else"
    # A cut names the whole window and not one slot's part of it.
    cuts = [outcome.detail["cut"] for outcome in outcomes if outcome.carrier == "events"]
    assert all(cut["reason"] == "budget_exceeded" and cut["scope"] == {"kind": "org", "id": "hot"} for cut in cuts)
    assert all(nano(str(cut["used"])) > CAP_NANO // 2 for cut in cuts), "the rest was held by runs that were live"
    split.command("reconcile")


@pytest.mark.timeout(240)
def test_a_lost_redis_and_another_number_of_slots_lose_nothing(split, redis_server):
    keys = [split.key("hot", "web", f"user{number}")["key"] for number in range(USERS)]
    split.budget("org:hot", "40000", "tokens")
    urls = [server.url for server in split.servers]

    async def some(text: str, runs: int) -> list:
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=60)) as session:
            jobs = [asyncio.create_task(crowd.over_events(session, urls[i % len(urls)], keys[i % USERS], text)) for i in range(runs)]
            if text == slow:
                await asyncio.sleep(1.5)
                redis_server.kill()
                redis_server.start()
            return await asyncio.gather(*jobs)

    slow = "Slowly.\n@tokens 300\n@rate 100"
    outcomes = wait_for(some("Quickly.\n@tokens 400\n@rate 0", 24)) + wait_for(some(slow, 24))
    usage = split.settled_usage("org:hot")
    total = sum(outcome.input_tokens + outcome.output_tokens for outcome in outcomes)
    assert usage["totals"]["input_tokens"] + usage["totals"]["output_tokens"] == total
    assert usage["windows"][0]["used"] == total
    split.command("reconcile")

    # The configuration names another number: what other slots hold and have used still counts.
    text = split.config.read_text().replace(f"hot: {SLOTS}", "hot: 1")
    assert "hot: 1" in text
    split.config.write_text(text)
    for server in split.servers:
        server.process.stop()
        split.restart(server)
    outcomes += wait_for(some("On.\n@tokens 3000\n@rate 0", 24))
    total = sum(outcome.input_tokens + outcome.output_tokens for outcome in outcomes)
    assert any(outcome.end == "chat.cut" for outcome in outcomes)
    usage = split.settled_usage("org:hot")
    assert usage["windows"][0]["used"] == total
    assert 40_000 - 64 <= total <= 40_000
    split.command("reconcile")
