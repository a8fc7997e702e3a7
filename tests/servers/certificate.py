"""A certificate for a server of a test."""

import subprocess
from collections.abc import Sequence
from pathlib import Path


def make_certificate(folder: Path, names: Sequence[str] = ()) -> tuple[str, str]:
    """A certificate for these hosts and 127.0.0.1, signed by itself, and its key."""
    certificate, key = folder / "site.pem", folder / "site.key"
    known = ",".join(["IP:127.0.0.1", *(f"DNS:{name}" for name in names)])
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-days", "2", "-subj", "/CN=test", "-keyout", str(key)]
    command += ["-out", str(certificate), "-addext", f"subjectAltName={known}"]
    subprocess.run(command, check=True, capture_output=True)
    return str(certificate), str(key)
