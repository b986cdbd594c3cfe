"""An organisation as one would see it in use: people, budgets, a month of spending, a cut, calls of tools, approvals that wait, runs that live."""

import json
import math
import pathlib
import shutil
import sqlite3
import time

import requests

from .server import ROOT, Installation
from .waiting import wait_until

ORG = "acme"
#: Who is where, and with which roles.
PEOPLE = {
    "ana": ("web", []), "ben": ("web", ["finance"]), "li": ("web", []), "mo": ("shop", []), "kim": ("research", []),
    "olga": ("web", ["admin", "finance"]), "ola": ("web", ["operator", "admin"]),
}  # fmt: skip
#: US dollars for a million tokens.
PRICES = {"demo": (1, 10), "gpt-4.1": (2, 8), "claude-sonnet-4": (3, 15)}
BUDGETS = [
    (f"org:{ORG}", "500", "usd", "month"), (f"project:{ORG}/web", "40", "usd", "day"), (f"project:{ORG}/shop", "25", "usd", "day"),
    (f"user:{ORG}/web/ana", "200000", "tokens", "day"), (f"user:{ORG}/web/li", "12", "usd", "day"), (f"user:{ORG}/shop/mo", "0.02", "usd", "day"),
]  # fmt: skip
CALLS = [
    '@tool crm.lookup {"customer": "C-1042"}', '@tool payments.refund {"order_id": "A-77810", "amount": "20.00"}',
    '@tool mail.draft {"to": "ana@customers.example", "subject": "Your refund", "body": "It is on its way."}', '@tool mail.send {"draft_id": "draft_1"}',
]  # fmt: skip
ASKS = [
    '@tool payments.refund {"order_id": "A-77991", "amount": "240.00"}',
    '@tool payments.refund {"order_id": "B-1203", "amount": "120.00"}',
]
DAY = 86_400_000


class Demo:
    """`history` is of days that were before the server began: rows of the ledger as it would have written them."""

    def __init__(self, folder: pathlib.Path, history: int = 30, origins: list[str] | None = None):
        shutil.copytree(ROOT / "scripts" / "demo" / "policies", folder / "policies")
        self.installation = Installation(
            folder,
            extra_models=[{"id": name, "provider": "scripted"} for name in PRICES if name != "demo"],
            tools={"file": str(ROOT / "scripts" / "demo" / "tools.yaml")},
            policies={"directory": str(folder / "policies")},
            sandbox={"minimum": "limited"},
            audit={"checkpoints": str(folder / "checkpoints.jsonl")},
            server={"web_client": str(ROOT / "web-client"), "origins": origins or [], "grace": "1s"},
        )
        mode = {"litellm_provider": "openai", "mode": "chat", "max_input_tokens": 32_768, "max_output_tokens": 32_768}
        prices = {name: mode | {"input_cost_per_token": i / 1e6, "output_cost_per_token": o / 1e6} for name, (i, o) in PRICES.items()}
        (folder / "prices.json").write_text(json.dumps(prices))
        self.keys: dict[str, str] = {}
        ids: dict[str, str] = {}
        for name, (project, roles) in PEOPLE.items():
            made = self.installation.key(ORG, project, name, *[option for role in roles for option in ("--role", role)])
            self.keys[name], ids[name] = made["key"], made["id"]
        for budget in BUDGETS:
            self.installation.budget(*budget)
        if history:
            remember(folder, ids, history)
        self.server = self.installation.serve()
        self._publish()
        self.cut_run = self._fill()
        self.denial = self.get("olga", "/api/admin/decisions", decision="deny", kind="call")["data"][0]["id"]

    def _publish(self) -> None:
        """A second version of the policies, so that there is one to go back to."""
        policies = self.get("ola", "/api/admin/policies")
        files = [{"name": file["name"], "text": file["text"].replace("5 per session", "6 per session")} for file in policies["files"]]
        tests = [{"name": file["name"], "text": file["text"].replace("5 per session", "6 per session")} for file in policies["test_files"]]
        body = {"files": files + tests, "base": policies["version"], "reason": "Six refunds are common in December."}
        answer = requests.put(self.server.url + "/api/admin/policies", json=body, headers=self.bearer("ola"), timeout=10)
        assert answer.status_code == 200, answer.text
        self.old_version = policies["version"]

    def _fill(self) -> str:
        for name, model in [("ana", "gpt-4.1"), ("li", "claude-sonnet-4"), ("kim", "demo"), ("ben", "gpt-4.1")]:
            self.run(name, "@rate 0\n@tokens 400", model)
        self.run("ana", "Look the customer up, and refund.\n@rate 0\n" + "\n@then\n".join(CALLS) + "\n@then\n@tokens 30")
        cut = self.run("mo", "Write it all down.\n@rate 0\n@tokens 30000", "claude-sonnet-4")
        for name, call in zip(["ana", "li"], ASKS, strict=True):
            self.start(name, f"Refund it, please.\n@rate 0\n{call}\n@then\n@tokens 20")
        for name, model, rate in [("ana", "gpt-4.1", 12), ("li", "claude-sonnet-4", 25), ("kim", "demo", 6), ("ben", "gpt-4.1", 9)]:
            self.start(name, f"Tell me more.\n@rate {rate}\n@tokens 20000", model)
        wait_until("the approvals wait", lambda: len(self.get("olga", "/api/approvals", state="pending")["data"]) == len(ASKS))
        return cut

    def start(self, who: str, text: str, model: str = "demo") -> str:
        answer = requests.post(self.server.url + "/v1/runs", json={"text": text, "model": model}, headers=self.bearer(who), timeout=10)
        assert answer.status_code == 202, answer.text
        return answer.json()["run_id"]

    def run(self, who: str, text: str, model: str = "demo") -> str:
        """A run to its end, however it ends."""
        run = self.start(who, text, model)
        wait_until(f"run of {who} ends", lambda: self.get(who, f"/v1/runs/{run}")["state"] != "running", 30)
        return run

    def get(self, who: str, path: str, **query: str) -> dict:
        answer = requests.get(self.server.url + path, params=query, headers=self.bearer(who), timeout=10)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def bearer(self, who: str) -> dict:
        return {"authorization": f"Bearer {self.keys[who]}"}

    def stop(self) -> None:
        self.installation.stop()


def remember(folder: pathlib.Path, ids: dict[str, str], days: int) -> None:
    """Charges of the days before today, more on working days, each as one row."""
    (path,) = [one for one in (folder / "data").glob("*") if one.read_bytes()[:15] == b"SQLite format 3"]
    today = int(time.time() * 1000) // DAY * DAY
    rows = []
    for back in range(days, 0, -1):
        at = today - back * DAY
        calm = 0.35 if time.gmtime(at / 1000).tm_wday >= 5 else 1.0
        for index, (name, (project, _)) in enumerate(PEOPLE.items()):
            for number, (model, (_, price)) in enumerate(PRICES.items()):
                wave = 1 + 0.4 * math.sin(back / 3.1 + index) + 0.2 * math.sin(back * 1.7 + number)
                output = int(calm * wave * 30_000 * (number + 1) / (index + 1))
                rows.append(
                    (
                        f"demo-{back}-{name}-{model}",
                        name,
                        project,
                        ids[name],
                        model,
                        output * price * 1000,
                        output * 4,
                        output,
                        40,
                        at + 34_000_000 + number,
                    )
                )
    with sqlite3.connect(path) as database:
        database.executemany(
            "INSERT INTO ledger (charge_id, kind, is_charge, lease, org, project, user, key, run, model, price_version, nano_usd, input_fresh,"
            " input_cache_read, input_cache_write, output_visible, output_reasoning, requests, estimated, at)"
            f" VALUES (?1, 'settle', 1, ?1, '{ORG}', ?3, ?2, ?4, ?1, ?5, 'demo', ?6, ?7, 0, 0, ?8, 0, ?9, 0, ?10)",
            rows,
        )
    database.close()
