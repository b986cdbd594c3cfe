"""A real Redis Cluster on loopback: masters with a share of the slots each, and a replica of each that takes over."""

import pathlib

import redis

from .process import Process
from .waiting import free_port, wait_until

SLOTS = 16_384


class RedisCluster:
    #: A master that is silent for so long is replaced; elections take about as long again.
    TIMEOUT_MS = 3_000

    def __init__(self, folder: pathlib.Path, masters: int = 3):
        self.ports = [free_port() for _ in range(2 * masters)]
        buses = [free_port() for _ in self.ports]
        self.url = "redis://" + ",".join(f"127.0.0.1:{port}" for port in self.ports[:masters])
        self.clients = [redis.Redis(port=port, socket_timeout=5, decode_responses=True) for port in self.ports]
        self.processes = [self._launch(folder / f"node{i}", port, buses[i]) for i, port in enumerate(self.ports)]
        for client in self.clients:
            wait_until("a node answers", lambda client=client: self._answers(client), 20)
        for index, client in enumerate(self.clients):
            client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", index + 1)
            if index < masters:
                first, end = (SLOTS * i // masters for i in (index, index + 1))
                client.execute_command("CLUSTER", "ADDSLOTSRANGE", first, end - 1)
            # Everybody meets everybody: gossip alone takes seconds.
            for other in range(index):
                client.execute_command("CLUSTER", "MEET", "127.0.0.1", self.ports[other], buses[other])
        ids = [str(client.execute_command("CLUSTER", "MYID")) for client in self.clients]
        for client in self.clients:
            wait_until("the nodes know each other", lambda client=client: all(name in self._nodes(client) for name in ids), 20)
        for master, replica in zip(ids, self.clients[masters:], strict=False):
            replica.execute_command("CLUSTER", "REPLICATE", master)
        for client in self.clients:
            wait_until("the cluster is whole", lambda client=client: self._is_whole(client, masters), 30)

    def _launch(self, folder: pathlib.Path, port: int, bus: int) -> Process:
        folder.mkdir()
        command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(folder)]
        command += ["--cluster-enabled", "yes", "--cluster-port", str(bus), "--cluster-node-timeout", str(self.TIMEOUT_MS)]
        # The other masters go on while one is away.
        command += ["--cluster-require-full-coverage", "no", "--repl-diskless-sync-delay", "0"]
        return Process(command, folder / "redis.log")

    @staticmethod
    def _answers(client: redis.Redis) -> bool:
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False

    @staticmethod
    def _nodes(client: redis.Redis) -> str:
        return str(client.execute_command("CLUSTER", "NODES"))

    def _is_whole(self, client: redis.Redis, masters: int) -> bool:
        """Seen from one node: every slot is served, and every replica has its master's data."""
        roles = [node.execute_command("ROLE") for node in self.clients]
        replicas = [role for role in roles if role[0] == "slave" and role[3] == "connected"]
        covered = sum(int(entry[1]) - int(entry[0]) + 1 for entry in client.execute_command("CLUSTER", "SLOTS"))
        known = sum(" slave " in line or ",slave " in line for line in self._nodes(client).splitlines())
        # A master that has just come up serves nothing for two seconds.
        is_ok = "cluster_state:ok" in str(client.execute_command("CLUSTER", "INFO"))
        return is_ok and covered == SLOTS and len(replicas) == known == len(self.ports) - masters

    def master_of(self, org: str) -> int:
        """The port of the master that has the keys of an organisation, as the living nodes see it."""
        living = next(client for client, process in zip(self.clients, self.processes, strict=True) if process.alive)
        slot = int(living.execute_command("CLUSTER", "KEYSLOT", f"{{{org}}}"))
        return next(int(entry[2][1]) for entry in living.execute_command("CLUSTER", "SLOTS") if int(entry[0]) <= slot <= int(entry[1]))

    def kill(self, port: int) -> None:
        """kill -9 of one node: what it had not sent to its replica is gone."""
        process = self.processes[self.ports.index(port)]
        process.child.kill()
        process.wait()

    def stop(self) -> None:
        for process in self.processes:
            if process.alive:
                process.child.kill()
                process.wait()
