"""`make screenshots`: a few of its pictures, and that it notices what goes wrong."""

import importlib.util
import subprocess
import sys

import pytest

from rig.server import BINARIES, ROOT


def pictures(folder, only: str, *more: str) -> subprocess.CompletedProcess:
    command = [
        sys.executable,
        str(ROOT / "scripts" / "screenshots.py"),
        "--out",
        str(folder),
        "--only",
        only,
        "--binaries",
        str(BINARIES),
        "--history",
        "3",
        *more,
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_pictures_of_pages_without_an_error(tmp_path):
    result = pictures(tmp_path, "spend,approvals,chat", "--views", "390-dark")
    assert result.returncode == 0, result.stderr
    made = {path.name: path.read_bytes()[:8] for path in tmp_path.glob("*.png")}
    assert set(made) == {f"{name}-390-dark.png" for name in ("spend", "approvals", "chat")}
    assert set(made.values()) == {b"\x89PNG\r\n\x1a\n"}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("<p>ok", ""),
        ("<p>ok<script>console.error('no such thing')</script>", "console: no such thing"),
        ("<p>ok<script>throw new Error('broken')</script>", "script: broken"),
        ("<p>ok<section class='panel is-problem'>It could not be read.</section>", "shown: It could not be read."),
        ("<h1>nothing that was waited for</h1>", "not ready:"),
    ],
)
def test_what_a_page_shows_or_logs_is_noticed(browser, tmp_path, body, said):
    spec = importlib.util.spec_from_file_location("screenshots", ROOT / "scripts" / "screenshots.py")
    screenshots = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(screenshots)
    if said == "not ready:":
        screenshots.PATIENCE_MS = 500
    camera = screenshots.Camera(browser, "390-dark", tmp_path)
    camera.take("page", f"data:text/html,{body}", "p")
    assert [problem.partition(": ")[2][: len(said)] for problem in camera.problems] == ([said] if said else [])
    assert (tmp_path / "page-390-dark.png").exists()
