"""Sandboxes: warm start to first reply, cold start beside plain python3, round trip of a call, memory of a warm one, twenty at once.

The figures are made by the release build of `sandbox-benchmark`; it needs what the isolation level `full` needs.
"""

import os
import pathlib
import subprocess
import sys

BINARY = pathlib.Path(os.environ["KDCUBE_BINARIES"]) / "sandbox-benchmark"
sys.exit(subprocess.run([BINARY, *sys.argv[1:]], check=False).returncode)
