"""A real Prometheus with the rules of `deployment/` that scrapes a server: silent while all is well, and not when its Redis is away."""

import json
import shutil

import pytest
import requests
import yaml

from rig.process import Process
from rig.server import ROOT, Installation
from rig.waiting import free_port, wait_until

FILES = ROOT / "deployment"
BODY = {"text": "Hello.\n@tokens 5\n@rate 0", "model": "demo"}


class Prometheus:
    """Scrapes and evaluates each second, which the configuration does each fifteen."""

    def __init__(self, folder, server):
        program = shutil.which("prometheus")
        assert program, "prometheus is not installed: run scripts/setup.sh --test"
        configuration = yaml.safe_load((FILES / "prometheus" / "prometheus.yml").read_text())
        configuration["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        (job,) = configuration["scrape_configs"]
        job["static_configs"] = [{"targets": [server.url.removeprefix("http://")]}]
        (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration))
        shutil.copy(FILES / "prometheus" / "rules.yml", folder)
        self.url = f"http://127.0.0.1:{free_port()}"
        options = [f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
        options.append(f"--web.listen-address={self.url.removeprefix('http://')}")
        self.process = Process([program, *options], folder / "prometheus.log")
        wait_until("Prometheus has scraped the server", lambda: self._up() == ["1"], 30, every=0.2)

    def _up(self) -> list[str]:
        assert self.process.alive, self.process.tail()
        try:
            return [series["value"][1] for series in self.ask('up{job="kdcube"}')]
        except requests.ConnectionError:
            return []

    def ask(self, expression: str) -> list[dict]:
        response = requests.post(self.url + "/api/v1/query", data={"query": expression}, timeout=10)
        if response.status_code == 503:
            # It reads its log still, and says so in a word that is no JSON.
            return []
        answer = response.json()
        if answer["status"] == "error" and answer["errorType"] != "bad_data":
            return []
        assert answer["status"] == "success", f"{expression}: {answer}"
        return answer["data"]["result"]

    def alerts(self) -> dict[str, str]:
        """The state of each alert that is not silent."""
        alerts = requests.get(self.url + "/api/v1/alerts", timeout=10).json()["data"]["alerts"]
        return {alert["labels"]["alertname"]: alert["state"] for alert in alerts}


@pytest.fixture
def watched(redis_server, tmp_path):
    installation = Installation(tmp_path / "it", redis=redis_server.url)
    server = installation.serve()
    (tmp_path / "prometheus").mkdir()
    prometheus = Prometheus(tmp_path / "prometheus", server)
    yield installation, server, prometheus
    prometheus.process.stop()
    installation.stop()


def test_alerts_are_silent_while_all_is_well_and_name_what_is_away(watched, redis_server, make_tenant):
    installation, server, prometheus = watched
    tenant = make_tenant(installation)

    def start() -> int:
        return requests.post(server.url + "/v1/runs", json=BODY, headers=tenant.headers, timeout=20).status_code

    assert start() == 202
    wait_until(
        "the run is counted",
        lambda: [s for s in prometheus.ask('kdcube_runs_total{outcome="complete"}') if s["value"][1] != "0"],
        20,
        every=0.2,
    )
    # One look that came late is pending until the next; what is wrong stays.
    wait_until("nothing is wrong", lambda: prometheus.alerts() == {}, 10, every=0.2)

    board = json.loads((FILES / "grafana" / "kdcube.json").read_text())
    for panel in board["panels"]:
        for target in panel.get("targets", []):
            prometheus.ask(target["expr"].replace("$__rate_interval", "1m").replace("$instance", ".*"))

    redis_server.stop()

    def refused() -> bool:
        assert start() == 503
        alerts = prometheus.alerts()
        return alerts.get("KDCubeRefusesForItsStores") == "firing" and "KDCubeCounterErrors" in alerts

    wait_until("the alerts name the counters", refused, 40, every=0.5)
    server.process.stop()
    wait_until("the server is missed", lambda: "KDCubeDown" in prometheus.alerts(), 20, every=0.5)
