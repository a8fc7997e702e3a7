"""Kernels whose journals are soon full. They are stock ipykernels, which no agent slows down."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

_AGENT = """
import json, os, resource, sys
changes, most = json.loads(sys.argv[1]), int(sys.argv[2])
document = os.memfd_create("document")
os.write(document, json.dumps({**json.load(sys.stdin), **changes}).encode())
os.lseek(document, 0, os.SEEK_SET)
os.dup2(document, 0)
if most:
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
os.execv(sys.executable, [sys.executable, "-m", "gateway_ext.agent"])
"""
"""An agent whose start document says something else, and whose files have a longest length."""

MEMORY_BYTES = 2**18

SHORT = "short-journal"
"""A kernelspec whose journals may take little room."""
SHORT_DISK_BYTES = 2**19

FULL = "full-disk"
"""A kernelspec whose journals may take much room that the disk does not have."""
FULL_DISK_BYTES = 2**20


def write_short_journals(kernelspecs: Path) -> None:
    """Write both kernelspecs into a folder of kernelspecs."""
    _write(kernelspecs, SHORT, {"journal_disk_bytes": SHORT_DISK_BYTES}, 0)
    _write(kernelspecs, FULL, {}, FULL_DISK_BYTES)


def _write(kernelspecs: Path, name: str, changes: dict[str, Any], most_bytes: int) -> None:
    changes = {"journal_memory_bytes": MEMORY_BYTES, **changes}
    command = [os.environ["FLEET_KERNEL_PYTHON"], "-c", _AGENT]
    kernelspec = {
        "display_name": name,
        "language": "python",
        "argv": ["python", "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "metadata": {
            "process_proxy": {
                "class_name": "gateway_ext.process_proxies.local.LocalAgentProxy",
                "config": {"agent_command": [*command, json.dumps(changes), str(most_bytes)]},
            }
        },
    }
    (kernelspecs / name).mkdir()
    (kernelspecs / name / "kernel.json").write_text(json.dumps(kernelspec))
