"""The real `kdcube` binary: serving, and its commands against the same stores."""

import json
import os
import pathlib
import ssl
import subprocess
import urllib.error
import urllib.request

import yaml

from .administration import Administration
from .process import Process
from .waiting import free_port, wait_until

ROOT = pathlib.Path(__file__).resolve().parents[3]
BINARIES = pathlib.Path(os.environ.get("KDCUBE_BINARIES", ROOT / ".build" / "debug"))

#: What one token costs in nano-USD; the price file below says the same in LiteLLM's words.
INPUT_NANO = 1_000
OUTPUT_NANO = 2_000
_PRICE = {"litellm_provider": "openai", "mode": "chat", "max_input_tokens": 32_768, "max_output_tokens": 32_768}
_PRICE |= {"input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06}


def nano(decimal: str) -> int:
    """A decimal string of dollars as nano-USD, without going through a float."""
    whole, _, fraction = decimal.partition(".")
    assert len(fraction) <= 9, f"finer than a nano-dollar: {decimal}"
    return int(whole) * 10**9 + int(fraction.ljust(9, "0"))


def dollars(amount: int) -> str:
    return f"{amount // 10**9}.{amount % 10**9:09d}"


def environment() -> dict:
    """The environment without settings of ours that a developer's shell may hold."""
    return {name: value for name, value in os.environ.items() if not name.startswith("KDCUBE_")}


class CommandFailed(AssertionError):
    def __init__(self, arguments: tuple[str, ...], result: subprocess.CompletedProcess):
        super().__init__(f"kdcube {' '.join(arguments)}: exit {result.returncode}: {result.stderr}{result.stdout}")
        self.status, self.stderr = result.returncode, result.stderr


class Installation:
    """One configuration and its stores. Any number of server processes may run on it (`serve`)."""

    def __init__(self, folder: pathlib.Path, upstream: str = "", redis: str = "", postgres: str = "", **sections):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        models = [{"id": "demo", "provider": "scripted"}]
        if upstream:
            for name in ("witness", "unpriced"):
                model = {"id": name, "provider": "openai", "base_url": upstream, "api_key": "w", "upstream_model": name}
                # The witness has no template that would add to a prompt.
                models.append(model | {"prompt_overhead": 0})
        models += sections.pop("extra_models", [])
        prices = {model["id"]: _PRICE for model in models if model["id"] != "unpriced"}
        (folder / "prices.json").write_text(json.dumps(prices))
        configuration = {
            "server": {"web_client": str(ROOT / "web-client")},
            "models": models,
            "prices": {"file": str(folder / "prices.json")},
            "stores": {"data": str(folder / "data"), "redis": redis, "postgres": postgres},
            **sections,
        }
        tls = configuration["server"].get("tls")
        #: The certificate to trust, when the server speaks TLS.
        self.certificate = pathlib.Path(tls["certificate"]) if tls and "certificate" in tls else None
        self.config = folder / "kdcube.yaml"
        self.config.write_text(yaml.safe_dump(configuration, sort_keys=False))
        self.servers: list[Server] = []
        self._administration = Administration(self.key_by_command)

    @property
    def running(self) -> "Server | None":
        """A server that was ready and lives: one to ask for what would take a command a process."""
        return next((server for server in reversed(self.servers) if server.was_ready and server.process.alive), None)

    def serve(self, ready: bool = True) -> "Server":
        server = Server(self, f"server{len(self.servers)}.log")
        self.servers.append(server)
        if ready:
            server.wait_ready()
        return server

    def restart(self, server: "Server") -> None:
        """The same address again, after its process has ended."""
        server.start()
        server.wait_ready(60)

    def command(self, *arguments: str) -> str:
        """Runs `kdcube ARGUMENTS` against this installation and returns what it printed."""
        command = [str(BINARIES / "kdcube"), *arguments, "--config", str(self.config)]
        result = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment(), check=False)
        if result.returncode != 0:
            raise CommandFailed(arguments, result)
        return result.stdout

    def json(self, *arguments: str) -> dict | list:
        return json.loads(self.command(*arguments, "--json"))

    def key(self, org: str, project: str = "web", user: str = "ada", *more: str) -> dict:
        """A new API key: `{id, key}`. `more` are options of `kdcube keys create`."""
        if (server := self.running) and self._administration.knows(more):
            return self._administration.key(server, org, project, user, *more)
        return self.key_by_command(org, project, user, *more)

    def key_by_command(self, org: str, project: str, user: str, *more: str) -> dict:
        return self.json("keys", "create", "--org", org, "--project", project, "--user", user, *more)

    def budget(self, scope: str, limit: str, unit: str = "usd", window: str = "total", owner: str = "org") -> None:
        """As an administrator of the organisation sets it; with `owner="operator"` as only an operator does."""
        fields = {"scope": scope, "unit": unit, "window": window, "limit": limit, "owner": owner}
        if server := self.running:
            self._administration.budget(server, **fields)
        else:
            self.command("budget", "set", *(f"--{name}={value}" for name, value in fields.items()))

    def usage(self, scope: str) -> dict:
        return self.json("usage", "--scope", scope)

    def settled_usage(self, scope: str, seconds: float = 20) -> dict:
        """The usage once nothing is held any more and two looks in a row agree."""
        last: list = []

        def look() -> dict | None:
            server = self.running
            seen = self._administration.standing(server, scope) if server else self.usage(scope)
            agreed = bool(last) and last[-1] == seen
            last.append(seen)
            if not agreed:
                return None
            usage = self.usage(scope) if server else seen
            return usage if all(float(window["held"]) == 0 for window in usage["windows"]) else None

        return wait_until(f"usage of {scope} settles", look, seconds, every=0.2)

    def stop(self) -> None:
        for server in self.servers:
            server.process.stop()


class Server:
    def __init__(self, installation: Installation, log: str):
        self.port = free_port()
        self.certificate = installation.certificate
        self.url = f"{'https' if self.certificate else 'http'}://127.0.0.1:{self.port}"
        self._command = [str(BINARIES / "kdcube"), "serve", "--config", str(installation.config)]
        self._command += ["--host", "127.0.0.1", "--port", str(self.port)]
        self._log = installation.folder / log
        #: Whether it has been ready since it was started.
        self.was_ready = False
        self.start()

    def start(self) -> None:
        self.was_ready = False
        self.process = Process(self._command, self._log, env=environment())

    def kill(self) -> None:
        """kill -9."""
        self.process.child.kill()
        self.process.wait()

    def wait_ready(self, seconds: float = 30) -> None:
        def ready() -> bool:
            assert self.process.alive, f"the server ended:\n{self.process.tail()}"
            return self.status("/readyz") == 200

        wait_until("the server is ready", ready, seconds)
        self.was_ready = True

    def _open(self, path: str):
        trust = ssl.create_default_context(cafile=str(self.certificate)) if self.certificate else None
        return urllib.request.urlopen(self.url + path, timeout=5, context=trust)

    def status(self, path: str) -> int:
        """The status of a GET, or 0 when nobody answers."""
        try:
            with self._open(path) as response:
                return response.status
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def metrics(self) -> dict[str, float]:
        """Every sample of `/metrics`, by its name with labels as written."""
        with self._open("/metrics") as response:
            lines = response.read().decode().splitlines()
        samples = (line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))
        return {name: float(value) for name, value in samples}

    def resident_kib(self) -> int:
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        raise AssertionError("no VmRSS")
