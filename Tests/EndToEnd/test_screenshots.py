"""`make screenshots`: a few of its pictures, and that it notices what goes wrong."""

import subprocess
import sys

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
