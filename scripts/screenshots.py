"""Pictures of every page with an organisation in use, and a check that none shows or logs an error.

    scripts/screenshots.py [--out screenshots] [--only now,spend] [--views 1440-light,390-dark] [--binaries .build/release]

Run with the environment of the tests (`make screenshots` does it all). Exits 1 when a page has shown or logged an error; its picture is made
all the same.
"""

import argparse
import os
import pathlib
import sys
import tempfile
from collections.abc import Callable

ROOT = pathlib.Path(__file__).resolve().parents[1]
#: Name → width, scheme, whether a finger touches it.
VIEWS = {
    "1440-light": (1440, "light", False),
    "1024-light": (1024, "light", False),
    "1024-dark": (1024, "dark", False),
    "390-dark": (390, "dark", True),
}
HEIGHT, HEIGHT_MAX = 900, 4000
#: How long a page may take.
PATIENCE_MS = 15_000
#: What shows that something went wrong, whatever page it is.
WRONG = ".panel.is-problem, .key-panel, .ap-problem:not(:empty)"
#: Chromium says this of an address that the page itself has asked for and handled.
HANDLED = "Failed to load resource"

#: How much of the page, or of a list that takes most of it, is out of sight.
BEYOND = """() => Math.max(0, ...[...document.querySelectorAll('#page, #page *')]
    .filter((box) => box.clientHeight > 250 && ['auto', 'scroll'].includes(getComputedStyle(box).overflowY))
    .map((box) => box.scrollHeight - box.clientHeight))"""


class Camera:
    """Opens pages in one view, and keeps what went wrong in them."""

    def __init__(self, browser, view: str, folder: pathlib.Path):
        self.browser, self.view, self.folder = browser, view, folder
        self.problems: list[str] = []
        self.width, scheme, touch = VIEWS[view]
        self.options = {
            "color_scheme": scheme,
            "has_touch": touch,
            "reduced_motion": "reduce",
            "viewport": {"width": self.width, "height": HEIGHT},
        }

    def take(self, name: str, address: str, ready: str, prepare: Callable = lambda page: None) -> None:
        """One picture: `ready` is what the page shows when it is done, `prepare` does something in it first."""
        context = self.browser.new_context(**self.options)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        said: list[str] = []
        page.on("pageerror", lambda error: said.append(f"script: {error}"))
        page.on("console", lambda message: message.type == "error" and said.append(f"console: {message.text}"))
        page.on("response", lambda answer: answer.status >= 400 and said.append(f"{answer.status} of {answer.url}"))
        try:
            page.goto(address)
            page.locator(ready).first.wait_for()
            prepare(page)
            page.wait_for_function("() => !document.querySelector('.page .loading')")
            said += [f"shown: {text}" for text in page.locator(WRONG).all_inner_texts()]
            self._stretch(page)
        except Exception as error:  # noqa: BLE001 - whatever it is, the other pages are wanted as well
            said.append(f"not ready: {str(error).splitlines()[0]}")
        page.screenshot(path=self.folder / f"{name}-{self.view}.png")
        context.close()
        self.problems += [f"{name}-{self.view}: {text}" for text in said if HANDLED not in text]

    def _stretch(self, page) -> None:
        """The console scrolls within its page, or within a list of it: the window becomes as high as all of it."""
        beyond = page.evaluate(BEYOND)
        page.set_viewport_size({"width": self.width, "height": min(HEIGHT + max(0, int(beyond)), HEIGHT_MAX)})
        # Two frames: one for the new size, one for charts that follow it.
        page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def shots(demo, host) -> dict[str, tuple]:
    """Every picture by its name: who looks, at which address, what is there when it is done, what is done first."""
    console = f"{demo.server.url}/console/"
    pages = {
        "now": ("?page=now", ".now-tile"),
        "streams": ("?page=streams", ".st-row"),
        "budgets": ("?page=budgets", ".bg-window"),
        "spend": ("?page=spend&org=acme&range=30d&by=model", ".sp-table"),
        "decisions": ("?page=decisions", "a.dc-row"),
        "decision": (f"?page=decisions&id={demo.denial}", ".rc-head"),
        "approvals": ("?page=approvals", "article.ap"),
        "policies": ("?page=policies", ".code-lines"),
        "policies-edit": ("?page=policies", ".code-lines", edit),
        "policies-version": (f"?page=policies&version={demo.old_version}", ".df"),
        "tools": ("?page=tools", ".tl"),
        "tools-new": ("?page=tools", ".tl", make_tool),
        "keys": ("?page=keys", ".ky"),
        "keys-who": ("?page=keys&tab=who", ".who-row"),
        "sandboxes": ("?page=sandboxes", ".sb-level"),
        "audit": ("?page=audit&org=acme", ".au-bar", verify),
        "system": ("?page=system", ".sy-head"),
        "system-prices": ("?page=system&part=prices", ".sy-prices tbody tr"),
        "system-config": ("?page=system&part=config", ".sy-config .line"),
        "run": (f"?page=run&id={demo.cut_run}", ".run-event"),
    }
    whole = {
        name: (f"{console}{query}#key={demo.keys['ola' if name.startswith(('policies-', 'tools-', 'system')) else 'olga']}", *rest)
        for name, (query, *rest) in pages.items()
    }
    whole["chat"] = (f"{demo.server.url}/#key={demo.keys['ben']}", "#model", chat)
    whole["widget"] = (f"{host.url}/widget.html", ".kdcube-widget", widget)
    return whole


def edit(page) -> None:
    page.get_by_role("button", name="Edit").click()
    text = page.locator(".ce-area")
    text.fill(text.input_value().replace('"50.00"', '"80.00"').replace("6 per session", "4 per session"))
    page.locator(".dry-verdict").first.wait_for()
    page.get_by_role("button", name="Changes (1)").click()
    page.locator(".df-line.is-new").first.wait_for()


def make_tool(page) -> None:
    page.get_by_role("button", name="New tool").click()
    page.get_by_label("Name", exact=True).fill("crm.find")
    page.get_by_label("Description").fill("Finds a customer by name.")
    page.get_by_label("Address").fill("https://crm.example.com/customers/{id}")
    page.get_by_text("It can be published").wait_for()
    page.get_by_text("What changes in").click()
    page.locator(".df-line.is-new").first.wait_for()


def verify(page) -> None:
    page.get_by_role("button", name="Verify now").click()
    page.locator(".au-result").wait_for()


def chat(page) -> None:
    page.locator("#connection[data-state=live]").wait_for()
    page.locator("#model").select_option("demo")
    page.get_by_role("textbox", name="Message").fill(
        'Refund order A-7 in full.\n@rate 0\n@tool crm.lookup {"customer": "C-7"}\n@then\n@tool payments.refund {"order_id": "A-7", "amount": "180.00"}\n@then\n@tokens 10'
    )
    page.keyboard.press("Enter")
    page.locator("section.approval").wait_for()


def widget(page) -> None:
    box = page.locator(".kdcube-widget")
    box.get_by_role("textbox", name="Message").fill("When are you open?\n@rate 0\n@tokens 60")
    page.keyboard.press("Enter")
    box.locator("article").last.wait_for()
    page.wait_for_function("() => document.querySelector('.kdcube-widget').shadowRoot.querySelectorAll('.busy').length === 0")


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "screenshots")
    parser.add_argument("--only", default="", help="names, with commas between them")
    parser.add_argument("--views", default="1440-light,1024-light,390-dark", help=f"of {', '.join(VIEWS)}")
    parser.add_argument("--binaries", type=pathlib.Path, help="the folder of kdcube; otherwise KDCUBE_BINARIES or .build/debug")
    parser.add_argument("--history", type=int, default=30, help="days of spending before today")
    return parser.parse_args()


def main() -> int:
    given = options()
    if given.binaries:
        os.environ["KDCUBE_BINARIES"] = str(given.binaries.resolve())
    sys.path.insert(0, str(ROOT / "Tests" / "EndToEnd"))
    from playwright.sync_api import sync_playwright

    from rig.demo import Demo
    from rig.host import SDK, Host

    given.out.mkdir(parents=True, exist_ok=True)
    problems: list[str] = []
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        host = Host(SDK)
        demo = Demo(pathlib.Path(folder) / "demo", given.history, origins=[host.url])
        host.kdcube, host.token = demo.server.url, demo.keys["ana"]
        try:
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
            wanted = given.only.split(",") if given.only else []
            for view in given.views.split(","):
                camera = Camera(browser, view, given.out)
                for name, shot in shots(demo, host).items():
                    if not wanted or name in wanted:
                        camera.take(name, *shot)
                problems += camera.problems
            browser.close()
        finally:
            demo.stop()
            host.stop()
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"{len(list(given.out.glob('*.png')))} pictures in {given.out}, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
