"""Runs across nodes: three servers on one Redis and one Postgres. A run lives at one of them and is read, resumed and cancelled at any;
a node that dies takes nothing with it but the rest of its own runs, and their readers are told."""

import asyncio
import time

import aiohttp
import pytest
import requests

from rig import envelopes as check
from rig import sse
from rig.realtime import Client
from rig.server import Installation
from rig.waiting import wait_until

pytestmark = pytest.mark.alone

RUNS = 200
#: 16 seconds of each: all are still live once all are read, also on a busy machine.
TOKENS = 128


@pytest.fixture(scope="module")
def redis_of_module(tmp_path_factory):
    from rig.stores import Redis

    redis = Redis(tmp_path_factory.mktemp("redis"))
    yield redis
    redis.stop()


@pytest.fixture(scope="module")
def nodes(tmp_path_factory, redis_of_module, shared_postgres):
    """Three servers; a test that kills one takes the last and starts it again."""
    installation = Installation(tmp_path_factory.mktemp("nodes"), redis=redis_of_module.url, postgres=shared_postgres.database())
    for _ in range(3):
        installation.serve(ready=False)
    for server in installation.servers:
        server.wait_ready()
    yield installation
    installation.stop()


@pytest.fixture
def tenant(nodes, make_tenant):
    return make_tenant(nodes)


def events(url: str, run: str, headers: dict, after: int) -> list[dict]:
    """The rest of a run over SSE."""
    position = headers | {"last-event-id": f"{run}:{after}"}
    with requests.get(f"{url}/v1/runs/{run}/events", headers=position, stream=True, timeout=30) as response:
        assert response.status_code == 200, response.text
        parser = sse.Parser()
        return check.of_sse([event for chunk in response.iter_content(None) for event in parser.feed(chunk)])


def two_call_stream(url: str, run: str, headers: dict, after: int) -> list[dict]:
    """The rest of a run on a long stream that does not end with it."""
    position = headers | {"last-event-id": f"{run}:{after}"}
    seen, parser = [], sse.Parser()
    with requests.get(f"{url}/sse/stream?stream_id=s", headers=position, stream=True, timeout=30) as response:
        for chunk in response.iter_content(None):
            for event in parser.feed(chunk):
                if event.name != "ready":
                    seen += check.of_sse([event])
                if event.name in sse.TERMINAL:
                    return seen
    raise AssertionError("the stream ended before the run")


def test_a_run_is_resumed_at_another_node_over_another_transport(nodes, tenant):
    """Socket.IO at the first node, SSE at the second, Socket.IO polling at the third: each event once, and the same text."""
    one, two, three = nodes.servers
    client = Client(one.url, tenant.key)
    run = client.call("chat_message", {"text": "go\n@tokens 120\n@rate 60", "model": "demo"})["run_id"]
    wait_until("some text", lambda: check.tokens(check.answer(client.run(run))) > 15)
    client.close()
    first = client.run(run)
    last = first[-1]["seq"]

    rest = events(two.url, run, tenant.headers, last)
    end = check.check_run(first + rest)
    assert end["type"] == "chat.complete" and check.tokens(check.answer(first + rest)) == 120
    assert end["data"]["final_answer"] == check.answer(first + rest)

    late = Client(three.url, tenant.key, transports=("polling",))
    told = late.call("chat_resume", {"run_id": run, "after_seq": last})
    assert told == {"ok": True, "from_seq": last + 1}
    assert check.check_run(late.finish(run), last) == end
    # From the middle of what was merged on the way, and from the beginning.
    for after in (0, last + 1, last + 7):
        assert check.check_run(events(three.url, run, tenant.headers, after), after) == end
    assert check.check_run(two_call_stream(two.url, run, tenant.headers, last), last) == end
    state = [requests.get(f"{server.url}/v1/runs/{run}", headers=tenant.headers, timeout=10).json() for server in nodes.servers]
    assert state[0] == state[1] == state[2] and state[0]["state"] == "complete" and state[0]["last_seq"] == end["seq"]
    late.close()


def test_two_tabs_at_two_nodes_each_get_each_event_once(nodes, tenant):
    one, two, _ = nodes.servers
    here, there = Client(one.url, tenant.key), Client(two.url, tenant.key)
    run = here.call("chat_message", {"text": "go\n@tokens 90\n@rate 60", "model": "demo"})["run_id"]
    wait_until("the other node knows the run", lambda: there.call("chat_resume", {"run_id": run})["ok"])
    seen = [here.finish(run), there.finish(run)]
    ends = [check.check_run(one_tab) for one_tab in seen]
    assert ends[0] == ends[1] and check.answer(seen[0]) == check.answer(seen[1])
    # The other node follows the run as it goes, and does not wait for its end.
    deltas = [envelope for envelope in seen[1] if envelope["type"] == "chat.delta"]
    assert len(deltas) > 5, "the text came in one piece"
    here.close()
    there.close()


def test_a_run_is_cancelled_from_another_node_and_hidden_from_strangers_there(nodes, tenant, make_tenant):
    one, two, three = nodes.servers
    strangers = [make_tenant(nodes).headers]
    # The same organisation, another project, and another user of the same project.
    for project, user in (("other", "ada"), (tenant.project, "bob")):
        strangers.append({"authorization": f"Bearer {nodes.key(tenant.org, project, user)['key']}"})
    client = Client(one.url, tenant.key)
    run = client.call("chat_message", {"text": "go\n@tokens 5000\n@rate 50", "model": "demo"})["run_id"]
    client.wait("chat_delta", run)
    address = f"{two.url}/v1/runs/{run}"
    # Also while the node follows the run for its owner.
    for _ in range(2):
        for headers in strangers:
            answers = [requests.get(address, headers=headers, timeout=10), requests.get(address + "/events", headers=headers, timeout=10)]
            answers.append(requests.post(address + "/cancel", headers=headers, timeout=10))
            for answer in answers:
                assert (answer.status_code, answer.json()["error"]["code"]) == (404, "run_not_found"), answer.text
        assert requests.get(address, headers=tenant.headers, timeout=10).json()["state"] == "running"
    assert requests.post(address + "/cancel", headers=tenant.headers, timeout=10).json() == {"ok": True, "run_id": run}
    end = check.check_run(client.finish(run))
    assert end["type"] == "chat.complete" and end["data"]["finish_reason"] == "cancelled"

    run = client.call("chat_message", {"text": "go\n@tokens 5000\n@rate 50", "model": "demo"})["run_id"]
    other = Client(three.url, tenant.key)
    wait_until("the node knows the run", lambda: other.call("chat_resume", {"run_id": run})["ok"])
    assert other.call("chat_cancel", {"run_id": run})["ok"]
    assert check.check_run(other.finish(run))["data"]["finish_reason"] == "cancelled"
    client.close()
    other.close()


def test_a_reader_at_another_node_keeps_a_run_that_stops_without_readers(tmp_path_factory, redis_of_module, make_tenant):
    settings = {"server": {"on_disconnect": "stop", "disconnect_grace": "3s"}}
    installation = Installation(tmp_path_factory.mktemp("stops"), redis=redis_of_module.url, **settings)
    try:
        one, two = installation.serve(), installation.serve()
        tenant = make_tenant(installation)
        client = Client(one.url, tenant.key)
        runs = [client.call("chat_message", {"text": "go\n@tokens 160\n@rate 20", "model": "demo"})["run_id"] for _ in range(2)]
        for run in runs:
            client.wait("chat_delta", run)
        read = check_in(two.url, runs[0], tenant.headers)
        client.close()
        seen = [envelope for envelope in read()]
        assert check.check_run(seen)["data"]["finish_reason"] == "stop" and check.tokens(check.answer(seen)) == 160
        # The other one had nobody.
        left = check.check_run(events(two.url, runs[1], tenant.headers, 0))
        assert left["data"]["finish_reason"] == "client_lost"
    finally:
        installation.stop()


def check_in(url: str, run: str, headers: dict):
    """Opens the run's stream, and returns a function that reads it to its end."""
    response = requests.get(f"{url}/v1/runs/{run}/events", headers=headers, stream=True, timeout=30)
    assert response.status_code == 200, response.text
    parser = sse.Parser()
    return lambda: check.of_sse([event for chunk in response.iter_content(None) for event in parser.feed(chunk)])


# MARK: A node that dies


class Reader:
    """Follows one run at one node; where its node dies, it goes on at the next."""

    def __init__(self, session, key: str, urls: list[str], run: str):
        self.session, self.urls, self.run = session, urls, run
        self.headers = {"authorization": f"Bearer {key}"}
        self.seen: list[dict] = []
        self.breaks = 0

    async def read(self) -> None:
        while not self.is_over:
            after = self.seen[-1]["seq"] if self.seen else 0
            position = self.headers | {"last-event-id": f"{self.run}:{after}"}
            url = f"{self.urls[0]}/v1/runs/{self.run}/events"
            try:
                async with self.session.get(url, headers=position) as response:
                    if response.status == 200:
                        async for event in sse.events(response):
                            self.seen += check.of_sse([event])
                        continue
                    code = (await response.json())["error"]["code"]
                    assert (response.status, code) == (503, "run_unavailable"), (response.status, code)
                    await asyncio.sleep(0.1)
            except aiohttp.ClientError:
                self.breaks += 1
                self.urls = self.urls[1:]

    @property
    def is_over(self) -> bool:
        return bool(self.seen) and self.seen[-1]["type"].replace(".", "_") in sse.TERMINAL


async def start(session, url: str, key: str) -> str:
    body = {"text": f"go\n@tokens {TOKENS}\n@rate 8", "model": "demo"}
    async with session.post(f"{url}/v1/runs", json=body, headers={"authorization": f"Bearer {key}"}) as response:
        assert response.status == 202, await response.text()
        return (await response.json())["run_id"]


@pytest.mark.timeout(120)
def test_a_node_is_killed_in_the_middle_of_two_hundred_runs(nodes, tenant):
    one, two, victim = nodes.servers
    tenant.cap("5.00")

    async def scene():
        timeout = aiohttp.ClientTimeout(total=60)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout) as session:
            owners = [one, two, victim]
            runs = await asyncio.gather(*(start(session, owners[n % 3].url, tenant.key) for n in range(RUNS)))
            kept = [run for n, run in enumerate(runs) if owners[n % 3] is not victim]
            dying = [run for n, run in enumerate(runs) if owners[n % 3] is victim]
            steady = [Reader(session, tenant.key, [one.url], run) for run in kept]
            moved = [Reader(session, tenant.key, [victim.url, two.url], run) for run in kept]
            elsewhere = [Reader(session, tenant.key, [two.url], run) for run in dying]
            bereft = [Reader(session, tenant.key, [victim.url, one.url], run) for run in dying]
            everybody = [*steady, *moved, *elsewhere, *bereft]
            jobs = [asyncio.create_task(reader.read()) for reader in everybody]
            deadline = time.monotonic() + 30
            while not all(len(reader.seen) > 4 for reader in everybody):
                assert time.monotonic() < deadline, "not all of them stream"
                await asyncio.sleep(0.05)
            assert not any(reader.is_over for reader in everybody)
            victim.kill()
            died = time.monotonic()
            await asyncio.gather(*jobs[len(steady) + len(moved) :])
            told = time.monotonic() - died
            await asyncio.gather(*jobs)
            return steady, moved, elsewhere, bereft, told

    steady, moved, elsewhere, bereft, told = sse.wait_for(scene())
    try:
        print(f"{len(elsewhere)} runs of the dead node were ended after {told:.1f} s")
        # Subscribers of runs that other nodes own lose nothing, wherever the run is.
        for reader in steady:
            end = check.check_run(reader.seen)
            assert end["type"] == "chat.complete" and check.tokens(check.answer(reader.seen)) == TOKENS and reader.breaks == 0
        # Those who were connected to the dead node go on elsewhere from their number.
        for reader, other in zip(moved, steady, strict=True):
            assert reader.breaks == 1
            assert check.check_run(reader.seen) == check.check_run(other.seen) and check.answer(reader.seen) == check.answer(other.seen)
        # The dead node's own runs end for everybody, within the lease's time, with what was charged for them.
        assert told < 30
        for reader in [*elsewhere, *bereft]:
            end = check.check_run(reader.seen)
            assert end["type"] == "chat.error" and end["error"]["code"] == "node_lost", end
            assert [envelope["type"] for envelope in reader.seen[-2:]] == ["gap", "chat.error"]
            assert check.tokens(check.answer(reader.seen)) <= end["usage"]["output_tokens"] < TOKENS
        for reader in elsewhere:
            assert reader.breaks == 0
        # And they are settled: nothing is held, and the charges are what the ends say.
        usage = tenant.usage()
        ends = [check.check_run(reader.seen) for reader in [*steady, *elsewhere]]
        assert usage["totals"]["output_tokens"] == sum(end["usage"]["output_tokens"] for end in ends)
        (window,) = usage["windows"]
        assert (float(window["held"]), float(window["suspense"])) == (0, 0) and window["used"] == usage["totals"]["cost_usd"]
    finally:
        nodes.restart(victim)


def test_without_redis_a_run_goes_on_for_those_who_are_at_its_node(tmp_path, redis_server, make_tenant):
    """A reader at another node waits, and has everything once Redis is back; what Redis has forgotten is told as a gap."""
    installation = Installation(tmp_path / "i", redis=redis_server.url)
    try:
        one, two = installation.serve(), installation.serve()
        tenant = make_tenant(installation)
        here, there = Client(one.url, tenant.key), Client(two.url, tenant.key)
        body = {"text": "go\n@tokens 90\n@rate 30", "model": "demo"}
        run = here.call("chat_message", body)["run_id"]
        wait_until("the other node reads along", lambda: there.call("chat_resume", {"run_id": run})["ok"])
        there.wait("chat_delta", run)
        redis_server.pause()
        before = len(check.answer(there.run(run)))
        wait_until("it goes on here", lambda: len(check.answer(here.run(run))) > before + 60)
        wait_until("the node says so", lambda: one.metrics()['kdcube_run_log_failures_total{op="write"}'] > 0)
        redis_server.resume()
        whole = here.finish(run)
        assert check.check_run(there.finish(run)) == check.check_run(whole)
        assert check.answer(there.run(run)) == check.answer(whole)

        run = here.call("chat_message", body)["run_id"]
        wait_until("the other node reads along", lambda: there.call("chat_resume", {"run_id": run})["ok"])
        there.wait("chat_delta", run)
        here.wait("chat_delta", run)
        redis_server.client.flushall()
        whole = here.finish(run)
        check.check_run(whole)
        # Who was there already may have lost what was on its way, and is told of that.
        check.check_contiguous(there.run(run))
        assert one.metrics()["kdcube_run_log_entries_total"] > 10
        here.close()
        there.close()
    finally:
        installation.stop()
