"""An upgrade under load: three servers with one Redis and one Postgres are replaced one after the other, and nobody notices but by
being sent to the next one. What a drain promises is in docs/deployment.md, "Upgrades"."""

import asyncio
import time
from collections import Counter

import pytest
import requests
from test_reconcile import reconcile

from rig.envelopes import answer, of_sse, tokens
from rig.ledger import charged_nano_postgres, runs_postgres
from rig.passengers import Passengers, Trip
from rig.server import INPUT_NANO, OUTPUT_NANO, ROOT, Installation, dollars, nano
from rig.sse import collect, wait_for
from rig.waiting import wait_until

pytestmark = pytest.mark.alone

SERVERS, STREAMS = 3, 200
SHORT = "A short one.\n@tokens 16\n@rate 5"
#: It cannot end within the grace that is left to it.
LONG = "A long one.\n@tokens 45\n@rate 5"
GRACE = 5
CAP = 10 * 10**9


class Service:
    """Servers as on machines of their own, and the one organisation that they serve."""

    def __init__(self, folder, redis, postgres, make_tenant):
        self.postgres, self.url = postgres, postgres.database()
        settings = {"server": {"web_client": str(ROOT / "web-client"), "grace": f"{GRACE}s"}}
        self.installations = [
            Installation(folder / f"s{number}", redis=redis.url, postgres=self.url, **settings) for number in range(SERVERS)
        ]
        for installation in self.installations:
            installation.serve()
        self.tenant = make_tenant(self.installations[0])
        self.tenant.cap(dollars(CAP))

    @property
    def servers(self):
        return [installation.servers[0] for installation in self.installations]

    def replace(self, number: int) -> dict[str, float]:
        """SIGTERM, the end of what it promised, and the next release on the same address."""
        server, times = self.servers[number], {"asked": time.monotonic()}
        server.process.terminate()
        wait_until("it says that it drains", lambda: server.status("/readyz") != 200, 10)
        refused = requests.post(server.url + "/v1/runs", json={"text": "hi"}, headers=self.tenant.headers, timeout=10)
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "server_shutdown"), refused.text
        assert int(refused.headers["retry-after"]) > 0
        assert server.process.wait(GRACE + 10) == 0, server.process.tail()
        times["gone"] = time.monotonic()
        self.installations[number].restart(server)
        times["back"] = time.monotonic()
        return times

    def stop(self) -> None:
        for installation in self.installations:
            installation.stop()


@pytest.fixture
def service(tmp_path, redis_server, shared_postgres, make_tenant):
    service = Service(tmp_path, redis_server, shared_postgres, make_tenant)
    yield service
    service.stop()


async def roll(service: Service, passengers: Passengers) -> list[dict[str, float]]:
    ride = asyncio.create_task(passengers.ride(STREAMS))
    rolls = []
    try:
        for number in range(SERVERS):
            # With all of them under way, so that each server is taken from the middle of its streams.
            deadline = time.monotonic() + 20
            while passengers.live < STREAMS * 9 // 10:
                assert time.monotonic() < deadline and not ride.done(), (passengers.live, passengers.faults, passengers.refusals)
                await asyncio.sleep(0.05)
            began = len(passengers.trips)
            times = await asyncio.to_thread(service.replace, number)
            rolls.append(times | {"trips": len(passengers.trips) - began})
    finally:
        passengers.is_over = True
        await ride
    return rolls


@pytest.mark.timeout(120)
def test_servers_are_replaced_under_two_hundred_streams(service):
    def undisturbed(text: str) -> str:
        return answer(of_sse(collect(service.servers[0].url, service.tenant.key, {"text": text.replace("@rate 5", "@rate 0")})))

    whole, everything = undisturbed(SHORT), undisturbed(LONG)
    passengers = Passengers(
        [server.url for server in service.servers],
        service.tenant.key,
        lambda number: LONG if number is not None and number % 40 == 1 else SHORT,
    )
    rolls = wait_for(roll(service, passengers))
    print(Counter((trip.carrier, trip.end, trip.code) for trip in passengers.trips), passengers.refusals, rolls)
    assert not passengers.faults, passengers.faults[:5]

    # Nobody was turned away but to be sent to another server, and those went on taking runs.
    assert set(passengers.refusals) <= {
        "server_shutdown",
        "ClientConnectorError",
        "ConnectionError",
        "ServerDisconnectedError",
        "ClientOSError",
    }
    assert passengers.refusals["server_shutdown"] > 0 and all(one["trips"] > 0 for one in rolls), (passengers.refusals, rolls)
    starts = Counter(trip.server for trip in passengers.trips)
    assert set(starts) == set(range(SERVERS))
    assert {trip.carrier for trip in passengers.trips} == {"events", "completions", "socketio"}

    # Every stream has its end, with the whole text, whoever came back in between; one that outlives the grace is told why.
    late = [trip for trip in passengers.trips if trip.conversation]
    for trip in late:
        read_later(service, trip)
    assert sum(trip.came_back for trip in passengers.trips) - len(late) > 20, "clients came back to their streams"
    for trip in passengers.trips:
        if trip.code == "server_shutdown":
            assert trip.end == "chat.error" and everything.startswith(trip.text), trip
        else:
            assert trip.end == "chat.complete" and trip.text in (whole, everything), trip
    assert any(trip.code == "server_shutdown" for trip in passengers.trips)

    check_money(service, passengers.trips)


def read_later(service: Service, trip: Trip) -> None:
    """Its server had ended before its client came back: the answer is in the conversation, at every server."""
    url = f"{service.servers[0].url}/v1/conversations/{trip.conversation}"
    (turn,) = requests.get(url, headers=service.tenant.headers, timeout=10).json()["turns"]
    trip.text, trip.end = turn["assistant"], "chat.complete" if turn["status"] == "complete" else turn["status"]


def check_money(service: Service, trips: list[Trip]) -> None:
    """What was delivered is what was charged is what is in the ledger, run by run, and no more than the cap."""
    tenant, installation = service.tenant, service.installations[0]
    usage = installation.settled_usage(tenant.scope, 30)
    ledger = runs_postgres(service.postgres, service.url)
    for trip in trips:
        output, cost = ledger.pop(trip.run)
        assert tokens(trip.text) == output, (trip, output)
        if trip.conversation:
            continue
        assert (trip.output_tokens, trip.input_tokens * INPUT_NANO + output * OUTPUT_NANO) == (output, cost), (trip, output, cost)
        assert not trip.cost_usd or nano(trip.cost_usd) == cost
    assert len(ledger) == 2, f"charged, and delivered to nobody: {ledger}"
    total = charged_nano_postgres(service.postgres, service.url, tenant.org)
    assert total <= CAP and nano(usage["totals"]["cost_usd"]) == total
    (window,) = usage["windows"]
    assert (nano(window["used"]), nano(window["held"]), nano(window["suspense"])) == (total, 0, 0)

    def clean() -> bool:
        status, (report,) = reconcile(installation, "--org", tenant.org)
        return status == 0 and report["suspended"] == report["awaited"] == report["differences"] == []

    wait_until("counters and ledger agree, and no server is waited for", clean, 30, every=0.5)
