"""Tokens of an issuer, made by PyJWT, beside API keys."""

import base64
import json
import time

import jwt
import pytest
import requests
import socketio
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from rig.realtime import Client
from rig.server import OUTPUT_NANO, CommandFailed, Installation, nano
from rig.waiting import wait_until

ISSUER, AUDIENCE = "https://id.example.com", "kdcube"
SECRET = "the end-to-end tests share these bytes with nobody"


class Issuer:
    """Keys, and the file with their public halves."""

    def __init__(self, folder):
        self.file = folder / "jwks.json"
        self.rsa = rsa.generate_private_key(65_537, 2_048)
        self.curve = ec.generate_private_key(ec.SECP256R1())
        self.publish(("rsa-1", self.rsa), ("ec-1", self.curve))

    def publish(self, *keys) -> None:
        made = []
        for kid, key in keys:
            algorithm = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
            made.append(algorithm.to_jwk(key.public_key(), as_dict=True) | {"kid": kid, "use": "sig"})
        self.write(json.dumps({"keys": made}))

    def write(self, text: str) -> None:
        beside = self.file.with_suffix(".new")
        beside.write_text(text)
        beside.rename(self.file)

    def token(self, algorithm: str = "RS256", key=None, kid: str | None = None, **claims) -> str:
        usual = {
            "RS256": (self.rsa, "rsa-1"),
            "ES256": (self.curve, "ec-1"),
            "HS256": (SECRET, None),
            "none": (None, None),
        }[algorithm]
        now = int(time.time())
        body = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "org": "acme", "project": "web", "iat": now, "exp": now + 300} | claims
        body = {name: value for name, value in body.items() if value is not None}
        kid = kid or usual[1]
        return jwt.encode(body, key or usual[0], algorithm, headers={"kid": kid} if kid else {})


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokens")
    issuer = Issuer(folder)
    settings = {"jwks": str(issuer.file), "secret": SECRET, "issuer": ISSUER, "audience": AUDIENCE}
    installation = Installation(folder / "server", auth={"jwt": settings})
    yield installation, installation.serve(), issuer
    installation.stop()


def get(server, token: str, path: str = "/v1/quota", **query) -> requests.Response:
    return requests.get(server.url + path, headers={"authorization": f"Bearer {token}"}, params=query, timeout=10)


def code(response: requests.Response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


@pytest.mark.parametrize("algorithm", ["HS256", "RS256", "ES256"])
def test_a_token_starts_runs_that_are_charged_to_its_tenant(shared, algorithm):
    installation, server, issuer = shared
    org = f"org-{algorithm.lower()}"
    installation.budget(f"project:{org}/web", "1.00")
    headers = {"authorization": f"Bearer {issuer.token(algorithm, org=org)}"}
    run = requests.post(server.url + "/v1/runs", json={"text": "hi\n@tokens 5\n@rate 0", "model": "demo"}, headers=headers, timeout=10)
    assert run.status_code == 202, run.text
    said = complete(server, headers, 3)
    assert said.status_code == 200 and said.json()["usage"]["completion_tokens"] == 3, said.text
    (window,) = installation.settled_usage(f"project:{org}/web")["windows"]
    assert nano(window["used"]) >= 8 * OUTPUT_NANO, "both runs"


def complete(server, headers: dict, count: int) -> requests.Response:
    body = {"model": "demo", "messages": [{"role": "user", "content": f"hi\n@tokens {count}\n@rate 0"}]}
    return requests.post(server.url + "/v1/chat/completions", json=body, headers=headers, timeout=20)


def test_a_subject_has_a_key_of_its_own_in_each_organisation(shared):
    installation, server, issuer = shared
    installation.budget("key:jwt:poor:ada", "0.0001")
    poor, other, rich = (
        {"authorization": f"Bearer {issuer.token(**claims)}"}
        for claims in ({"org": "poor"}, {"org": "poor", "sub": "bob"}, {"org": "rich"})
    )
    cut = complete(server, poor, 500).json()
    assert cut["x_cut"]["scope"] == {"kind": "key", "id": "jwt:poor:ada"}, cut
    assert complete(server, poor, 500).status_code == 402
    for headers in (other, rich):
        said = complete(server, headers, 500).json()
        assert said["usage"]["completion_tokens"] == 500 and "x_cut" not in said


def forge_none(token: str) -> str:
    header = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
    return f"{header}.{token.split('.')[1]}."


def test_what_is_no_valid_token_is_401(shared):
    _, server, issuer = shared
    now = int(time.time())
    good = issuer.token()
    stranger = rsa.generate_private_key(65_537, 2_048)
    public = json.loads(issuer.file.read_text())["keys"][0]["n"]
    refused = {
        "none": issuer.token("none"),
        "none, renamed": forge_none(good),
        "another's key": issuer.token(key=stranger),
        "unknown kid": issuer.token(kid="rsa-2"),
        "kid of another algorithm": issuer.token(kid="ec-1"),
        "public key as secret": issuer.token("HS256", key=public, kid="rsa-1"),
        "wrong secret": issuer.token("HS256", key="x" * 40),
        "wrong audience": issuer.token(aud="another"),
        "no audience": issuer.token(aud=None),
        "wrong issuer": issuer.token(iss="https://evil.example.com"),
        "not yet": issuer.token(nbf=now + 3_600),
        "no exp": issuer.token(exp=None),
        "no org": issuer.token(org=None),
        "no project": issuer.token(project=None),
        "no name": issuer.token(org="a/b"),
        "a role that is no name": issuer.token(roles=["a b"]),
        "the server's own name": issuer.token(org="-"),
        "changed": good[:-6] + ("AAAAAA" if good[-6:] != "AAAAAA" else "BBBBBB"),
        "cut": good.rsplit(".", 1)[0],
        "padded": good + "=",
        "huge": issuer.token(x="x" * 9_000),
    }
    for name, token in refused.items():
        assert code(get(server, token)) == (401, "invalid_api_key"), name
    assert code(get(server, issuer.token(exp=now - 120))) == (401, "token_expired")
    assert get(server, issuer.token(exp=now - 5)).status_code == 200, "clocks differ"
    assert get(server, good).status_code == 200
    samples = server.metrics()
    assert samples['kdcube_auth_failures_total{reason="token_expired"}'] >= 1
    assert samples['kdcube_auth_failures_total{reason="token_audience"}'] >= 1


def test_a_hint_may_only_repeat_the_token(shared):
    _, server, issuer = shared
    token = issuer.token()
    assert get(server, token, tenant="acme", project="web").status_code == 200
    assert code(get(server, token, tenant="umbrella")) == (403, "tenant_mismatch")
    assert code(get(server, token, project="lab")) == (403, "tenant_mismatch")


def test_roles_come_from_the_token(shared):
    _, server, issuer = shared
    assert code(get(server, issuer.token(roles=["member"]), "/api/admin/streams"))[0] == 403
    assert get(server, issuer.token(roles=["admin"]), "/api/admin/streams").status_code == 200
    assert get(server, issuer.token(roles="member admin"), "/api/admin/streams").status_code == 200


def test_runs_belong_to_the_subject(shared):
    _, server, issuer = shared
    body = {"text": "hi\n@tokens 2", "model": "demo"}
    headers = {"authorization": f"Bearer {issuer.token(sub='https://id/1 2')}"}
    run = requests.post(server.url + "/v1/runs", json=body, headers=headers, timeout=10).json()["run_id"]
    assert get(server, issuer.token(sub="https://id/1 2"), f"/v1/runs/{run}").status_code == 200
    assert get(server, issuer.token(sub="https://id/1 3"), f"/v1/runs/{run}").status_code == 404
    assert get(server, issuer.token(sub="https://id/1 2", org="umbrella"), f"/v1/runs/{run}").status_code == 404


def test_a_key_goes_on_beside_tokens(shared):
    installation, server, _ = shared
    assert get(server, installation.key("acme")["key"]).status_code == 200
    assert code(get(server, "kd-a.b.c")) == (401, "invalid_api_key")


def test_a_socket_is_refreshed_and_outlives_its_token(shared):
    _, server, issuer = shared
    now = int(time.time())
    # Valid for six more seconds: a minute of difference between clocks is allowed.
    client = Client(server.url, issuer.token(exp=now - 54))
    try:
        assert client.wait("session_info")["org"] == "acme"
        ack = client.call("chat_message", {"text": "hi\n@tokens 180\n@rate 15", "model": "demo"})
        assert ack["ok"] is True
        again = {"text": "hi\n@tokens 2", "model": "demo"}

        def refusal():
            answered = client.call("chat_message", again)
            return None if answered["ok"] else answered["error"]

        assert wait_until("the token ends", refusal, 20, every=0.3)["code"] == "token_expired"
        assert client.finish(ack["run_id"])[-1]["type"] == "chat.complete", "what runs is not cut"
        expires = int(time.time()) + 600
        for wrong in ({"org": "umbrella"}, {"project": "lab"}, {"sub": "bob"}):
            assert client.call("auth_refresh", {"token": issuer.token(**wrong)})["error"]["code"] == "tenant_mismatch"
        assert client.call("auth_refresh", {"token": issuer.token(exp=now - 120)})["error"]["code"] == "token_expired"
        assert client.call("auth_refresh", {"token": issuer.token("HS256", exp=expires)}) == {"ok": True, "expires_at": expires * 1_000}
        assert client.call("chat_message", again)["ok"] is True
    finally:
        client.close()
    with pytest.raises(socketio.exceptions.ConnectionError):
        Client(server.url, issuer.token(exp=now - 120))


def test_keys_are_exchanged_while_the_server_runs(tmp_path):
    issuer = Issuer(tmp_path)
    installation = Installation(tmp_path / "own", auth={"jwt": {"jwks": str(issuer.file)}})
    server = installation.serve()
    try:
        old = issuer.token()
        assert get(server, old).status_code == 200
        assert get(server, issuer.token("HS256")).status_code == 401, "there is no secret"
        issuer.rsa = rsa.generate_private_key(65_537, 2_048)
        new = issuer.token(kid="rsa-2")
        assert get(server, new).status_code == 401
        issuer.publish(("rsa-2", issuer.rsa))
        wait_until("the new key is in force", lambda: get(server, new).status_code == 200, 10, every=0.2)
        assert get(server, old).status_code == 401, "the old one is not"
        issuer.write("not a key set")
        loads = 'kdcube_token_key_loads_total{outcome="refused"}'
        wait_until("the bad file was read", lambda: server.metrics().get(loads), 10, every=0.2)
        assert get(server, new).status_code == 200, "a bad file changes nothing"
        issuer.file.unlink()
        wait_until("the missing file was seen", lambda: server.metrics().get(loads) == 2, 10, every=0.2)
        assert get(server, new).status_code == 200
    finally:
        installation.stop()


def test_settings_are_checked_and_masked(tmp_path):
    def check(**settings) -> str:
        return Installation(tmp_path, auth={"jwt": settings}).command("check-config")

    printed = check(secret=SECRET, issuer=ISSUER)
    assert SECRET not in printed and ISSUER in printed and '"***"' in printed
    for settings in ({"secret": "short"}, {"jwks": str(tmp_path / "none.json")}, {"issuer": ISSUER}, {"jwk": "x"}):
        with pytest.raises(CommandFailed) as failure:
            check(**settings)
        assert "auth.jwt." in failure.value.stderr and "short" not in failure.value.stderr
    empty = tmp_path / "empty.json"
    empty.write_text('{"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB"}]}')
    with pytest.raises(CommandFailed) as failure:
        check(jwks=str(empty))
    assert "key 1 is left out: its modulus has 17 bits" in failure.value.stderr
