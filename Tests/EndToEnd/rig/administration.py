"""Keys and budgets for tests, by the addresses of a running server.

A command is a process that loads a debug build and opens the stores: it takes longer than most tests do. That the command line does the
same is tested where it is the subject.
"""

import requests

from .waiting import wait_until

#: Whose key the rig asks with: an organisation that no test acts for.
ORG = "rig"


class Administration:
    """Asks one installation's servers as an operator. `make_key` makes the first key, which only the command line can."""

    def __init__(self, make_key):
        self._make_key = make_key
        self._session: requests.Session | None = None

    def ask(self, server, method: str, path: str, body: dict | None = None, **query) -> dict:
        if self._session is None:
            self._session = requests.Session()
            # Whatever authorities the machine names, these servers are trusted by their own certificates.
            self._session.trust_env = False
            self._session.headers["authorization"] = f"Bearer {self._make_key(ORG, 'web', 'rig', '--role', 'operator')['key']}"
            self._session.verify = str(server.certificate) if server.certificate else True
        session = self._session

        def answered() -> list[requests.Response] | None:
            answer = session.request(method, f"{server.url}/api/admin/{path}", json=body, params=query, timeout=20)
            # A server whose store has only just come back says that it is to be asked again.
            return None if method == "GET" and answer.status_code == 503 else [answer]

        (answer,) = wait_until(f"{method} {path} is no longer answered 503", answered, seconds=20, every=0.2)
        assert answer.ok, f"{method} {path}: {answer.status_code}: {answer.text}"
        return answer.json()

    @staticmethod
    def knows(options: tuple[str, ...]) -> bool:
        return set(options[::2]) <= {"--role", "--on-cut", "--on-disconnect"}

    def key(self, server, org: str, project: str, user: str, *options: str) -> dict:
        """`options` are those of `kdcube keys create` that it knows."""
        body = {"org": org, "project": project, "user": user, "roles": []}
        for option, value in zip(options[::2], options[1::2], strict=True):
            if option == "--role":
                body["roles"].append(value)
            else:
                body[option.removeprefix("--").replace("-", "_")] = value
        made = self.ask(server, "POST", "keys", body)
        return {"id": made["id"], "key": made["key"]}

    def budget(self, server, **fields: str) -> None:
        self.ask(server, "PUT", "budgets", fields)

    def standing(self, server, scope: str) -> tuple[list, list]:
        """The windows of a scope, and what was charged to it."""
        windows = self.ask(server, "GET", "budgets", scope=scope)["data"]
        return windows, self.ask(server, "GET", "usage", scope=scope, by="model")["rows"]
