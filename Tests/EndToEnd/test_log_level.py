"""The level of the log, changed while a server runs."""

import json

import requests

from rig.examples import bearer
from rig.server import Installation


def lines(installation: Installation, level: str) -> int:
    log = (installation.folder / "server0.log").read_text().splitlines()
    return sum(json.loads(line)["level"] == level for line in log if line.startswith("{"))


def test_the_level_changes_for_all_loggers_of_a_running_server(tmp_path):
    installation = Installation(tmp_path / "logs", log={"level": "warning"})
    try:
        server = installation.serve()
        url = f"{server.url}/api/admin/log-level"
        operator = installation.key("acme", "web", "op", "--role", "operator")["key"]
        admin = installation.key("acme", "web", "root", "--role", "admin")["key"]
        assert requests.get(url, headers=bearer(admin), timeout=10).status_code == 403
        assert requests.get(url, headers=bearer(operator), timeout=10).json()["level"] == "warning"
        assert lines(installation, "info") == 0, "not even that it serves"

        def put(level: str) -> requests.Response:
            return requests.put(url, json={"level": level}, headers=bearer(operator), timeout=10)

        assert put("loud").status_code == 400 and put("loud").json()["error"]["param"] == "level"
        assert requests.put(url, json={"level": "debug"}, headers=bearer(admin), timeout=10).status_code == 403
        answer = put("debug")
        assert answer.status_code == 200 and answer.json()["level"] == "debug", answer.text
        assert requests.get(url, headers=bearer(operator), timeout=10).json()["level"] == "debug"
        params = {"org": "-", "tool": "log.level"}
        acts = requests.get(f"{server.url}/api/admin/decisions", params=params, headers=bearer(operator), timeout=10).json()["data"]
        assert len(acts) == 1 and "warning" in json.dumps(acts[0])
        server.process.stop()
        assert lines(installation, "info") + lines(installation, "debug") > 0, "the graceful end is told"
    finally:
        installation.stop()


def test_a_level_that_is_none_is_refused_at_the_start(tmp_path):
    installation = Installation(tmp_path / "logs", log={"level": "loud"})
    server = installation.serve(ready=False)
    assert server.process.wait(30) != 0 and "log.level" in server.process.tail()
