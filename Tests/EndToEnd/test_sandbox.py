"""Code of the model through the real server: output, calls, limits, kills, isolation levels, and nothing left behind."""

import json
import pathlib
import re
import time

import pytest
import requests

from rig.envelopes import check_contiguous, check_run, of_sse
from rig.server import Installation
from rig.sse import collect, stream
from rig.tools import DEMO, SETTINGS, alive, all_gone, code, descendants, last_step, output, prompt, sandboxes, steps
from rig.waiting import wait_until

LONG = "import time\nprint('begun', flush=True)\ntime.sleep(60)"


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    installation = Installation(tmp_path_factory.mktemp("sandbox"), **SETTINGS)
    installation.serve()
    yield installation
    installation.stop()


def run(server, tenant, *lines: str, **more) -> list[dict]:
    envelopes = of_sse(collect(server.url, tenant.key, {"text": prompt(*lines), "model": "demo"} | more))
    check_run(envelopes)
    return envelopes


def test_code_shows_its_output_while_it_runs_its_calls_and_its_value(server, tenant):
    source = """from agent_tools import tools
print("looking")
customer = tools.crm.lookup(customer="C-17")
import sys
print("to stderr", file=sys.stderr)
{"who": customer, "sum": sum(range(10))}"""
    envelopes = run(server, tenant, code(source))
    end = last_step(envelopes, "run_code")
    assert end["exit"] == "ok" and end["status"] == "completed", end
    assert end["stdout"] == output(envelopes) == "looking\n" and end["stderr"] == "to stderr\n"
    assert end["value"]["sum"] == 45 and "C-17" in json.dumps(end["value"]["who"])
    nested = steps(envelopes, "crm.lookup")
    assert [step["event"]["status"] for step in nested] == ["running", "completed"]
    assert nested[-1]["data"]["parent_call_id"] == end["call_id"] and nested[-1]["data"]["decision"] == "allow"
    kinds = [envelope["type"] for envelope in envelopes]
    assert "chat.delta" in kinds[kinds.index("chat.step") :], "the model goes on after it"


def test_an_error_of_the_code_is_a_result_with_its_traceback(server, tenant):
    end = last_step(run(server, tenant, code("def f():\n    return 1 / 0\nf()")), "run_code")
    assert end["exit"] == "error" and "ZeroDivisionError" in end["stderr"] and "line 2" in end["stderr"]


def test_a_refusal_is_an_exception_of_the_code(server, tenant):
    source = """from agent_tools import tools, ToolDenied
try:
    tools.mail.send(draft_id="x")
except ToolDenied as refusal:
    print(refusal.code, refusal.rule)"""
    envelopes = run(server, tenant, code(source))
    assert last_step(envelopes, "run_code")["stdout"].split()[1] == "tool.roles"
    assert last_step(envelopes, "mail.send")["decision"] == "deny"


def test_code_cannot_run_code(server, tenant):
    source = 'from agent_tools import tools\ntools.run_code(code="1")'
    envelopes = run(server, tenant, code(source))
    refused = [step["data"] for step in steps(envelopes, "run_code") if "parent_call_id" in step["data"]]
    assert refused[-1]["decision"] == "deny" and refused[-1]["rule"] == "supervisor.code"


ATTEMPTS = """import os
found = []
def attempt(name, act):
    try:
        found.append((name, repr(act())))
    except BaseException as error:
        pass
import socket
attempt("tcp", lambda: socket.create_connection(("127.0.0.1", %(port)d), 1))
attempt("dns", lambda: socket.getaddrinfo("example.com", 80))
attempt("vsock", lambda: socket.socket(40, socket.SOCK_STREAM))
for path in ("/etc/passwd", "/etc/shadow", "/proc/1/environ", "/proc/self/environ", %(config)r, %(data)r):
    attempt(path, lambda: open(path).read(1) or os.listdir(path))
attempt("list", lambda: os.listdir(%(data)r))
attempt("secret", lambda: [v for v in os.environ.values() if "s3cr3t" in v][0])
attempt("write", lambda: open("/usr/x", "w"))
attempt("kill", lambda: os.kill(%(pid)d, 0))
attempt("fork", lambda: os.unshare(os.CLONE_NEWUSER) if hasattr(os, "unshare") else 1 / 0)
import agent_tools
attempt("private", lambda: agent_tools.tools.call("__class__", {}))
attempt("identity", lambda: agent_tools.tools.call("crm.lookup", {"customer": "C", "org": "other"}))
found"""


def test_what_code_tries_to_reach_it_does_not_get(server, tenant, installation):
    facts = {
        "port": server.port,
        "config": str(installation.config),
        "data": str(installation.folder / "data"),
        "pid": server.process.pid,
    }
    envelopes = run(server, tenant, code(ATTEMPTS % facts))
    end = last_step(envelopes, "run_code")
    assert end["exit"] == "ok", end
    assert end["value"] == [], end["value"]
    refused = {step["data"]["tool"]: step["data"] for step in steps(envelopes) if step["event"]["status"] == "error"}
    assert refused["__class__"]["error"]["code"] == "unknown_tool"
    assert refused["crm.lookup"]["error"]["code"] == "bad_args"


@pytest.mark.parametrize(
    "frame",
    [
        {"type": "call", "id": 1, "tool": "crm.lookup", "args": {"customer": "C"}, "tenant": "other"},
        {"type": "run", "code": "1"},
        {"role": "admin"},
    ],
    ids=["identity", "the supervisor's own", "no frame"],
)
def test_a_forged_frame_ends_the_job_and_gains_nothing(server, tenant, frame):
    source = f"""import os, json, struct
body = json.dumps({frame!r}).encode()
os.write(3, struct.pack(">I", len(body)) + body)
import time
time.sleep(20)"""
    end = last_step(run(server, tenant, code(source)), "run_code")
    assert end["exit"] == "protocol_limit" and end["error"]["code"] == "protocol_limit", end


@pytest.mark.parametrize(
    ("source", "exit_"),
    [
        ("import time\ntime.sleep(60)", "timeout"),
        ("x = bytearray(2 << 30)", "oom"),
        ("import sys\nwhile True: sys.stdout.write('x' * 65536)", "output_limit"),
    ],
    ids=["timeout", "oom", "output_limit"],
)
def test_a_kill_is_a_typed_end_of_the_step_and_the_run_goes_on(tmp_path_factory, make_tenant, source, exit_, limited):
    server, tenant = limited
    envelopes = run(server, tenant, code(source))
    end = last_step(envelopes, "run_code")
    if exit_ == "oom" and server.metrics()["kdcube_isolation_level"] < 3:
        assert end["exit"] in ("oom", "error"), "without a cgroup memory is only limited for each process"
    else:
        assert end["exit"] == end["error"]["code"] == exit_ and end["status"] == "error", end
    assert envelopes[-1]["type"] == "chat.complete" and envelopes[-1]["data"]["finish_reason"] == "stop"
    told = isolation(server, tenant)
    assert sum(told["starts"].values()) > 0 and told["pool"]["most"] == SETTINGS["sandbox"].get("most", 20)
    assert exit_ == "oom" or told["kills"][exit_] == 1, told


def isolation(server, tenant) -> dict:
    key = tenant.installation.key(tenant.org, "web", "boss", "--role", "operator")["key"]
    return requests.get(f"{server.url}/api/admin/isolation", headers={"authorization": f"Bearer {key}"}, timeout=10).json()


@pytest.fixture(scope="module")
def limited(tmp_path_factory):
    from conftest import Tenant

    settings = SETTINGS | {"sandbox": SETTINGS["sandbox"] | {"wall": "6s", "memory": "64MiB"}}
    installation = Installation(tmp_path_factory.mktemp("limited"), **settings)
    server = installation.serve()
    yield server, Tenant(installation)
    installation.stop()


def test_a_run_may_end_with_its_killed_code(tmp_path, make_tenant):
    settings = SETTINGS | {"sandbox": SETTINGS["sandbox"] | {"wall": "1s", "on_kill": "end_run"}}
    installation = Installation(tmp_path / "end", **settings)
    try:
        server = installation.serve()
        end = run(server, make_tenant(installation), code("while True: pass"))[-1]
        assert end["type"] == "chat.complete" and end["data"]["finish_reason"] == "code_killed"
    finally:
        installation.stop()


def begun(server, tenant) -> tuple[str, list[dict]]:
    """A run whose code has printed its first line and goes on for a minute."""
    started = requests.post(
        server.url + "/v1/runs", json={"text": prompt(code(LONG)), "model": "demo"}, headers=tenant.headers, timeout=10
    ).json()
    seen: list[dict] = []
    for event in stream(f"{server.url}/v1/runs/{started['run_id']}/events", tenant.key):
        seen += of_sse([event])
        if output(seen):
            break
    return started["run_id"], seen


@pytest.mark.parametrize("order", ["kill", "budget"])
def test_a_cut_kills_the_code_of_its_run(server, tenant, installation, order):
    run_id, seen = begun(server, tenant)
    at_work = sandboxes(server)
    if order == "kill":
        installation.command("kill", run_id)
    else:
        budget = ["budget", "set", "--scope", tenant.scope, "--unit", "usd", "--window", "total", "--limit=0.000001", "--revoke"]
        installation.command(*budget)
    rest = of_sse(stream(f"{server.url}/v1/runs/{run_id}/events?after={seen[-1]['seq']}", tenant.key))
    end = check_run(seen + rest)
    assert end["type"] == "chat.cut" and end["cut"]["reason"] == "killed"
    assert last_step(seen + rest, "run_code")["exit"] == "killed"
    wait_until("the killed sandbox is gone", lambda: at_work - sandboxes(server), 5)


def test_cancelling_a_run_kills_its_code(server, tenant):
    run_id, seen = begun(server, tenant)
    at_work = sandboxes(server)
    assert requests.post(f"{server.url}/v1/runs/{run_id}/cancel", headers=tenant.headers, timeout=10).status_code == 200
    began = time.monotonic()
    rest = of_sse(stream(f"{server.url}/v1/runs/{run_id}/events?after={seen[-1]['seq']}", tenant.key))
    assert time.monotonic() - began < 5
    end = check_run(seen + rest)
    assert end["data"]["finish_reason"] == "cancelled"
    ended = last_step(seen + rest, "run_code")
    assert ended["exit"] == "killed", ended
    # Another one waits for the next job and lives on.
    wait_until("the killed sandbox is gone", lambda: at_work - sandboxes(server), 5)


def test_a_client_that_comes_back_while_code_runs_misses_nothing(server, tenant):
    source = "import time\nfor number in range(20):\n    print(number, flush=True)\n    time.sleep(0.05)"
    started = requests.post(
        server.url + "/v1/runs", json={"text": prompt(code(source)), "model": "demo"}, headers=tenant.headers, timeout=10
    ).json()
    url = f"{server.url}/v1/runs/{started['run_id']}/events"
    seen = []
    for event in stream(url, tenant.key):
        seen += of_sse([event])
        if output(seen):
            break
    check_contiguous(seen)
    seen += of_sse(stream(f"{url}?after={seen[-1]['seq']}", tenant.key))
    check_run(seen)
    assert output(seen) == "".join(f"{number}\n" for number in range(20))


def test_40_a_killed_server_leaves_no_sandbox_alive_after_a_second(tmp_path, make_tenant):
    installation = Installation(tmp_path / "killed", **SETTINGS)
    try:
        server = installation.serve()
        tenant = make_tenant(installation)
        requests.post(server.url + "/v1/runs", json={"text": prompt(code(LONG)), "model": "demo"}, headers=tenant.headers, timeout=10)
        wait_until("code runs beside a warm sandbox", lambda: len(sandboxes(server)) >= 2, 20)
        killed, below = server.process.pid, descendants(server.process.pid)
        server.kill()
        # A second, and one more for a machine that stands still meanwhile.
        assert all_gone(below, 2.0), [pathlib.Path(f"/proc/{pid}/cmdline").read_bytes() for pid in below if alive(pid)]
        installation.restart(server)
        assert last_step(run(server, tenant, code("1 + 1")), "run_code")["value"] == 2
        wait_until("what it left is swept", lambda: not left_by(killed), 10)
    finally:
        installation.stop()
    assert left_by(server.process.pid) == [], "a server that stops leaves nothing"


def left_by(pid: int) -> list[str]:
    """Mounts and cgroups of sandboxes of this server process: their names say whose they are."""
    mine = re.compile(rf"kdcube-sandbox-\d+-{pid}-")
    mounts = [line for line in pathlib.Path("/proc/mounts").read_text().splitlines() if mine.search(line)]
    groups = [str(path) for path in pathlib.Path("/sys/fs/cgroup").rglob("kdcube-sandbox-*") if mine.search(path.name)]
    return mounts + groups


def test_41_below_the_minimum_no_code_is_run_and_the_doctor_names_the_probe(tmp_path, make_tenant):
    installation = Installation(
        tmp_path / "weak", tools={"file": DEMO}, sandbox={"minimum": "limited", "bubblewrap": "/usr/bin/no-such-bwrap"}
    )
    try:
        server = installation.serve()
        tenant = make_tenant(installation)
        envelopes = run(server, tenant, code("1"), '@tool crm.lookup {"customer":"C"}')
        assert last_step(envelopes, "run_code")["error"]["code"] == "isolation_too_low"
        assert last_step(envelopes, "crm.lookup")["status"] == "completed", "tools that the model calls itself still work"
        assert server.metrics()["kdcube_isolation_level"] < 2
        with pytest.raises(Exception) as failure:
            installation.command("doctor")
        assert "bubblewrap" in str(failure.value) and "apt-get install" in str(failure.value)
    finally:
        installation.stop()


def test_the_doctor_tells_the_level_probe_by_probe(installation):
    try:
        found = installation.json("doctor")
    except Exception as failure:  # below full is a finding, and says what is missing
        pytest.skip(f"this machine is not full: {failure}")
    isolation = next(finding for finding in found if finding["name"] == "isolation")
    assert isolation["ok"] and "full" in isolation["detail"], isolation


def test_nothing_is_left_after_all_of_this(server, installation):
    wait_until("only the warm sandbox is left", lambda: len(sandboxes(server)) <= 3, 10)
    names = {name for line in left_by(server.process.pid) for name in re.findall(r"kdcube-sandbox-[\d-]+", line)}
    assert len(names) <= 1, names
    assert server.metrics()["kdcube_tools_abandoned_total"] == 0
