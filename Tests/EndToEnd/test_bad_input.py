"""Malformed, oversized, forged and slow clients: the documented answer, and a server that goes on."""

import json
import socket

import pytest
import requests
import websocket

from rig.envelopes import check_run, tokens
from rig.realtime import Client
from rig.sse import Parser
from rig.waiting import wait_until

ERROR_FIELDS = {"message", "type", "code"}


def post(server, tenant, path: str, data, **headers) -> requests.Response:
    if not isinstance(data, bytes):
        data = json.dumps(data).encode()
    headers = {**tenant.headers, "content-type": "application/json", **headers}
    return requests.post(server.url + path, data=data, headers=headers, timeout=20)


def check_error(response: requests.Response, status: int, code: str | None = None) -> None:
    assert response.status_code == status, f"{response.status_code}: {response.text}"
    error = response.json()["error"]
    assert set(error) >= ERROR_FIELDS and response.headers["x-request-id"]
    assert code is None or error["code"] == code or error["type"] == code, error
    assert "Traceback" not in error["message"] and ".swift" not in error["message"]


PATHS = ["/v1/runs", "/v1/chat/completions", "/v1/responses"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b'"text"',
        b"null",
        b'{"text":1}',
        b'{"text":"\xff\xfe"}',
        b'{"messages":"no"}',
        b"[" * 100_000,
        b'{"text":"\\ud800"',
    ],
    ids=["empty", "open", "array", "string", "null", "number", "utf8", "messages", "deep", "surrogate"],
)
def test_a_body_that_is_not_the_documented_json_is_400(server, tenant, path, data):
    check_error(post(server, tenant, path, data), 400, "invalid_request_error")


@pytest.mark.parametrize("path", PATHS)
def test_a_body_that_is_too_large_is_413(server, tenant, path):
    big = {"model": "demo", "text": "x" * 30_000_000}
    try:
        response = post(server, tenant, path, big)
    except requests.ConnectionError:
        return  # the server may close as soon as it has answered, while this client is still writing
    check_error(response, 413)


@pytest.mark.parametrize("path", PATHS)
def test_an_unknown_model_is_404(server, tenant, path):
    prompt = {"input": "hi"} if path == "/v1/responses" else {"text": "hi", "messages": [{"role": "user", "content": "hi"}]}
    body = {"model": "nonesuch", **prompt}
    check_error(post(server, tenant, path, body), 404, "model_not_found")


CREDENTIALS = [
    {},
    {"authorization": "Bearer kd-wrong"},
    {"authorization": "Basic eDp5"},
    {"x-api-key": "nope"},
    {"authorization": "Bearer a.b.c"},
]


@pytest.mark.parametrize("headers", CREDENTIALS, ids=["none", "key", "basic", "x-api-key", "jwt"])
@pytest.mark.parametrize("path", ["/v1/models", "/v1/quota", "/v1/runs/run_x", "/v1/conversations", "/sse/stream"])
def test_a_missing_or_bad_credential_is_401(server, headers, path):
    check_error(requests.get(server.url + path, headers=headers, timeout=10), 401)


def test_the_key_is_taken_from_x_api_key_too(server, tenant):
    assert requests.get(server.url + "/v1/models", headers={"x-api-key": tenant.key}, timeout=10).status_code == 200


@pytest.mark.parametrize("hint", [{"tenant": "someone-else"}, {"project": "another"}])
def test_a_foreign_tenant_hint_is_403(server, tenant, hint):
    check_error(post(server, tenant, "/v1/runs", {"text": "hi", "model": "demo", **hint}), 403, "tenant_mismatch")
    response = requests.get(server.url + "/v1/quota", params=hint, headers=tenant.headers, timeout=10)
    check_error(response, 403, "tenant_mismatch")


def test_the_right_tenant_hint_is_accepted(server, tenant):
    body = {"text": "hi\n@tokens 2", "model": "demo", "tenant": tenant.org, "project": tenant.project}
    assert post(server, tenant, "/v1/runs", body).status_code == 202


def test_an_unknown_address_is_404_and_a_wrong_method_is_refused(server, tenant):
    check_error(requests.get(server.url + "/v1/nothing", headers=tenant.headers, timeout=10), 404)
    assert requests.delete(server.url + "/v1/models", headers=tenant.headers, timeout=10).status_code in (404, 405)
    assert requests.get(server.url + "/../../etc/passwd", timeout=10).status_code in (400, 404)


def test_quota_shows_what_the_key_has_left(server, tenant):
    tenant.cap("5.00", window="day")
    quota = requests.get(server.url + "/v1/quota", headers=tenant.headers, timeout=10)
    assert quota.status_code == 200 and "5.00" in quota.text


def open_websocket(server) -> websocket.WebSocket:
    connection = websocket.create_connection(f"ws://127.0.0.1:{server.port}/socket.io/?EIO=4&transport=websocket", timeout=10)
    assert connection.recv().startswith("0{")
    return connection


def closes(connection: websocket.WebSocket) -> bool:
    """Whether the server ends the connection; answers that come before are read and ignored."""
    try:
        while connection.recv_data()[0] != websocket.ABNF.OPCODE_CLOSE:
            pass
        return True
    except (websocket.WebSocketConnectionClosedException, ConnectionError):
        return True
    except websocket.WebSocketTimeoutException:
        return False


@pytest.mark.parametrize("packet", ["", "9", "4", "4x", "42[", '42{"a":1}', "42[]", '42["\\ud800', "451-[]", "4" + "2" * 500, '43abc["x"]'])
def test_a_malformed_packet_closes_that_connection_only(server, packet):
    connection = open_websocket(server)
    connection.send(packet)
    assert closes(connection)


def test_an_oversized_frame_closes_the_connection(server):
    connection = open_websocket(server)
    try:
        connection.send('42["chat_message","' + "x" * 3_000_000 + '"]')
    except (ConnectionError, websocket.WebSocketException):
        return
    assert closes(connection)


def test_an_unknown_namespace_is_a_connect_error(server, tenant):
    connection = open_websocket(server)
    connection.send("40/nowhere," + json.dumps({"token": tenant.key}))
    assert connection.recv() == '44/nowhere,{"message":"Invalid namespace"}'
    connection.close()


def test_an_event_before_connect_closes_the_connection(server):
    connection = open_websocket(server)
    connection.send('42["chat_message",{"text":"free tokens"}]')
    assert closes(connection)


@pytest.mark.parametrize(
    "query", ["", "?EIO=4", "?EIO=4&transport=carrier-pigeon", "?EIO=3&transport=polling", "?EIO=4&transport=polling&sid=unknown"]
)
def test_a_bad_handshake_is_400(server, query):
    assert requests.get(server.url + "/socket.io/" + query, timeout=10).status_code == 400


@pytest.mark.parametrize("argument", [None, [], "text", 1, {}, {"text": None}, {"text": ""}, {"text": "x", "model": 7}, {"message": []}])
def test_a_chat_message_of_the_wrong_shape_is_refused_in_its_acknowledgement(server, tenant, argument):
    client = Client(server.url, tenant.key)
    ack = client.call("chat_message", argument)
    assert ack["ok"] is False and ack["error"]["code"] == "invalid_request_error", ack
    client.close()


def raw_run(server, tenant, count: int) -> socket.socket:
    """A run over HTTP whose connection is ours to read or not, with a small receive buffer."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect(("127.0.0.1", server.port))
    body = json.dumps({"text": f"Flood me.\n@tokens {count}\n@rate 0", "model": "demo"})
    head = f"POST /v1/runs HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {tenant.key}\r\naccept: text/event-stream\r\n"
    connection.sendall(f"{head}content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode())
    return connection


def test_clients_that_never_read_cost_bounded_memory_and_disturb_nobody(server, tenant):
    before = server.resident_kib()
    silent = [raw_run(server, tenant, 20_000) for _ in range(10)]
    client = Client(server.url, tenant.key)
    run = client.call("chat_message", {"text": "hello\n@tokens 200\n@rate 400", "model": "demo"})["run_id"]
    assert tokens(check_run(client.finish(run))["data"]["final_answer"]) == 200
    client.close()
    wait_until("the runs of the silent clients end", lambda: server.metrics().get("kdcube_runs_active", 0) == 0, 60)
    grown = server.resident_kib() - before
    assert grown < 60_000, f"{grown} KiB for ten silent clients"
    for connection in silent:
        connection.close()


def test_a_slow_reader_still_gets_every_token(server, tenant):
    with raw_run(server, tenant, 3000) as connection:
        connection.settimeout(20)
        data = b""
        while b'"chat.complete"' not in data and (more := connection.recv(2048)):
            data += more
    payload = data.partition(b"\r\n\r\n")[2]
    events = [event for event in Parser().feed(dechunk(payload)) if event.name == "chat_delta"]
    assert tokens("".join(event.json["delta"]["text"] for event in events)) == 3000


def dechunk(data: bytes) -> bytes:
    out = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        length = int(size or b"0", 16)
        out, data = out + data[:length], data[length + 2 :]
        if not length:
            break
    return out
