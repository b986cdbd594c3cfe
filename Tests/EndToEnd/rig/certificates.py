"""Certificates that sign themselves, for `localhost` and 127.0.0.1."""

import pathlib
import subprocess


def make(certificate: pathlib.Path, key: pathlib.Path) -> None:
    """Writes both, in the place of what was there."""
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    subprocess.run([*command, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True, timeout=30)
