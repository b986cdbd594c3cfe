"""The examples of policies: their files, their people, and what is said in them."""

import pathlib
import re
import shutil
import textwrap
from collections.abc import Callable

import requests
import yaml

from .envelopes import check_run, of_sse
from .server import ROOT, Installation, Server
from .sse import stream

EXAMPLES = ROOT / "Examples"
REFUND = '@tool payments.refund {{"order_id": "{order}", "customer": "{customer}", "amount": "{amount}"}}\n@then\n@tokens 3'
#: The rules that ask for the time of day are the same all day long here.
ALL_DAY = {'duration("8h")': 'duration("0h")', 'duration("18h")': 'duration("24h")'}

NAMES = sorted(path.parent.name for path in EXAMPLES.glob("*/conversation.yaml"))


def conversation(name: str) -> dict:
    return yaml.safe_load((EXAMPLES / name / "conversation.yaml").read_text())


def talks() -> list[tuple[str, str]]:
    """Every talk as (example, its name)."""
    return [(name, talk["name"]) for name in NAMES for talk in conversation(name)["talks"]]


class Example:
    """A server with an example's own tools, policies and budgets. `edit` changes its copy of the policies first."""

    def __init__(self, name: str, folder: pathlib.Path, edit: dict[str, str] | None = None, **sections):
        self.name = name
        self.folder = folder / "example"
        shutil.copytree(EXAMPLES / name, self.folder)
        self.edit_all(edit or {})
        settings = yaml.safe_load((self.folder / "kdcube.yaml").read_text())
        sections = {key: settings[key] for key in ("budgets", "sandbox") if key in settings} | sections
        sections["tools"] = {"file": str(self.folder / "tools.yaml")}
        sections["policies"] = {"directory": str(self.folder / "policies")} | sections.get("policies", {})
        self.installation = Installation(folder / "installation", **sections)
        self._keys: dict[str, str] = {}

    def edit(self, old: str, new: str) -> None:
        """Replaces a text in whichever of the policies and their tests have it; one of them must."""
        found = [path for path in (self.folder / "policies").iterdir() if old in path.read_text()]
        assert found, f"{old!r} is not in the policies of {self.name}"
        for path in found:
            path.write_text(path.read_text().replace(old, new))

    def edit_all(self, edits: dict[str, str]) -> None:
        for old, new in edits.items():
            self.edit(old, new)

    def serve(self) -> Server:
        self.server = self.installation.serve()
        return self.server

    def key(self, user: str, *roles: str, org: str = "acme") -> str:
        """A new key of a user with these roles, or those that the conversation gives them."""
        if not roles:
            roles = tuple(conversation(self.name)["keys"][user]["roles"])
        options = [option for role in roles for option in ("--role", role)]
        return self.installation.key(org, "web", user, *options)["key"]

    def person(self, user: str) -> str:
        """The one key of somebody of the conversation."""
        if user not in self._keys:
            self._keys[user] = self.key(user) if conversation(self.name)["keys"][user]["roles"] else self._plain(user)
        return self._keys[user]

    def _plain(self, user: str) -> str:
        return self.installation.key("acme", "web", user)["key"]

    def decision(self, end: dict) -> dict:
        """The record of the decision about a call."""
        if "" not in self._keys:
            self._keys[""] = self.key("root", "admin")
        url = f"{self.server.url}/api/admin/decisions/{end['decision_id']}"
        answer = requests.get(url, headers=bearer(self._keys[""]), timeout=10)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def facts(self, end: dict) -> dict:
        """The words of a conversation's `calls` for what came of a call. An allow's rule stands in the record alone."""
        record = self.decision(end)
        assert end["decision"] == record["decision"] and end.get("rule", record["rule"]) == record["rule"], (end, record)
        found = {"tool": end["tool"], "decision": record["decision"], "rule": record["rule"]}
        return found | ({"code": end["error"]["code"]} if "error" in end else {})

    def stop(self) -> None:
        self.installation.stop()


def say(
    server: Server, key: str, text: str, talk: str | None = None, on_pending: Callable[[dict], None] = lambda approval: None
) -> list[dict]:
    """One message and its whole run. `on_pending` is told of each approval when it is asked for."""
    started = start(server, key, text, talk)
    return follow(server, key, started["run_id"], on_pending)


def start(server: Server, key: str, text: str, talk: str | None = None) -> dict:
    body = {"text": f"@rate 0\n{text}", "model": "demo"} | ({"conversation_id": talk} if talk else {})
    answer = requests.post(server.url + "/v1/runs", json=body, headers=bearer(key), timeout=10)
    assert answer.status_code == 202, answer.text
    return answer.json()


def follow(server: Server, key: str, run: str, on_pending: Callable[[dict], None] = lambda approval: None) -> list[dict]:
    envelopes: list[dict] = []
    asked: set[str] = set()
    for event in stream(f"{server.url}/v1/runs/{run}/events", key):
        envelopes += of_sse([event])
        approval = envelopes[-1].get("approval")
        if approval and approval["state"] == "pending" and approval["id"] not in asked:
            asked.add(approval["id"])
            on_pending(approval)
    check_run(envelopes)
    return envelopes


def bearer(key: str) -> dict:
    return {"authorization": f"Bearer {key}"}


def decide(server: Server, key: str, approval: str, decision: str, reason: str = "Because.") -> requests.Response:
    body = {"decision": decision, "reason": reason}
    return requests.post(f"{server.url}/api/approvals/{approval}", json=body, headers=bearer(key), timeout=10)


def approvals(server: Server, key: str, **filters: str) -> list[dict]:
    answer = requests.get(f"{server.url}/api/approvals", params=filters, headers=bearer(key), timeout=10)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def news(envelopes: list[dict]) -> list[dict]:
    """What a run was told of its approvals, in order."""
    return [envelope["approval"] for envelope in envelopes if envelope["type"] == "chat.approval"]


def ends(envelopes: list[dict]) -> list[dict]:
    """How each call ended, in the order in which they began; `status` is that of the step."""
    began: dict[str, dict] = {}
    for envelope in envelopes:
        if envelope["type"] != "chat.step" or "call_id" not in envelope.get("data", {}):
            continue
        data, status = envelope["data"], envelope["event"]["status"]
        began.setdefault(data["call_id"], {})
        if status in ("completed", "error", "skipped"):
            began[data["call_id"]] = data | {"status": status}
    return list(began.values())


_BLOCK = re.compile(r"^ *```(\w+)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


def snippets(document: str, *languages: str) -> list[str]:
    """The fenced blocks of a document in these languages."""
    return [text for language, text in _BLOCK.findall(document) if language in languages]


def squeezed(text: str) -> str:
    """A text by its lines, without their indentation and without empty ones."""
    return "\n".join(line.strip() for line in textwrap.dedent(text).splitlines() if line.strip())


def refund(amount: str, customer: str, order: str = "A-1") -> str:
    return REFUND.format(order=order, customer=customer, amount=amount)


def only_end(envelopes: list[dict]) -> dict:
    (end,) = ends(envelopes)
    return end
