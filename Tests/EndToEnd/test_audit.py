"""The chain over decisions: signed while the server runs, verified by a command, and what becomes of it when somebody changes the file."""

import hashlib
import json
import shutil
import sqlite3
import stat
import subprocess

import pytest
import requests

from rig import administration
from rig.envelopes import check_run, of_sse
from rig.server import BINARIES, CommandFailed, Installation, environment
from rig.sse import collect
from rig.tools import SETTINGS, call, prompt
from rig.waiting import wait_until


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    folder = tmp_path_factory.mktemp("audit")
    installation = Installation(folder, audit={"checkpoints": str(folder / "anchors.jsonl")}, **SETTINGS)
    installation.serve()
    yield installation
    installation.stop()


def run(server, tenant, *calls: str) -> None:
    check_run(of_sse(collect(server.url, tenant.key, {"text": prompt(*calls), "model": "demo"})))


#: The tenant's key was made.
KEY = 1
#: Each run was admitted.
ADMISSION = 1


def lookups(server, tenant, count: int) -> None:
    """Two records each, a decision and its outcome, and for every five of them the admission of their run."""
    for first in range(0, count, 5):
        run(server, tenant, *[call("crm.lookup", customer=f"C-{first + number}") for number in range(min(5, count - first))])


def verify(data, *more: str) -> tuple[int, dict]:
    """The exit status, and the reports by org."""
    command = [str(BINARIES / "kdcube"), "audit", "verify", "--json", "--data", str(data), *more]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment(), check=False)
    assert result.stdout, result.stderr
    found = json.loads(result.stdout)
    assert found["ok"] == (result.returncode == 0)
    return result.returncode, {org["org"]: org for org in found["orgs"]}


def test_records_are_signed_and_anchored_within_ten_seconds(server, installation, tenant):
    lookups(server, tenant, 3)
    run(server, tenant, call("mail.send", draft_id="x"))

    def signed() -> dict | None:
        report = installation.json("audit", "verify", "--org", tenant.org)["orgs"][0]
        assert report["fault"] is None
        return report if report["anchored_to"] == report["signed_to"] == last else None

    last = KEY + (ADMISSION + 6) + (ADMISSION + 1)
    report = wait_until("the head is signed", signed, 20, every=0.5)
    assert report["records"] == report["last"] == last and report["unanchored"] == 0 and report["first"] == 1
    key = installation.folder / "data" / "audit.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    anchors = [json.loads(line) for line in (installation.folder / "anchors.jsonl").read_text().splitlines()]
    assert [line["seq"] for line in anchors if line["org"] == tenant.org][-1] == last
    assert key.read_text().strip() not in json.dumps(anchors)
    assert server.metrics()["kdcube_audit_checkpoints_total"] >= 1 and server.metrics()["kdcube_audit_failures_total"] == 0


def test_sixty_four_records_do_not_wait(server, installation, tenant):
    lookups(server, tenant, 33)

    def signed() -> bool:
        return installation.json("audit", "verify", "--org", tenant.org)["orgs"][0]["signed_to"] >= 64

    wait_until("a checkpoint", signed, 8, every=0.2)


def test_an_export_can_be_verified_by_another_program(server, installation, tenant, make_tenant):
    run(server, tenant, call("crm.lookup", customer="Zoë € 🧾"), call("mail.send", draft_id="x"))
    lookups(server, make_tenant(installation), 1)
    text = installation.command("audit", "export", "--org", tenant.org)
    lines = [json.loads(line) for line in text.splitlines()]
    assert [line["seq"] for line in lines] == [1, 2, 3, 4, 5] and {line["org"] for line in lines} == {tenant.org}
    assert sorted(line["kind"] for line in lines) == ["decision"] * 4 + ["outcome"]
    assert [line.get("what") for line in lines[:2]] == ["change", "admission"] and not any("what" in line for line in lines[2:])
    before = "0" * 64
    for line in lines:
        assert line["prev"] == before
        before = line.pop("hash")
        canonical = json.dumps(line, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert hashlib.sha256(canonical.encode()).hexdigest() == before
    orgs = {json.loads(line)["org"] for line in installation.command("audit", "export").splitlines()}
    assert len(orgs) >= 2
    assert installation.command("audit", "export", "--org", tenant.org, "--to", "2020-01-01") == ""
    with pytest.raises(CommandFailed) as failure:
        installation.command("audit", "export", "--from", "yesterday")
    assert failure.value.status == 64
    with pytest.raises(CommandFailed) as failure:
        installation.command("audit", "verify", "--org", "nobody")
    assert failure.value.status == 1 and len(failure.value.stderr.strip().splitlines()) == 1


def test_92_a_denied_call_has_its_record_though_its_client_is_gone(server, installation, tenant):
    text = "\n".join(["Go on.", "@rate 10", "@tokens 60", call("mail.send", draft_id="x"), "@then", "@tokens 2"])
    stream = requests.post(
        server.url + "/v1/runs",
        json={"text": text, "model": "demo"},
        headers=tenant.headers | {"accept": "text/event-stream"},
        stream=True,
        timeout=30,
    )
    assert stream.status_code == 200 and next(stream.iter_content(16))

    def record() -> list[dict]:
        lines = [json.loads(line) for line in installation.command("audit", "export", "--org", tenant.org).splitlines()]
        return [line for line in lines if "what" not in line]

    assert record() == [], "it leaves before the call"
    stream.close()

    (denied,) = wait_until("the record is written", record, 20, every=0.2)
    assert denied["decision"] == "deny" and denied["tool"] == "mail.send" and denied["rule"] == "tool.roles"


# What follows changes copies of the file, as whoever owns the machine can.


#: The records of a stolen log: a key, six calls with their outcomes, the admissions of two runs.
STOLEN = KEY + 12 + 2 * ADMISSION


@pytest.fixture(scope="module")
def kept(installation, make_tenant, tmp_path_factory):
    """A copy of the data directory in which nothing forbids changes any more, and the anchors that were kept elsewhere."""
    tenant = make_tenant(installation)
    lookups(installation.servers[0], tenant, 6)
    wait_until(
        "the head is anchored",
        lambda: installation.json("audit", "verify", "--org", tenant.org)["orgs"][0]["anchored_to"] == STOLEN,
        20,
        every=0.5,
    )
    folder = tmp_path_factory.mktemp("kept")
    source = sqlite3.connect(installation.folder / "data" / "kdcube.sqlite")
    copy = sqlite3.connect(folder / "kdcube.sqlite", isolation_level=None)
    source.backup(copy)
    source.close()
    for (name,) in copy.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        copy.execute(f"DROP TRIGGER {name}")
    copy.close()
    shutil.copy(installation.folder / "anchors.jsonl", folder)
    status, found = verify(folder, "--checkpoints", str(folder / "anchors.jsonl"))
    assert status == 0 and found[tenant.org]["records"] == STOLEN
    return tenant.org, folder


@pytest.fixture
def stolen(kept, tmp_path):
    """Whose log it is, and a copy for one test."""
    org, folder = kept
    data = tmp_path / "data"
    shutil.copytree(folder, data)
    copy = sqlite3.connect(data / "kdcube.sqlite", isolation_level=None)
    yield org, data, copy, str(data / "anchors.jsonl")
    copy.close()


def test_87_one_byte_that_is_changed_is_named(stolen):
    org, data, copy, _ = stolen
    (seq,) = copy.execute("SELECT max(seq) FROM tool_decisions WHERE org = ?", [org]).fetchone()
    copy.execute("UPDATE tool_decisions SET decision = 'allov' WHERE org = ? AND seq = ?", [org, seq])
    status, found = verify(data)
    fault = found[org]["fault"]
    assert status == 1 and fault["seq"] == seq and fault["reason"] == "changed"
    assert [one for one, report in found.items() if report["fault"]] == [org]


def test_88_the_last_five_records_cannot_be_dropped(stolen):
    org, data, copy, anchors = stolen
    left = STOLEN - 5
    for table in ("tool_outcomes", "tool_decisions", "decision_chain"):
        copy.execute(f"DELETE FROM {table} WHERE org = ? AND seq > ?", [org, left])
    last = f"(SELECT hash FROM decision_chain c WHERE c.org = h.org AND c.seq = {left})"
    copy.execute("UPDATE decision_heads SET seq = ? WHERE org = ?", [left, org])
    copy.execute(f"UPDATE decision_chain_heads AS h SET seq = {left}, signed = {left}, hash = {last} WHERE org = ?", [org])
    status, found = verify(data)
    assert status == 1 and found[org]["fault"] | {"message": ""} == {"seq": left + 1, "reason": "missing", "message": ""}
    copy.execute("DELETE FROM audit_checkpoints WHERE org = ?", [org])
    assert verify(data)[0] == 0, "without its checkpoints the store knows no better"
    status, found = verify(data, "--checkpoints", anchors)
    assert status == 1 and found[org]["fault"]["seq"] == left + 1


def test_89_all_that_is_written_anew_is_found(stolen):
    org, data, copy, anchors = stolen
    tables = ("tool_outcomes", "decision_chain", "decision_heads", "decision_chain_heads")
    rows = copy.execute("SELECT * FROM tool_decisions WHERE org = ? AND kind = 'call' ORDER BY seq", [org])
    names, rows = [column[0] for column in rows.description], rows.fetchall()
    for table in (*tables, "tool_decisions"):
        copy.execute(f"DELETE FROM {table} WHERE org = ?", [org])
    before = "0" * 64
    for seq in range(1, STOLEN + 1):
        row = dict(zip(names, rows[seq % len(rows)], strict=True)) | {"seq": seq, "id": f"dec_{seq}", "tool": "harmless"}
        copy.execute(f"INSERT INTO tool_decisions VALUES ({','.join('?' * len(names))})", [row[name] for name in names])
        record = {name: value for name, value in row.items() if value is not None}
        record |= {"v": 1, "kind": "decision", "prev": before, "roles": row["roles"].split()}
        before = hashlib.sha256(json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()).hexdigest()
        copy.execute("INSERT INTO decision_chain VALUES (?, ?, ?)", [org, seq, before])
    copy.execute("INSERT INTO decision_heads VALUES (?, ?)", [org, STOLEN])
    copy.execute("INSERT INTO decision_chain_heads VALUES (?, 1, ?, ?, ?)", [org, STOLEN, before, STOLEN])
    status, found = verify(data)
    assert status == 1 and found[org]["fault"]["reason"] == "rewritten" and found[org]["records"] == STOLEN
    copy.execute("UPDATE audit_checkpoints SET hash = ? WHERE org = ? AND seq = ?", [before, org, STOLEN])
    copy.execute("DELETE FROM audit_checkpoints WHERE org = ? AND seq < ?", [org, STOLEN])
    assert verify(data)[1][org]["fault"]["reason"] == "bad_signature"
    copy.execute("DELETE FROM audit_checkpoints WHERE org = ?", [org])
    assert verify(data)[0] == 0
    status, found = verify(data, "--checkpoints", anchors)
    assert status == 1 and found[org]["fault"]["reason"] == "rewritten"


def test_what_was_not_signed_yet_is_signed_at_the_end(tmp_path, make_tenant):
    installation = Installation(tmp_path, audit={"checkpoints": str(tmp_path / "anchors.jsonl")}, **SETTINGS)
    server = installation.serve()
    tenant = make_tenant(installation)
    wait_until("the first round is over", lambda: "kdcube_audit_checkpoints_total" in server.metrics(), 5)
    lookups(server, tenant, 2)
    installation.stop()
    reports = {one["org"]: one for one in installation.json("audit", "verify")["orgs"]}
    # The server's own records are under a name of their own, and so are those of the key that made the tenant's.
    report = reports[tenant.org]
    assert set(reports) <= {tenant.org, administration.ORG, "-"}
    assert report["records"] == report["signed_to"] == report["anchored_to"] == KEY + ADMISSION + 4 and report["unanchored"] == 0
