"""Every way into the server, one row each, and how an attacker tries to reach the victim's things through it.

An address of the OpenAPI document without a row here, or a row without an address, fails `test_tenancy.py`; so does an event of
Socket.IO. `{run}`, `{key}`, … in a path, a query, a header or a body stand for the names of things: those of the victim, and names of
what never was. Both questions have to get the same answer.
"""

import itertools
import json
import re
from dataclasses import dataclass, field
from typing import Any

import requests

from .victim import Attacker, World

REFUSED = frozenset({403, 404})
#: An answer about the caller's own things.
OWN = frozenset({200, 201, 202, 204}) | REFUSED
_REQUEST_ID = re.compile(r'"request_id":"[0-9a-f]+"')
_PLACE = re.compile(r"{(\w+)}")
#: Placeholders of an address that name nothing of a tenant's.
_SERVERS = {"model": "demo", "version": "0" * 16, "name": "crm.lookup", "id": "demo"}


@dataclass(frozen=True)
class Ask:
    """One question with the names of things left open."""

    query: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    #: What may be answered; a refusal, unless the question is about the caller's own things.
    allowed: frozenset[int] = REFUSED
    #: Whether the answer to a name of nothing has to be the same. Not where the answer is about new things of the caller.
    compares: bool = True
    #: Names of kinds in the path, where the address calls them otherwise.
    path: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Address:
    method: str
    path: str
    asks: tuple[Ask, ...] = (Ask(),)
    needs_credential: bool = True

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"


def own(**fields: Any) -> Ask:
    return Ask(allowed=OWN, compares=False, **fields)


def finds(**query: str) -> Ask:
    """A filter: an attacker may ask, and finds as little as of what never was."""
    return Ask(query=query, allowed=frozenset({200}) | REFUSED)


def address(method: str, path: str, *asks: Ask, open: bool = False) -> Address:
    return Address(method, path, asks or (Ask(),), needs_credential=not open)


TEXT = {"text": "hi\n@tokens 2\n@rate 0", "model": "demo"}
_COMPLETION = {"model": "demo", "messages": [{"role": "user", "content": "hi\n@tokens 2\n@rate 0"}]}
_RESPONSE = {"model": "demo", "input": "hi\n@tokens 2\n@rate 0"}
_MESSAGES = _COMPLETION | {"max_tokens": 100}
_NO_CALLS = {"name": "all.cedar", "text": '@id("none") forbid (principal, action, resource);'}
_HINTS = ({"tenant": "{org}"}, {"tenant": "{org}", "project": "{org}/web"})


def _starts(body: dict, **more: Any) -> tuple[Ask, ...]:
    """Ways in that start a run: of the caller, whatever it names; and not at all in another tenant's name."""
    return (own(body=body, **more), *(Ask(body=body | hint, **more) for hint in _HINTS))


ADDRESSES = (
    address("GET", "/healthz", own(), open=True),
    address("GET", "/readyz", own(), open=True),
    address("GET", "/metrics", own(), open=True),
    address("GET", "/", own(), open=True),
    address("GET", "/console", Ask(allowed=frozenset({308})), open=True),
    address("GET", "/console/**", own(), open=True),
    address("GET", "/socket.io/socket.io.js", own(), open=True),
    address("GET", "/**", own(), open=True),
    # Who knows the id of a session is in it; they are random, and no answer has another's.
    address("GET", "/socket.io/", own(query={"EIO": "4", "transport": "polling"}), open=True),
    address("GET", "/openapi.json", own(), open=True),
    address("GET", "/api/admin/openapi.json", own(), open=True),
    # Runs
    address(
        "POST",
        "/v1/runs",
        *_starts(TEXT),
        own(body=TEXT | {"conversation_id": "{talk}"}),
        own(body=TEXT | {"turn_id": "{turn}"}),
    ),
    address("GET", "/v1/runs/{run}"),
    address("GET", "/v1/runs/{run}/events", Ask(), Ask(query={"after": "0"}), Ask(headers={"last-event-id": "{run}:0"})),
    address("POST", "/v1/runs/{run}/cancel"),
    address("GET", "/v1/runs/{run}/why"),
    address("POST", "/v1/chat/completions", *_starts(_COMPLETION)),
    address(
        "POST", "/v1/responses", *_starts(_RESPONSE), Ask(body=_RESPONSE | {"previous_response_id": "{response}"}, allowed=frozenset({400}))
    ),
    address("GET", "/v1/responses/{response}"),
    address("POST", "/v1/responses/{response}/cancel"),
    address("POST", "/v1/messages", *_starts(_MESSAGES)),
    address("POST", "/v1/messages/count_tokens", *_starts(_MESSAGES)),
    # The caller's own
    address("GET", "/v1/models", own(query={"tenant": ""})),
    address("GET", "/v1/models/{id}", own()),
    address("GET", "/v1/quota", own(), own(query={"scope": "{scope}"})),
    address("GET", "/v1/conversations", own(), own(query={"user": "{user}"})),
    address("GET", "/v1/conversations/{id}", Ask(path={"id": "conversation"})),
    address("DELETE", "/v1/conversations/{id}", Ask(path={"id": "conversation"})),
    address("GET", "/v1/knowledge", own(), own(query={"q": "refunds"}), own(query={"cursor": "a"})),
    address("GET", "/v1/knowledge/{doc}"),
    address("PUT", "/v1/knowledge/{doc}", *(Ask(body={"text": "Overwritten."} | hint) for hint in _HINTS)),
    address("DELETE", "/v1/knowledge/{doc}"),
    # The two-call form; its streams are in test_tenancy.py.
    address("GET", "/sse/stream"),
    address("POST", "/sse/chat", Ask(query={"stream_id": "{stream}"}, body=TEXT, allowed=frozenset({409}))),
    # LiteLLM's
    address(
        "POST",
        "/key/generate",
        Ask(body={"organization_id": "{org}"}),
        Ask(body={"organization_id": "{org}", "team_id": "web", "user_id": "vera"}),
    ),
    address("GET", "/key/info", Ask(query={"key": "{key}"}), own()),
    address("POST", "/key/update", Ask(body={"key": "{key}", "max_budget": 1}), Ask(body={"key": "{key}", "blocked": True})),
    address("POST", "/key/delete", Ask(body={"keys": ["{key}"]})),
    address("POST", "/key/block", Ask(body={"key": "{key}"})),
    address("POST", "/key/unblock", Ask(body={"key": "{key}"})),
    address(
        "GET",
        "/spend/logs",
        Ask(query={"api_key": "{key}"}),
        Ask(query={"api_key": "{key}", "summarize": "false"}),
        finds(request_id="{run}"),
        own(query={"user_id": "{user}"}),
        own(query={"summarize": "false"}),
    ),
    address("GET", "/global/spend", own()),
    # Approvals
    address("GET", "/api/approvals", own(), own(query={"state": "all"}), own(query={"org": "{org}"})),
    address(
        "POST",
        "/api/approvals/{id}",
        Ask(path={"id": "approval"}, body={"decision": "approve", "reason": "x"}),
        Ask(path={"id": "approval"}, body={"decision": "deny", "reason": "x"}),
    ),
    # The administration: who is who
    address("GET", "/api/admin/orgs", own(), Ask(query={"org": "{org}"}), Ask(query={"org": "*"})),
    address("GET", "/api/admin/orgs/{org}"),
    address("PUT", "/api/admin/orgs/{org}", Ask(body={"name": "Mine"})),
    address("GET", "/api/admin/projects", own(), Ask(query={"org": "{org}"})),
    address("GET", "/api/admin/projects/{org}/{project}"),
    address("PUT", "/api/admin/projects/{org}/{project}", Ask(body={"name": "Mine"})),
    address("GET", "/api/admin/users", own(), Ask(query={"org": "{org}"}), Ask(query={"org": "{org}", "project": "{project}"})),
    address("GET", "/api/admin/users/{org}/{project}/{user}"),
    address("PUT", "/api/admin/users/{org}/{project}/{user}", Ask(body={"name": "Mine"})),
    # Keys, budgets, usage
    address(
        "GET",
        "/api/admin/keys",
        own(),
        own(query={"state": "all"}),
        Ask(query={"org": "{org}"}),
        own(query={"project": "web", "user": "vera"}),
    ),
    address(
        "POST",
        "/api/admin/keys",
        Ask(body={"org": "{org}", "project": "web"}),
        Ask(body={"org": "{org}", "project": "web", "user": "vera", "roles": ["admin"]}),
        own(body={"project": "web", "alias": "mine"}, headers={"idempotency-key": "{idempotency}"}),
    ),
    address("GET", "/api/admin/keys/{id}", Ask(path={"id": "key"})),
    address(
        "PATCH",
        "/api/admin/keys/{id}",
        Ask(path={"id": "key"}, body={"blocked": True}),
        Ask(path={"id": "key"}, body={"alias": "mine", "metadata": {"note": "mine"}}),
    ),
    address("DELETE", "/api/admin/keys/{id}", Ask(path={"id": "key"})),
    address("POST", "/api/admin/keys/{id}/rotate", Ask(path={"id": "key"}, body={}), Ask(path={"id": "key"}, body={"grace_seconds": 60})),
    address("GET", "/api/admin/budgets", own(), Ask(query={"scope": "{scope}"}), Ask(query={"org": "{org}"})),
    address("PUT", "/api/admin/budgets", Ask(body={"scope": "{scope}", "unit": "usd", "window": "month", "limit": "0"})),
    address("DELETE", "/api/admin/budgets", Ask(query={"scope": "{scope}", "unit": "usd", "window": "month"})),
    address("POST", "/api/admin/budgets/preview", Ask(body={"scope": "{scope}", "unit": "usd", "window": "month", "limit": "0"})),
    address(
        "GET",
        "/api/admin/usage",
        own(),
        own(query={"by": "key"}),
        own(query={"by": "model", "format": "csv"}),
        Ask(query={"scope": "{scope}"}),
        Ask(query={"org": "{org}", "by": "user"}),
        Ask(query={"org": "*"}),
    ),
    # What happens and what was decided
    address("GET", "/api/admin/approvals", own(), Ask(query={"org": "{org}"}), finds(run="{run}", state="all"), finds(digest="{digest}")),
    address(
        "GET",
        "/api/admin/ledger",
        own(),
        Ask(query={"scope": "{scope}"}),
        Ask(query={"scope": "{scope}", "format": "csv"}),
        finds(run="{run}"),
        own(query={"format": "jsonl"}),
    ),
    address("GET", "/api/admin/streams", own(), Ask(query={"org": "{org}"}), Ask(query={"org": "*"})),
    address("POST", "/api/admin/streams/{run}/kill", Ask(), Ask(body={"reason": "x"})),
    address("GET", "/api/admin/now", own(), Ask(query={"org": "{org}"}), Ask(query={"org": "*"})),
    address("GET", "/api/admin/runs/{run}"),
    address(
        "GET",
        "/api/admin/decisions",
        own(),
        Ask(query={"org": "{org}"}),
        # Where what belongs to the server is written down.
        Ask(query={"org": "-"}),
        finds(run="{run}"),
        finds(conversation="{conversation}"),
        own(query={"user": "{user}"}),
    ),
    address("GET", "/api/admin/decisions/{id}", Ask(path={"id": "decision"}), Ask(path={"id": "decision"}, query={"org": "{org}"})),
    address("GET", "/api/admin/audit", own(), Ask(query={"org": "{org}"}), Ask(query={"org": "-"})),
    address("POST", "/api/admin/audit/verify", own(body={}), Ask(body={"org": "{org}"}), Ask(body={"org": "-"})),
    address("GET", "/api/admin/audit/export", own(), Ask(query={"org": "{org}"}), Ask(query={"org": "-"})),
    # The server's own
    address("GET", "/api/admin/prices", own()),
    address("GET", "/api/admin/prices/{model}", own()),
    address("POST", "/api/admin/prices/reload", own()),
    address("GET", "/api/admin/tools", own()),
    address("GET", "/api/admin/tools/{name}"),
    address("PUT", "/api/admin/tools", Ask(body={"text": "tools: []\n", "base": "0" * 64, "reason": "x"})),
    address("POST", "/api/admin/tools/check", Ask(body={"text": "tools: []\n"})),
    address("POST", "/api/admin/tools/rollback", Ask(body={"version": "0" * 64, "reason": "x"})),
    address("POST", "/api/admin/tools/{name}", Ask(body={"disabled": True, "reason": "x"})),
    address("GET", "/api/admin/isolation", own()),
    address("GET", "/api/admin/health", own()),
    address("GET", "/api/admin/config", own()),
    address("POST", "/api/admin/drain", Ask(), Ask(body={"node": "node-of-nobody"})),
    address("GET", "/api/admin/log-level"),
    address("PUT", "/api/admin/log-level", Ask(body={"level": "trace"})),
    address("GET", "/api/admin/policies", own()),
    address("GET", "/api/admin/policies/{version}"),
    address("PUT", "/api/admin/policies", Ask(body={"files": [_NO_CALLS], "base": "0" * 64, "reason": "x"})),
    address("POST", "/api/admin/policies/check", own(body={"files": [_NO_CALLS]})),
    address("POST", "/api/admin/policies/dry-run", own(body={"files": [_NO_CALLS], "since": 0})),
    address("POST", "/api/admin/policies/rollback", Ask(body={"version": "0" * 64, "reason": "x"})),
)


@dataclass(frozen=True)
class Event:
    """An event from a client. The acknowledgement of a refusal has `ok: false` and one of these codes."""

    namespace: str
    name: str
    arguments: tuple[dict, ...]
    codes: frozenset[str] = frozenset()
    compares: bool = True


EVENTS = (
    Event(
        "/",
        "chat_message",
        tuple(TEXT | more for more in ({}, {"conversation_id": "{talk}"}, {"turn_id": "{turn}"}, *_HINTS)),
        frozenset({"tenant_mismatch"}),
        compares=False,
    ),
    Event("/", "chat_resume", ({"run_id": "{run}", "after_seq": 0}, {"run_id": "{run}"}), frozenset({"run_not_found"})),
    Event("/", "chat_cancel", ({"run_id": "{run}"},), frozenset({"run_not_found"})),
    Event("/", "conv_status.get", ({"conversation_id": "{busy}"}, {"conversation_id": "{conversation}"})),
    Event(
        "/",
        "approval_decide",
        tuple({"approval_id": "{approval}", "decision": decision, "reason": "x"} for decision in ("approve", "deny")),
        frozenset({"approval_unknown"}),
    ),
    # Whoever holds a valid secret is told that it is another tenant's.
    Event("/", "auth_refresh", ({"token": "{secret}"},), frozenset({"tenant_mismatch", "invalid_api_key"}), compares=False),
    Event("/", "ping", ({},)),
)

#: What is pushed, and by what the victim is brought to get it; an attacker's sockets are open all the while.
PUSHES = {
    "/": {
        "session_info": "a connection",
        "conv_status": "conv_status.get",
        "pong": "ping",
        "chat_start": "a run",
        "chat_step": "a call of a tool",
        "chat_delta": "a run",
        "chat_usage": "a run",
        "chat_approval": "a call that people have to agree to",
        "chat_cut": "a budget that is spent",
        "chat_complete": "a run",
        "chat_error": "a model that fails",
        "gap": "",  # of a reader's own position; it carries numbers alone
    },
    "/console": {
        "decisions": "a call of a tool",
        "approvals": "a call that people have to agree to",
        "streams": "a run",
        "windows": "a budget",
        "now": "a connection",
    },
}

#: What a handshake may name besides its credential, and the code of the refusal.
HANDSHAKES = (
    ("/", {"tenant": "{org}"}, "tenant_mismatch"),
    ("/", {"project": "{org}/web"}, "tenant_mismatch"),
    ("/console", {"org": "{org}"}, "role_required"),
)


# MARK: Filling in, asking, comparing


def shape(method: str, path: str) -> str:
    """An address without the names of its parameters."""
    return f"{method.upper()} {_PLACE.sub('{}', path).replace('**', '{}')}"


def kinds(*templates: Any) -> list[str]:
    return sorted(set(_PLACE.findall(json.dumps(templates))))


def filled(template: Any, names: dict[str, str]) -> Any:
    return json.loads(_PLACE.sub(lambda place: json.dumps(names[place[1]])[1:-1], json.dumps(template)))


def targets(world: World, wanted: list[str], attacker: Attacker) -> list[tuple[dict[str, str], dict[str, str]]]:
    """Names of the victim's things that are foreign to the attacker, with names of nothing."""
    if not wanted:
        return [({}, {})]
    foreign = [[thing for thing in world.things[kind] if attacker.name not in thing.shared_with] for kind in wanted]
    return [
        (
            {kind: thing.name for kind, thing in zip(wanted, one, strict=True)},
            {kind: thing.absent for kind, thing in zip(wanted, one, strict=True)},
        )
        for one in itertools.product(*foreign)
    ]


def template(address: Address, ask: Ask) -> dict:
    """Path, query, headers and body in one; the path's own names become kinds."""
    path = _PLACE.sub(lambda place: f"{{{ask.path.get(place[1], place[1])}}}", address.path)
    path = _PLACE.sub(lambda place: _SERVERS.get(place[1], place[0]), path)
    return {"path": path, "query": ask.query, "headers": ask.headers, "body": ask.body}


def send(world: World, method: str, what: dict, session: requests.Session) -> requests.Response:
    return session.request(
        method,
        world.url + what["path"],
        params=what["query"],
        headers=what["headers"],
        json=what["body"],
        timeout=20,
        allow_redirects=False,
    )


def shown(answer: requests.Response, asked: dict[str, str], absent: dict[str, str]) -> tuple:
    """An answer as an attacker sees it, with the name that was asked for made that of nothing: status, names of headers, body."""
    text = _REQUEST_ID.sub("", answer.text)
    for kind, name in asked.items():
        text = text.replace(name, absent[kind])
    return answer.status_code, sorted(name.lower() for name in answer.headers), text
