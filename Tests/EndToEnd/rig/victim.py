"""An organisation full of secrets, everybody who should not read them, and the server that has them all.

Each secret is a text that occurs nowhere else, so a single byte string in an answer says what leaked and of whom.
"""

import json
import pathlib
import secrets
import threading
import time
from dataclasses import dataclass, field

import jwt
import requests
import socketio
import yaml

from .examples import bearer
from .realtime import Client
from .server import ROOT, Installation
from .tools import DEMO, call
from .waiting import wait_until
from .witness import Plan, Witness

TOKENS = "the tests of tenants share these bytes with nobody else"
VICTIM, OTHER, NOBODY = "victimorg", "otherorg", "nobodyorg"
POLICIES = """
@id("others")
permit (principal, action, resource) unless { action == Action::"payments.refund" };

@id("refund")
@approval("group:finance timeout:30m")
permit (principal, action == Action::"payments.refund", resource);
"""


def secret(kind: str) -> str:
    return f"SECRET{kind}{secrets.token_hex(6).translate(str.maketrans('0123456789', 'ghijklmnop'))}"


@dataclass(frozen=True)
class Thing:
    """Something of the victim's by its name, and the name of something of that kind that never was."""

    name: str
    absent: str
    #: Attackers to whom it is nothing foreign.
    shared_with: frozenset[str] = frozenset()


@dataclass
class Attacker:
    name: str
    token: str
    org: str
    project: str = "web"
    is_admin: bool = False
    session: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        self.session.headers.update(bearer(self.token))


class World:
    """The server, the victim's things by kind (`things`), and the secrets by what may read them (`secrets`)."""

    def __init__(self, folder: pathlib.Path, witness: Witness):
        self.witness = witness
        self.things: dict[str, list[Thing]] = {}
        #: Each secret with the attackers who may read it.
        self.secrets: dict[str, frozenset[str]] = {}
        folder.mkdir(parents=True, exist_ok=True)
        self.installation = self._installation(folder)
        self.server = self.installation.serve()
        self.url = self.server.url
        self._people()
        self.watchers = {one.name: Watcher(self.url, one) for one in self.attackers}
        self._budgets()
        self._activity()

    def _installation(self, folder: pathlib.Path) -> Installation:
        tools = yaml.safe_load(pathlib.Path(DEMO).read_text())
        tools["tools"] = [tool for tool in tools["tools"] if tool["name"] != "run_code"]
        (folder / "tools.yaml").write_text(yaml.safe_dump(tools))
        policies = folder / "policies"
        policies.mkdir()
        (policies / "all.cedar").write_text(POLICIES)
        return Installation(
            folder / "installation",
            upstream=self.witness.url,
            # A run goes on, and a call waits for people, until the end.
            server={"web_client": str(ROOT / "web-client"), "grace": "1s"},
            tools={"file": str(folder / "tools.yaml")},
            policies={"directory": str(policies)},
            auth={"jwt": {"secret": TOKENS}},
            budgets=[{"scope": f"org:{VICTIM}", "unit": "tokens", "window": "month", "limit": "987654323"}],
        )

    def _people(self) -> None:
        def key(org: str, project: str, user: str, *roles: str) -> str:
            return self.installation.key(org, project, user, *(part for role in roles for part in ("--role", role)))["key"]

        self.boss = key(VICTIM, "web", "boss", "admin")
        self.fred = key(VICTIM, "web", "fred", "finance")
        self.root = key("operators", "web", "root", "operator")
        robot = self.installation.json("keys", "create", "--org", VICTIM, "--project", "web")
        alias, note = secret("Alias"), secret("Metadata")
        made = self._post(
            "/key/generate", self.boss, {"user_id": "vera", "key_alias": alias, "metadata": {"note": note}, "max_budget": 21.125}
        )
        self.vera, self.robot = made["key"], robot["key"]
        for text in (alias, note, self.vera, self.robot):
            self.hide(text)
        self.add("key", made["token"], "key_" + "A" * 16)
        self.add("key", robot["id"], "key_" + "B" * 16)
        self.add("secret", self.vera, "kd-" + "A" * 43)
        self.attackers = [
            # The same names in another organisation: nothing but the organisation tells them apart.
            Attacker("stranger", key(OTHER, "web", "vera"), OTHER),
            Attacker("admin of another organisation", key(OTHER, "web", "boss", "admin", "finance"), OTHER, is_admin=True),
            Attacker("token of another organisation", self.token(OTHER), OTHER, is_admin=True),
            Attacker("another project", key(VICTIM, "lab", "vera"), VICTIM, "lab"),
            Attacker("another user", key(VICTIM, "web", "uma"), VICTIM),
            Attacker("a key of no user", self.installation.json("keys", "create", "--org", VICTIM, "--project", "web")["key"], VICTIM),
        ]
        self.in_org = frozenset(one.name for one in self.attackers if one.org == VICTIM)
        self.in_project = frozenset(one.name for one in self.attackers if one.org == VICTIM and one.project == "web")
        self.add("org", VICTIM, NOBODY, self.in_org)
        self.add("project", "web", "nowhere", self.in_project)
        self.add("user", "vera", "nora")
        for scope, absent in (
            (f"org:{VICTIM}", f"org:{NOBODY}"),
            (f"project:{VICTIM}/web", f"project:{VICTIM}/nowhere"),
            (f"user:{VICTIM}/web/vera", f"user:{VICTIM}/web/nora"),
            (f"key:{made['token']}", "key:key_" + "A" * 16),
        ):
            self.add("scope", scope, absent)

    @staticmethod
    def token(org: str, seconds: int = 3_000, user: str = "vera") -> str:
        """A token of an administrator."""
        now = int(time.time())
        claims = {"sub": user, "org": org, "project": "web", "roles": ["admin", "finance"], "iat": now - 600, "exp": now + seconds}
        return jwt.encode(claims, TOKENS, "HS256")

    def _budgets(self) -> None:
        """Figures that nobody would think of."""
        self.hide("987654323", self.in_org)
        key = self.things["key"][0].name
        for scope, limit, readers in (
            (f"org:{VICTIM}", "54321.120456781", self.in_org),
            (f"project:{VICTIM}/web", "4321.120456782", self.in_project),
            (f"user:{VICTIM}/web/vera", "321.120456783", frozenset()),
            (f"key:{key}", "21.120456784", frozenset()),
        ):
            self.installation.budget(scope, limit, window="month")
            self.hide(limit, readers)
            self.hide(limit.replace(".", ""), readers)

    def _activity(self) -> None:
        """Everything that a tenant does: answers, documents, tools, approvals, kills, cuts, failures."""
        title, text = secret("Title"), secret("Document")
        body = {"title": title, "text": f"All about {text} and refunds."}
        answer = requests.put(self.url + "/v1/knowledge/plan", json=body, headers=bearer(self.vera), timeout=10)
        assert answer.status_code == 201, answer.text
        self.add("doc", "plan", "plot", self.in_project)
        self.hide(title, self.in_project)
        self.hide(text, self.in_project)
        self.add("stream", "tab-of-vera", "tab-of-nobody")

        self.client = Client(self.url, self.vera)
        self.console = Watcher(self.url, Attacker("boss", self.boss, VICTIM, is_admin=True))
        first = self._run(self.vera, Plan(id=secret("Plan"), noise=secret("Prompt"), says=secret("Answer")))
        self.add("conversation", first["conversation_id"], "talk-of-nobody")
        self.add("turn", first["turn_id"], "turn-of-nobody")
        second = self._run(self.robot, Plan(id=secret("Plan"), noise=secret("Prompt"), says=secret("Answer")), over_socket=False)
        self.add("conversation", second["conversation_id"], "another-of-nobody")
        # Those whose names attackers give to talks of their own.
        for key, over_socket in ((self.vera, True), (self.robot, False)):
            talk = self._run(key, Plan(id=secret("Plan"), noise=secret("Prompt"), says=secret("Answer")), over_socket=over_socket)
            self.add("talk", talk["conversation_id"], f"talk-of-nobody-{over_socket}")
        kept, argument = secret("Memory"), secret("Argument")
        tools = [
            call("memory.set", key="plan", value=kept),
            call("crm.lookup", customer=argument),
            call("knowledge.search", query="refunds"),
        ]
        self._run(self.vera, "\n".join([*tools, "@then", "@tokens 3"]), kept, argument)
        self._run(self.vera, "@tokens 9\n@fail after 3")
        self._publish()
        capped = self._post("/key/generate", self.boss, {"user_id": "vera", "max_budget": 0.000987653})
        self.hide("0.000987653")
        self.add("key", capped["token"], "key_" + "C" * 16)
        cut = Client(self.url, capped["key"])
        run = cut.call("chat_message", {"text": f"{secret('Prompt')}\n@tokens 5000\n@rate 0", "model": "demo"})["run_id"]
        assert cut.finish(run)[-1]["type"] == "chat.cut"
        self.cut_names = {name for name, _, _ in cut.received}
        cut.close()
        self.add("run", run, "run_" + "C" * 24)

        self.denied = self._ask_for_refund()
        reason = secret("Reason")
        self.hide(reason)
        self._post(f"/api/approvals/{self.denied}", self.fred, {"decision": "deny", "reason": reason})
        self.pending = self._ask_for_refund()
        killed = self._start(self.vera, "@tokens 5000\n@rate 20")
        reason = secret("Killed")
        self.hide(reason)
        self._post(f"/api/admin/streams/{killed['run_id']}/kill", self.boss, {"reason": reason})
        live = secret("Prompt")
        self.hide(live)
        told = self._start(self.vera, f"{live}\n@tokens 100000\n@rate 20")
        self.live = told["run_id"]
        self.add("busy", told["conversation_id"], "busy-of-nobody")
        self._decisions()
        self.client.call("conv_status.get", {"conversation_id": first["conversation_id"]})
        self.client.call("ping", {})
        # Twice, so that it has been told of changes, too.
        told = {"approvals", "decisions", "streams", "windows", "now"}
        wait_until("the console is told", lambda: told <= {name for _, name, _ in self.console.everything()})

    def _publish(self) -> None:
        """A change by whoever runs the server, with a reason, and a key that was made once only."""
        policies = requests.get(self.url + "/api/admin/policies", headers=bearer(self.root), timeout=10).json()
        reason = secret("Publishing")
        self.hide(reason)
        files = [{"name": one["name"], "text": one["text"] + "\n"} for one in policies["files"]]
        body = {"files": files, "base": policies["version"], "reason": reason}
        answer = requests.put(self.url + "/api/admin/policies", json=body, headers=bearer(self.root), timeout=10)
        assert answer.status_code == 200, answer.text
        self.add("idempotency", "once", "never")
        body = {"project": "web", "alias": "mine"}
        answer = requests.post(self.url + "/api/admin/keys", json=body, headers=bearer(self.boss) | {"idempotency-key": "once"}, timeout=10)
        assert answer.status_code == 201, answer.text
        self.hide(answer.json()["id"])

    def _decisions(self) -> None:
        def look() -> list[dict]:
            answer = requests.get(self.url + "/api/admin/decisions?kind=call", headers=bearer(self.boss), timeout=10)
            return answer.json()["data"]

        wait_until("decisions are written", lambda: len(look()) >= 4)
        for number, one in enumerate(look()):
            self.add("decision", one["id"], f"dec_{number:020}")
            self.add("digest", one["arguments_digest"], f"{number:064}")

    def _ask_for_refund(self) -> str:
        argument = secret("Order")
        self.hide(argument)
        run = self._start(self.vera, f"{call('payments.refund', order_id=argument, amount='20.00')}\n@then\n@tokens 3")["run_id"]
        approval = self.client.wait("chat_approval", run)["approval"]["id"]
        self.add("approval", approval, "apr_" + "A" * 20)
        return approval

    def _start(self, key: str, text: str) -> dict:
        """A run of vera's, over her socket."""
        told = self.client.call("chat_message", {"text": text, "model": "demo"})
        assert told["ok"], told
        self._note(told)
        return told

    def _run(self, key: str, what: Plan | str, *texts: str, over_socket: bool = True) -> dict:
        """A whole run. Its secrets are those of the plan, or `texts`."""
        if isinstance(what, Plan):
            body = {"text": what.prompt(), "model": "witness"}
            texts = (what.noise, what.says, what.id)
        else:
            body = {"text": what, "model": "demo"}
        for text in texts:
            self.hide(text)
        if over_socket:
            told = self.client.call("chat_message", body)
            assert told["ok"], told
            self.client.finish(told["run_id"])
        else:
            told = self._post("/v1/runs", key, body)
            state = f"{self.url}/v1/runs/{told['run_id']}"
            wait_until("it ends", lambda: requests.get(state, headers=bearer(key), timeout=10).json()["state"] != "running")
        self._note(told)
        return told

    def _note(self, told: dict) -> None:
        self.add("run", told["run_id"], "run_" + "A" * 24)
        self.add("response", told["run_id"].replace("run_", "resp_"), "resp_" + "A" * 24)

    def _post(self, path: str, key: str, body: dict) -> dict:
        answer = requests.post(self.url + path, json=body, headers=bearer(key), timeout=10)
        assert answer.status_code in (200, 201, 202), f"{path}: {answer.status_code}: {answer.text}"
        return answer.json()

    def add(self, kind: str, name: str, absent: str, shared_with: frozenset[str] = frozenset()) -> None:
        self.things.setdefault(kind, []).append(Thing(name, absent, shared_with))
        if kind in ("key", "run", "conversation", "decision", "approval"):
            self.hide(name)

    def hide(self, text: str, readers: frozenset[str] = frozenset()) -> None:
        self.secrets[text] = readers

    # MARK: What is looked for

    def leaks(self, answer: str | bytes, attacker: Attacker, asked: str = "") -> list[str]:
        """The secrets in an answer that the attacker may not read, but for those that the question named."""
        text = answer if isinstance(answer, str) else answer.decode(errors="replace")
        return [one for one, readers in self.secrets.items() if one in text and attacker.name not in readers and one not in asked]

    def state(self) -> dict:
        """All that an attack might have changed."""

        def get(path: str, key: str) -> dict:
            return requests.get(self.url + path, headers=bearer(key), timeout=10).json()

        talks = [
            get(f"/v1/conversations/{one.name}", key) for one, key in zip(self.things["conversation"], (self.vera, self.robot), strict=True)
        ]
        keys = [get(f"/key/info?key={one.name}", self.boss)["info"] for one in self.things["key"]]
        return {
            "document": get("/v1/knowledge/plan", self.vera),
            "documents": get("/v1/knowledge", self.vera),
            "conversations": talks,
            "keys": [{name: one[name] for name in ("key_alias", "metadata", "blocked", "max_budget", "models", "expires")} for one in keys],
            "approvals": sorted((one["id"], one["state"]) for one in get("/api/admin/approvals?state=all", self.boss)["data"]),
            "live": get(f"/v1/runs/{self.live}", self.vera)["state"],
            "budgets": self.installation.json("budget", "list", "--scope", f"org:{VICTIM}"),
            "tools": get("/api/admin/tools", self.boss),
            "policies": get("/api/admin/policies", self.boss)["version"],
        }

    def stop(self) -> None:
        for watcher in [*self.watchers.values(), self.console]:
            watcher.close()
        self.client.close()
        self.installation.stop()


class Watcher:
    """An attacker's sockets, on every namespace that lets it in: whatever they are sent is kept."""

    def __init__(self, url: str, attacker: Attacker):
        self.attacker = attacker
        self.received: list[tuple[str, str, str]] = []
        #: What it has told the server by itself, and may be told again.
        self.said = ""
        self._changed = threading.Condition()
        self.sio = socketio.Client(reconnection=False)
        self.namespaces = ["/", "/console"] if attacker.is_admin else ["/"]
        for namespace in self.namespaces:
            self.sio.on("*", handler=lambda name, *data, of=namespace: self._keep(of, name, data), namespace=namespace)
        self.sio.connect(url, auth={"token": attacker.token}, namespaces=self.namespaces, transports=["websocket"], wait_timeout=10)

    def _keep(self, namespace: str, name: str, data: tuple) -> None:
        with self._changed:
            self.received.append((namespace, name, json.dumps(data)))
            self._changed.notify_all()

    def call(self, namespace: str, event: str, argument: dict) -> dict:
        self.said += json.dumps(argument)
        return self.sio.call(event, argument, namespace=namespace, timeout=10)

    def wait(self, name: str, containing: str, seconds: float = 20) -> None:
        with self._changed:
            found = self._changed.wait_for(lambda: any(n == name and containing in text for _, n, text in self.received), seconds)
        assert found, f"{name} with {containing} did not come"

    def everything(self) -> list[tuple[str, str, str]]:
        with self._changed:
            return list(self.received)

    def close(self) -> None:
        self.sio.disconnect()
