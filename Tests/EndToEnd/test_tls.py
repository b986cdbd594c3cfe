"""TLS and HTTP/2 on the one port: curl, the openai SDK, python-socketio, the official client in Chromium; certificates, and who speaks no TLS."""

import json
import shutil
import socket
import ssl
import subprocess

import httpx
import pytest
import requests
import socketio
from test_browser_io import SCRIPT, check_answer

from rig import certificates
from rig.realtime import Client
from rig.server import ROOT, CommandFailed, Installation
from rig.sse import Parser
from rig.waiting import wait_until

VERSIONS = {"--http1.1": "1.1", "--http2": "2"}


@pytest.fixture(scope="module")
def installation(witness, tmp_path_factory):
    """In the place of the shared one: with a certificate."""
    folder = tmp_path_factory.mktemp("tls")
    certificates.make(folder / "certificate.pem", folder / "key.pem")
    tls = {"certificate": str(folder / "certificate.pem"), "key": str(folder / "key.pem")}
    installation = Installation(folder / "it", upstream=witness.url, server={"tls": tls, "web_client": str(ROOT / "web-client")})
    installation.serve()
    yield installation
    installation.stop()


@pytest.fixture
def curl(server):
    """Runs curl with this version of HTTP, and returns the version that was spoken, the status and the body."""

    def curl(version: str, path: str, *options: str) -> tuple[str, int, str]:
        command = ["curl", "-sS", "--max-time", "30", "--cacert", str(server.certificate), version, "-w", "\\n%{http_version} %{http_code}"]
        done = subprocess.run([*command, *options, server.url + path], capture_output=True, text=True, timeout=40, check=False)
        assert done.returncode == 0, done.stderr
        body, _, last = done.stdout.rpartition("\n")
        spoken, status = last.split()
        return spoken, int(status), body

    return curl


def authorised(tenant) -> tuple[str, ...]:
    return ("-H", f"authorization: Bearer {tenant.key}", "-H", "content-type: application/json")


@pytest.mark.parametrize("version", VERSIONS)
def test_curl_streams_a_completion_and_reads_a_run_again_from_the_middle(curl, tenant, version):
    assert curl(version, "/healthz")[:2] == (VERSIONS[version], 200)
    asked = {"model": "demo", "stream": True, "messages": [{"role": "user", "content": "Hello.\n@tokens 60\n@rate 300"}]}
    spoken, status, body = curl(version, "/v1/chat/completions", *authorised(tenant), "-N", "-d", json.dumps(asked))
    assert (spoken, status) == (VERSIONS[version], 200)
    chunks = [event.data for event in Parser().feed(body.encode())]
    assert chunks[-1] == "[DONE]" and len(chunks) > 10

    run = {"model": "demo", "text": "Hello.\n@tokens 60\n@rate 0"}
    events = ("-H", "accept: text/event-stream")
    body = curl(version, "/v1/runs", *authorised(tenant), *events, "-N", "-d", json.dumps(run))[2]
    all_events = Parser().feed(body.encode())
    assert all_events[-1].name == "chat_complete"
    at = len(all_events) // 2
    middle = all_events[at]
    path = f"/v1/runs/{middle.json['run_id']}/events"
    body = curl(version, path, *authorised(tenant), *events, "-H", f"last-event-id: {middle.id}")[2]
    rest = Parser().feed(body.encode())
    # What is caught up with may come in fewer and longer pieces.
    places = [int(event.id.rpartition(":")[2]) for event in (middle, *rest)]
    assert places == sorted(set(places)) and rest[-1].id == all_events[-1].id


def test_large_bodies_and_many_requests_share_a_connection_of_http2(server, tenant, curl, tmp_path):
    with httpx.Client(http2=True, verify=ssl.create_default_context(cafile=str(server.certificate)), trust_env=False) as client:
        text = "A sentence that is stored. " * 20_000
        stored = client.put(f"{server.url}/v1/knowledge/long", headers={**tenant.headers, "content-type": "text/plain"}, content=text)
        assert stored.http_version == "HTTP/2" and stored.status_code in (200, 201), stored.text
        for _ in range(300):
            assert client.get(server.url + "/healthz").status_code == 200
    # httpx loses an answer that comes before its request is whole; curl does not.
    (tmp_path / "large").write_bytes(b"x" * 20_000_000)
    large = f"@{tmp_path / 'large'}"
    assert curl("--http2", "/v1/runs", *authorised(tenant), "--data-binary", large)[:2] == ("2", 413)


def test_the_openai_sdk_over_http2(server, tenant):
    import openai

    trust = ssl.create_default_context(cafile=str(server.certificate))
    with httpx.Client(http2=True, verify=trust, trust_env=False) as client:
        sdk = openai.OpenAI(base_url=server.url + "/v1", api_key=tenant.key, http_client=client, max_retries=0)
        messages = [{"role": "user", "content": "Hello.\n@tokens 50\n@rate 200"}]
        answer = sdk.chat.completions.with_raw_response.create(model="demo", messages=messages)
        assert answer.http_response.http_version == "HTTP/2" and answer.parse().usage.completion_tokens == 50
        chunks = list(sdk.chat.completions.create(model="demo", messages=messages, stream=True))
        assert chunks[-1].choices[0].finish_reason == "stop"


def connect(server, key: str, transports: tuple[str, ...]) -> Client:
    """This client reads and writes a WebSocket on two threads, and Python's TLS was not made for that: a few of a hundred connections end as
    they begin, by the client's own doing."""
    for left in reversed(range(5)):
        session = requests.Session()
        session.trust_env, session.verify = False, str(server.certificate)
        options = {"http_session": session, "websocket_extra_options": {"sslopt": {"ca_certs": str(server.certificate)}}}
        try:
            client = Client(server.url, key, transports, wait_timeout=3, **options)
            client.wait("session_info", seconds=5)
            return client
        except (socketio.exceptions.ConnectionError, AssertionError):
            if left == 0:
                raise
    raise AssertionError("unreachable")


@pytest.mark.parametrize("transports", [("websocket",), ("polling",), ("polling", "websocket")], ids="+".join)
def test_python_socketio(server, tenant, transports):
    client = connect(server, tenant.key, transports)
    try:
        assert client.call("chat_message", {"text": "Hello.\n@tokens 40\n@rate 200", "model": "demo"})["ok"]
        client.wait("chat_complete")
    finally:
        client.close()


def test_chromium_polls_over_http2_and_upgrades_to_wss(browser, server, tenant, plan):
    context = browser.new_context(ignore_https_errors=True)
    page = context.new_page()
    page.goto(server.url + "/healthz")
    page.add_script_tag(url=server.url + "/socket.io/socket.io.js")
    for transports in (["polling"], ["polling", "websocket"]):
        arguments = {
            "token": tenant.key,
            "prompt": plan(tokens=80, rate=120).prompt(),
            "options": {"transports": transports},
            "resumeAfter": 0,
        }
        seen = page.evaluate(SCRIPT, arguments)
        check_answer(seen, 80)
        assert seen["transports"] == transports and not seen["errors"]
    entries = page.evaluate("performance.getEntriesByType('resource').map((one) => [one.name, one.nextHopProtocol])")
    polls = [protocol for name, protocol in entries if "transport=polling" in name]
    assert polls and set(polls) == {"h2"}
    context.close()


def test_who_speaks_no_tls_is_ended_at_once_and_counted(server):
    before = server.metrics()
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as plain:
        plain.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"HTTP/1." not in plain.recv(4096)
    name = 'kdcube_tls_handshake_failures_total{reason="refused"}'
    wait_until("it is counted", lambda: server.metrics()[name] == before[name] + 1)
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_1
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as plain, pytest.raises(ssl.SSLError):
        old.wrap_socket(plain)


def shown(server) -> str:
    return ssl.get_server_certificate(("127.0.0.1", server.port), timeout=10).strip()


def test_a_renewed_certificate_is_taken_without_a_restart(tmp_path):
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    certificates.make(certificate, key)
    installation = Installation(tmp_path / "it", server={"tls": {"certificate": str(certificate), "key": str(key)}})
    server = installation.serve()
    try:
        assert shown(server) == certificate.read_text().strip()
        first = server.metrics()["kdcube_tls_certificate_expiry_seconds"]
        with requests.Session() as open_before:
            open_before.trust_env, open_before.verify = False, str(tmp_path / "old.pem")
            shutil.copy(certificate, tmp_path / "old.pem")
            assert open_before.get(server.url + "/healthz", timeout=10).status_code == 200
            # One file at a time, as some tools do it: what does not fit together is not taken.
            certificates.make(tmp_path / "new.pem", tmp_path / "new.key")
            (tmp_path / "new.pem").replace(certificate)
            refused = 'kdcube_tls_certificate_loads_total{outcome="refused"}'
            server.certificate = tmp_path / "old.pem"
            wait_until("the pair is refused", lambda: server.metrics().get(refused) == 1)
            assert shown(server) == (tmp_path / "old.pem").read_text().strip()
            (tmp_path / "new.key").replace(key)
            wait_until("the new certificate is shown", lambda: shown(server) == certificate.read_text().strip())
            assert open_before.get(server.url + "/healthz", timeout=10).status_code == 200
        server.certificate = certificate
        assert server.metrics()["kdcube_tls_certificate_expiry_seconds"] >= first
        assert server.metrics()['kdcube_tls_certificate_loads_total{outcome="changed"}'] == 1
        assert "PRIVATE KEY" not in server.process.tail(200)
    finally:
        installation.stop()


def test_check_config_names_the_setting_that_cannot_be_used(tmp_path):
    certificates.make(tmp_path / "certificate.pem", tmp_path / "key.pem")
    certificates.make(tmp_path / "other.pem", tmp_path / "other.key")
    (tmp_path / "empty").touch()
    bad = {
        ("certificate.pem", "other.key"): "server.tls.key",
        ("certificate.pem", "empty"): "server.tls.key",
        ("empty", "key.pem"): "server.tls.certificate",
        ("nowhere", "key.pem"): "server.tls.certificate",
        ("certificate.pem", None): "server.tls.key",
        (None, "key.pem"): "server.tls.certificate",
    }
    for number, ((certificate, key), setting) in enumerate(bad.items()):
        tls = {"certificate": certificate, "key": key}
        tls = {name: str(tmp_path / file) for name, file in tls.items() if file}
        folder = tmp_path / f"it{number}"
        installation = Installation(folder, server={"tls": tls})
        for command in ("check-config", "serve"):
            with pytest.raises(CommandFailed) as failure:
                installation.command(command)
            assert setting in failure.value.stderr and failure.value.stderr.count("\n") == 1, failure.value.stderr
            assert "PRIVATE" not in failure.value.stderr
    pair = {"certificate": str(tmp_path / "certificate.pem"), "key": str(tmp_path / "key.pem")}
    for number, roots in enumerate(("empty", "key.pem", "nowhere")):
        installation = Installation(tmp_path / f"roots{number}", server={"tls": pair | {"peer_roots": str(tmp_path / roots)}})
        with pytest.raises(CommandFailed) as failure:
            installation.command("check-config")
        assert "server.tls.peer_roots" in failure.value.stderr and failure.value.stderr.count("\n") == 1, failure.value.stderr
    good = Installation(tmp_path / "good", server={"tls": pair | {"peer_roots": pair["certificate"]}})
    assert good.json("check-config")["server"]["tls"]["key"] == str(tmp_path / "key.pem")


def test_files_and_lists_are_compressed_and_streams_and_answers_to_posts_are_not(server, tenant):
    with requests.Session() as client:
        client.trust_env, client.verify = False, str(server.certificate)
        plain = client.get(server.url + "/", headers={"accept-encoding": "identity"}, timeout=10)
        short = client.get(server.url + "/", headers={"accept-encoding": "gzip"}, timeout=10)
        assert short.headers["content-encoding"] == "gzip" and short.content == plain.content
        assert int(short.headers["content-length"]) < len(plain.content) and short.headers["vary"] == "Accept-Encoding"
        assert short.headers["etag"] != plain.headers["etag"]
        again = client.get(server.url + "/", headers={"accept-encoding": "gzip", "if-none-match": short.headers["etag"]}, timeout=10)
        assert again.status_code == 304 and not again.content

        reference = client.get(server.url + "/metrics", headers={"accept-encoding": "gzip"}, timeout=10)
        assert reference.headers["content-encoding"] == "gzip" and "kdcube_" in reference.text
        short_answer = client.get(server.url + "/v1/models", headers={**tenant.headers, "accept-encoding": "gzip"}, timeout=10)
        assert "content-encoding" not in short_answer.headers
        for stream in (False, True):
            asked = {"model": "demo", "stream": stream, "messages": [{"role": "user", "content": "Hello.\n@tokens 900\n@rate 0"}]}
            answer = client.post(server.url + "/v1/chat/completions", json=asked, headers=tenant.headers, timeout=20)
            assert answer.status_code == 200 and len(answer.content) > 2_000 and "content-encoding" not in answer.headers
