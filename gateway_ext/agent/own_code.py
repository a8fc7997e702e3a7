"""How a new Python finds the agent's own code."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

_ROOT = Path(__file__).absolute().parents[2]
"""A folder, or the zip of `gateway_ext.process_proxies.agent_bundle`."""


def on_pythonpath(environment: Mapping[str, str], root: Path = _ROOT) -> bool:
    """Whether PYTHONPATH is where Python finds the code that is in `root`."""
    entries = environment.get("PYTHONPATH", "").split(os.pathsep)
    return any(Path(entry).absolute() == root for entry in entries if entry)


_STARTED_WITH_IT = on_pythonpath(os.environ)
"""Before the start document changes the environment: in a container our code is nowhere else."""


def keeps_own_code(
    environment: Mapping[str, str], root: Path = _ROOT, *, needed: bool = _STARTED_WITH_IT
) -> dict[str, str]:
    """A kernel's environment, which replaces PYTHONPATH if its kernelspec or whoever starts it says
    so, with our code in front where Python would not find it otherwise."""
    kept = dict(environment)
    if needed and not on_pythonpath(environment, root):
        rest = environment.get("PYTHONPATH")
        kept["PYTHONPATH"] = f"{root}{os.pathsep}{rest}" if rest else str(root)
    return kept
