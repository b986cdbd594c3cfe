"""Fixtures: the servers, the witness, the browser. Each test acts for an organisation of its own, so that they can share."""

import itertools
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from rig.examples import ALL_DAY, Example  # noqa: E402
from rig.host import SDK, Host  # noqa: E402
from rig.made_up import Fake  # noqa: E402
from rig.proxy import Proxy  # noqa: E402
from rig.server import BINARIES, Installation  # noqa: E402
from rig.stores import Postgres, Redis  # noqa: E402
from rig.witness import Plan, Witness  # noqa: E402

_numbers = itertools.count(1)


def pytest_configure() -> None:
    if not (BINARIES / "kdcube").exists():
        raise pytest.UsageError(f"{BINARIES}/kdcube is not built: run swift build, or set KDCUBE_BINARIES")


class Tenant:
    """An organisation of one test with its key, and words for it: scopes and budgets."""

    def __init__(self, installation: Installation, *key_options: str):
        self.installation = installation
        self.org = f"org{next(_numbers)}"
        self.project = "web"
        created = installation.key(self.org, self.project, "ada", *key_options)
        self.key_id, self.key = created["id"], created["key"]
        self.scope = f"project:{self.org}/{self.project}"

    def cap(self, limit: str, unit: str = "usd", window: str = "total") -> None:
        self.installation.budget(self.scope, limit, unit, window)

    def usage(self) -> dict:
        return self.installation.settled_usage(self.scope)

    @property
    def headers(self) -> dict:
        return {"authorization": f"Bearer {self.key}"}


@pytest.fixture(scope="session")
def witness():
    witness = Witness()
    yield witness
    witness.stop()


@pytest.fixture(scope="session")
def installation(witness, tmp_path_factory):
    """Embedded stores, the scripted model and the witness as an upstream."""
    installation = Installation(tmp_path_factory.mktemp("embedded"), upstream=witness.url)
    installation.serve()
    yield installation
    installation.stop()


@pytest.fixture
def server(installation):
    """The shared server. A test that ends it or its stores makes its own."""
    server = installation.servers[0]
    yield server
    assert server.process.alive, f"the server did not survive this test:\n{server.process.tail()}"


@pytest.fixture
def tenant(server, installation):
    return Tenant(installation)


@pytest.fixture(scope="session")
def make_tenant():
    return Tenant


@pytest.fixture
def proxy(server):
    proxy = Proxy(server.port)
    yield proxy
    proxy.stop()


@pytest.fixture
def redis_server(tmp_path):
    redis = Redis(tmp_path)
    yield redis
    redis.stop()


@pytest.fixture(scope="session")
def shared_postgres():
    """One cluster for the tests that do not stop it; each takes a database of its own."""
    postgres = Postgres()
    yield postgres
    postgres.remove()


@pytest.fixture
def postgres_server():
    postgres = Postgres()
    yield postgres
    postgres.remove()


@pytest.fixture
def plan():
    """Makes plans for the witness with an id of their own."""
    return lambda **fields: Plan(id=f"plan{next(_numbers)}", **fields)


@pytest.fixture(scope="session")
def browser():
    from playwright.sync_api import expect, sync_playwright

    # What a page comes to show it shows at once, but for a machine with much else to do.
    expect.set_options(timeout=15_000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser, server, tenant):
    """Opens the chat page with the tenant's key. Every error of a script on it fails the test."""
    contexts = []

    def open_page(url: str = server.url, query: str = "", prepare=lambda page: None, **options):
        contexts.append(browser.new_context(**options))
        page = contexts[-1].new_page()
        page.set_default_timeout(15_000)
        page.problems = []
        page.on("pageerror", lambda error: page.problems.append(str(error)))
        prepare(page)
        page.goto(f"{url}/{query}#key={tenant.key}")
        return page

    yield open_page
    for context in contexts:
        problems = [problem for page in context.pages for problem in page.problems]
        context.close()
        assert not problems, problems


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    """A page of somebody else, on an origin of its own."""
    host = Host(SDK, tmp_path_factory.mktemp("host"))
    yield host
    host.stop()


@pytest.fixture
def pages(browser, host, server, tenant):
    """Opens pages of the host and of the server. An error of a script, or what the policy of content forbids, fails the test."""
    host.kdcube, host.token, host.model, host.policy = server.url, tenant.key, "witness", ""
    contexts, problems = [], []

    def pages(address: str, prepare=lambda page: None, **options):
        contexts.append(browser.new_context(viewport={"width": 900, "height": 760}, **options))
        page = contexts[-1].new_page()
        page.set_default_timeout(15_000)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda message: "Content Security Policy" in message.text and problems.append(message.text))
        prepare(page)
        page.goto(address)
        return page

    yield pages
    for context in contexts:
        context.close()
    assert not problems, problems


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    """Each example's server, started when it is first asked for."""
    running: dict[str, Example] = {}

    def get(name: str) -> Example:
        if name not in running:
            running[name] = Example(name, tmp_path_factory.mktemp(name))
            if name == "cost-containment":
                running[name].edit_all(ALL_DAY)
                # Its tests are about the office hours that are not there now.
                (running[name].folder / "policies" / "costs.test.yaml").unlink()
            running[name].serve()
        return running[name]

    yield get
    for example in running.values():
        example.stop()


@pytest.fixture
def refunds(examples):
    return examples("refund-authorization")


@pytest.fixture
def make_example(tmp_path):
    made: list[Example] = []

    def make(name: str, edit: dict[str, str] | None = None, **sections) -> Example:
        made.append(Example(name, tmp_path / name, edit, **sections))
        return made[-1]

    yield make
    for example in made:
        example.stop()


@pytest.fixture(scope="module")
def fake(tmp_path_factory):
    fake = Fake(tmp_path_factory.mktemp("fake"))
    yield fake
    fake.process.stop()


@pytest.fixture
def fresh(tmp_path):
    """One of the test's own: for what counts rows, or takes the server away."""
    fake = Fake(tmp_path)
    yield fake
    fake.process.stop()


@pytest.fixture
def crowd(tmp_path):
    """One with ten thousand runs."""
    fake = Fake(tmp_path, "--streams", "10000")
    yield fake
    fake.process.stop()


@pytest.fixture
def console(browser, request):
    """Opens the console as somebody. An error of a script, or something that the policy of content forbids, fails the test."""
    contexts, problems = [], []

    def console(key: str, query: str = "", width: int = 1440, **options):
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda message: "Content Security Policy" in message.text and problems.append(message.text))
        own = next((name for name in ("fresh", "crowd") if name in request.fixturenames), "fake")
        page.goto(f"{request.getfixturevalue(own).url}/console/{query}#key={key}")
        page.locator("#connection:is([data-state=live], [data-state=poll])").wait_for()
        return page

    yield console
    for context in contexts:
        context.close()
    assert not problems, problems
