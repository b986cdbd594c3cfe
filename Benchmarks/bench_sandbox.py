"""Starts of sandboxes, the round trip of a call, and their memory (`sandbox-benchmark`, which needs root and bubblewrap)."""

import json
import os
import pathlib
import subprocess

from harness import ROOT, table

BINARIES = pathlib.Path(os.environ.get("KDCUBE_BINARIES", ROOT / ".build" / "release"))


def main() -> None:
    command = [str(BINARIES / "sandbox-benchmark"), "--json"]
    figures = json.loads(subprocess.run(command, capture_output=True, text=True, timeout=300, check=True).stdout)
    rows = [[name.replace("_", " "), f"{value:,.3f}"] for name, value in figures.items()]
    table("Sandboxes: milliseconds, and MiB of PSS", ["figure", ""], rows)


if __name__ == "__main__":
    main()
