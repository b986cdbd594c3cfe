"""The knowledge base of a project over HTTP: put, search, list, delete, over both durable stores."""

import json

import pytest
import requests

from rig.server import Installation, Server

MIB = 1 << 20
POLICY = "# Refunds\n\nA refund is paid within ten days.\n\n# Parcels\n\nA parcel that comes late is free of charge.\n"


class Knowledge:
    """What one key may do with its project's documents."""

    def __init__(self, server: Server, key: str):
        self.url = server.url + "/v1/knowledge"
        self.headers = {"authorization": f"Bearer {key}"}

    def put(self, doc: str, body: str | bytes | dict, kind: str = "text/markdown", **params) -> requests.Response:
        if isinstance(body, dict):
            body, kind = json.dumps(body), "application/json"
        data = body.encode() if isinstance(body, str) else body
        headers = self.headers | {"content-type": kind}
        return requests.put(f"{self.url}/{doc}", data=data, headers=headers, params=params, timeout=30)

    def get(self, doc: str = "", **params) -> requests.Response:
        address = f"{self.url}/{doc}" if doc else self.url
        return requests.get(address, params=params, headers=self.headers, timeout=30)

    def search(self, query: str, **params) -> list[dict]:
        response = self.get(q=query, **params)
        assert response.status_code == 200, response.text
        return response.json()["data"]

    def delete(self, doc: str) -> requests.Response:
        return requests.delete(f"{self.url}/{doc}", headers=self.headers, timeout=30)


@pytest.fixture(params=["embedded", "postgres"])
def place(request, tmp_path):
    """An installation of each kind of durable store."""
    if request.param == "embedded":
        installation = request.getfixturevalue("installation")
        yield installation
        return
    redis = request.getfixturevalue("redis_server")
    postgres = request.getfixturevalue("shared_postgres")
    installation = Installation(tmp_path / "shared", redis=redis.url, postgres=postgres.database())
    installation.serve()
    yield installation
    installation.stop()


@pytest.fixture
def knowledge(place, server, make_tenant):
    tenant = make_tenant(place)
    return Knowledge(place.servers[0], tenant.key)


def refused(response: requests.Response, status: int, code: str, param: str | None = None) -> None:
    assert response.status_code == status, response.text
    error = response.json()["error"]
    assert error["code"] == code and error["message"] and response.headers["x-request-id"]
    assert param is None or error["param"] == param


def test_a_document_is_put_found_listed_and_deleted(knowledge):
    made = knowledge.put("docs%2Frefund.md", {"title": "Refund policy", "text": POLICY})
    assert made.status_code == 201, made.text
    entry = made.json()
    assert entry["doc"] == "docs/refund.md" and entry["outcome"] == "created" and entry["bytes"] == len(POLICY)
    again = knowledge.put("docs%2Frefund.md", {"title": "Refund policy", "text": POLICY})
    assert again.status_code == 200 and again.json()["outcome"] == "unchanged"
    hit = knowledge.search("late parcel refund")[0]
    assert hit["doc"] == "docs/refund.md" and hit["title"] == "Refund policy" and "comes late" in hit["text"]
    assert hit["position"] == 1 and hit["score"] == 1000
    assert knowledge.get("docs%2Frefund.md").json()["text"] == POLICY
    changed = knowledge.put("docs%2Frefund.md", "No refund at all: Größe zählt.", "text/plain; charset=utf-8")
    assert changed.status_code == 200 and changed.json()["outcome"] == "replaced" and changed.json()["title"] == ""
    assert knowledge.search("parcel") == [] and len(knowledge.search("GROSSE refund")) == 1
    for number in range(3):
        assert knowledge.put(f"n{number}", f"note {number}").status_code == 201
    first = knowledge.get(limit=3).json()
    assert [entry["doc"] for entry in first["data"]] == ["docs/refund.md", "n0", "n1"]
    rest = knowledge.get(limit=3, cursor=first["cursor"]).json()
    assert [entry["doc"] for entry in rest["data"]] == ["n2"] and rest["cursor"] is None
    assert knowledge.delete("docs%2Frefund.md").status_code == 204
    refused(knowledge.delete("docs%2Frefund.md"), 404, "not_found")
    refused(knowledge.get("docs%2Frefund.md"), 404, "not_found")
    assert knowledge.search("refund") == []


def test_a_project_sees_its_own_documents_only(place, knowledge, make_tenant):
    other = make_tenant(place)
    theirs = Knowledge(place.servers[0], other.key)
    sibling = Knowledge(place.servers[0], place.key(other.org, "app", "ada")["key"])
    colleague = Knowledge(place.servers[0], place.key(other.org, "web", "bob")["key"])
    assert knowledge.put("a", "our word").status_code == 201 and theirs.put("a", "their word").status_code == 201
    assert [hit["text"] for hit in knowledge.search("word")] == ["our word"]
    assert [hit["text"] for hit in theirs.search("word")] == ["their word"] == [hit["text"] for hit in colleague.search("word")]
    assert sibling.search("word") == [] and sibling.get().json()["data"] == []
    refused(sibling.get("a"), 404, "not_found")
    refused(sibling.delete("a"), 404, "not_found")
    refused(knowledge.get(q="word", tenant=other.org), 403, "tenant_mismatch")
    refused(knowledge.put("a", {"text": "x", "tenant": other.org}), 403, "tenant_mismatch")
    assert knowledge.get("a").json()["text"] == "our word"


@pytest.mark.parametrize("doc", ["%2Fa", ".a", "a%20b", "%C3%A9", "a%0A", "a%00", "a%252Fb", "x" * 201])
def test_a_name_that_is_no_id_is_refused(knowledge, doc):
    for response in (knowledge.put(doc, "x"), knowledge.get(doc), knowledge.delete(doc)):
        refused(response, 400, "invalid_request_error", "doc")


def test_a_body_that_is_no_document_is_refused(knowledge):
    refused(knowledge.put("a", b"", "text/plain"), 400, "invalid_request_error", "text")
    refused(knowledge.put("a", b"\xff\xfe", "text/plain"), 400, "invalid_request_error", "text")
    refused(knowledge.put("a", b"%PDF\x00", "text/plain"), 400, "invalid_request_error", "text")
    refused(knowledge.put("a", b"%PDF", "application/pdf"), 415, "unsupported_media_type")
    refused(knowledge.put("a", "a", "text/plain; charset=latin1"), 415, "unsupported_media_type")
    refused(knowledge.put("a", b"{", "application/json"), 400, "invalid_request_error")
    refused(knowledge.put("a", {"title": "no text"}), 400, "invalid_request_error", "text")
    refused(knowledge.put("a", {"text": 1}), 400, "invalid_request_error", "text")
    refused(knowledge.put("a", {"text": "x", "title": "a\nb"}), 400, "invalid_request_error", "title")
    refused(knowledge.put("a", {"text": "x", "user": "eve"}), 400, "invalid_request_error", "user")
    refused(knowledge.put("a", {"text": "x" * (MIB + 1)}), 413, "request_too_large", "text")
    refused(knowledge.put("a", "x" * (MIB + 1)), 413, "request_too_large", "text")
    assert knowledge.get().json() == {"data": [], "cursor": None}
    assert knowledge.put("a", "x" * MIB).status_code == 201


def test_a_query_is_words_and_never_syntax(knowledge):
    assert knowledge.put("a", 'plain words about C++ & "quotes"').status_code == 201
    for query in ('"', "words*", "title:words", "NEAR(words)", "words AND", "'; --", "words & | !", "%", "\\", "\x00", "a" * 1024):
        assert len(knowledge.search(query)) <= 1
    assert len(knowledge.search("plain+words")) == 1 and knowledge.search("") == [] and knowledge.search("!!") == []
    refused(knowledge.get(q="a" * 1025), 400, "invalid_request_error", "q")
    for limit in ("0", "21", "-1", "x", "9" * 30):
        refused(knowledge.get(q="words", limit=limit), 400, "invalid_request_error", "limit")
    refused(knowledge.get(limit="201"), 400, "invalid_request_error", "limit")
    refused(knowledge.get(cursor="no id"), 400, "invalid_request_error")


def test_without_a_key_there_is_nothing(server):
    for method in ("get", "put", "delete"):
        refused(getattr(requests, method)(server.url + "/v1/knowledge/a", timeout=10), 401, "invalid_api_key")
    refused(requests.get(server.url + "/v1/knowledge?q=a", timeout=10), 401, "invalid_api_key")


def test_documents_are_there_after_a_restart(tmp_path):
    installation = Installation(tmp_path / "again")
    try:
        server = installation.serve()
        knowledge = Knowledge(server, installation.key("acme")["key"])
        assert knowledge.put("a", POLICY).status_code == 201
        server.kill()
        installation.restart(server)
        assert knowledge.search("parcel")[0]["doc"] == "a" and knowledge.get("a").json()["text"] == POLICY
    finally:
        installation.stop()


def test_a_store_that_is_away_is_503(postgres_server, redis_server, tmp_path):
    installation = Installation(tmp_path / "away", redis=redis_server.url, postgres=postgres_server.database())
    try:
        server = installation.serve()
        knowledge = Knowledge(server, installation.key("acme")["key"])
        assert knowledge.put("a", POLICY).status_code == 201
        postgres_server.crash()
        # Keys are in the same store: whichever is asked first says so.
        response = knowledge.get(q="parcel")
        assert response.status_code == 503 and response.headers["retry-after"]
    finally:
        installation.stop()
