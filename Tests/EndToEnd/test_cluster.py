"""Two servers, one Postgres and a Redis Cluster of which a master dies while runs want several times their caps."""

import asyncio
import itertools
import time

import pytest
from test_chaos import PROMPT_NANO, Fleet

from rig.cluster import RedisCluster
from rig.ledger import charged_nano_postgres
from rig.readers import Reading, flood
from rig.server import OUTPUT_NANO, CommandFailed, Installation, dollars
from rig.sse import wait_for
from rig.waiting import wait_until
from rig.witness import Plan

pytestmark = pytest.mark.alone

SERVERS = 2
ORGS_OF_A_MASTER = 2
RUNS_OF_AN_ORG = 40
#: Of them, those that come when the master has just died.
LATE = 10


class ClusterFleet(Fleet):
    """Servers that find their counters through several seeds; two organisations on each master, capped in one scope each."""

    def __init__(self, folder, witness, cluster, postgres, make_tenant, cap: int):
        self.redis, self.postgres, self.url, self.witness, self.cap = cluster, postgres, postgres.database(), witness, cap
        self.installations = [
            Installation(folder / f"s{i}", upstream=witness.url, redis=cluster.url, postgres=self.url) for i in range(SERVERS)
        ]
        for installation in self.installations:
            installation.serve()
        self.tenants = []
        self.by_master: dict[int, list] = {}
        scopes = itertools.cycle(
            [lambda t: f"user:{t.org}/web/ada", lambda t: t.scope, lambda t: f"org:{t.org}", lambda t: f"key:{t.key_id}"]
        )
        while len(self.tenants) < 3 * ORGS_OF_A_MASTER:
            tenant = make_tenant(self.installations[0])
            mine = self.by_master.setdefault(cluster.master_of(tenant.org), [])
            if len(mine) == ORGS_OF_A_MASTER:
                continue
            tenant.scope = next(scopes)(tenant)
            self.installations[0].budget(tenant.scope, dollars(cap))
            mine.append(tenant)
            self.tenants.append(tenant)
        self._numbers = itertools.count()

    def jobs(self, tokens: int, rate: float, runs: int) -> list[tuple[str, str, Plan]]:
        return [
            (self.servers[index % SERVERS].url, tenant.key, Plan(id=f"{tenant.org}-{next(self._numbers)}", tokens=tokens, rate=rate))
            for index in range(runs)
            for tenant in self.tenants
        ]

    def streams(self, tenant) -> bool:
        """Every run of the organisation that was begun has been sent something."""
        mine = [request for request in self.witness.requests if request.plan.id.startswith(tenant.org + "-")]
        return len(mine) >= RUNS_OF_AN_ORG // 2 and all(request.sent > 20 for request in mine)

    def lives(self) -> dict[str, int]:
        rows = (line.split("|") for line in self.postgres.ask(self.url, "SELECT org, number FROM kdcube.epochs").splitlines())
        return {org: int(number) for org, number in rows}


@pytest.fixture
def fleet(tmp_path, witness, postgres_server, make_tenant):
    cluster = RedisCluster(tmp_path)
    fleet = ClusterFleet(tmp_path, witness, cluster, postgres_server, make_tenant, RUNS_OF_AN_ORG * (PROMPT_NANO + 60 * OUTPUT_NANO))
    yield fleet
    fleet.stop()
    cluster.stop()


@pytest.mark.timeout(400)
def test_a_master_dies_and_its_replica_takes_over_while_all_caps_are_used_up(fleet):
    victim = fleet.redis.master_of(fleet.tenants[0].org)
    struck = fleet.by_master[victim]
    others = [tenant for tenant in fleet.tenants if tenant not in struck]
    before = fleet.lives()

    async def scene() -> list[Reading]:
        # Together they want more than four times what each cap allows.
        early = asyncio.create_task(flood(fleet.jobs(1_000, 15, RUNS_OF_AN_ORG - LATE)))
        await asyncio.to_thread(wait_until, "all stream", lambda: all(map(fleet.streams, fleet.tenants)), 30)
        fleet.redis.kill(victim)
        died = time.monotonic()
        late = asyncio.create_task(flood(fleet.jobs(1_000, 15, LATE)))
        await asyncio.to_thread(wait_until, "a replica has taken over", lambda: fleet.redis.master_of(struck[0].org) != victim, 60)
        print(f"taken over after {time.monotonic() - died:.1f} s")
        return await early + await late

    readings = wait_for(scene())
    # Where many were disturbed, what they left of the cap may be enough for all that another one wants.
    disturbed = [reading for reading in readings if reading.end != "chat.complete" and not is_at_its_cap(reading)]
    print(f"{fleet.check(readings)}; {len(disturbed)} were refused or cut while their slots had no master")
    for reading in readings:
        org = reading.plan.rpartition("-")[0]
        if any(tenant.org == org for tenant in others):
            assert is_at_its_cap(reading), f"a run of another master's organisation was disturbed: {reading}"
    for reading in disturbed:
        reason = reading.detail["cut"]["reason"] if reading.end == "chat.cut" else reading.detail[0]
        assert reason in ("accounting_unavailable", 503), reading
    after = fleet.lives()
    assert all(after[tenant.org] == before.get(tenant.org, 1) for tenant in others), "their lives go on"
    assert all(after[tenant.org] > before.get(tenant.org, 1) for tenant in struck), "the replica is another process: a new life"

    # Nothing of what the dead master had given out stays locked: every cap can be used up.
    last = wait_for(flood(fleet.jobs(1_000, 0, 10)))
    assert all(is_at_its_cap(reading) or reading.end == "chat.complete" for reading in last)
    fleet.check(readings + last)
    for tenant in fleet.tenants:
        left = fleet.cap - charged_nano_postgres(fleet.postgres, fleet.url, tenant.org)
        assert left < PROMPT_NANO + OUTPUT_NANO, f"{tenant.org} cannot use the last {left} of {fleet.cap}"


def is_at_its_cap(reading: Reading) -> bool:
    if reading.end == "refused":
        return reading.detail[0] == 402
    return reading.end == "chat.cut" and reading.detail["cut"]["reason"] == "budget_exceeded"


def test_two_redis_that_stand_alone_are_no_cluster_and_nothing_starts_with_them(redis_server, shared_postgres, tmp_path):
    url = f"{redis_server.url},{redis_server.url.removeprefix('redis://').replace('127.0.0.1', 'localhost')}"
    installation = Installation(tmp_path / "i", redis=url, postgres=shared_postgres.database())
    server = installation.serve(ready=False)
    assert server.process.wait(30) == 1
    said = server.process.tail()
    assert "stores.redis" in said and f"127.0.0.1:{redis_server.port} stands alone" in said
    for command in (("reconcile",), ("doctor",)):
        with pytest.raises(CommandFailed) as failure:
            installation.command(*command)
        assert "stands alone" in str(failure.value)
