"""The agent's code as one file, so that no image has to contain it."""

import io
import zipfile
from functools import cache
from importlib.resources import files

_EPOCH = (1980, 1, 1, 0, 0, 0)


@cache
def agent_bundle() -> bytes:
    """A zip for PYTHONPATH of what runs in the kernel's environment: the agent and the magics, the
    same bytes each time.

    A container needs Python 3.11 or later, pyzmq, jupyter_client and tornado: what comes with any
    ipykernel.
    """
    package = files("gateway_ext")
    content = {"gateway_ext/__init__.py": package.joinpath("__init__.py").read_bytes()}
    for folder in ("agent", "kernel_tools"):
        for file in package.joinpath(folder).iterdir():
            if file.name.endswith(".py"):
                content[f"gateway_ext/{folder}/{file.name}"] = file.read_bytes()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name in sorted(content):
            bundle.writestr(zipfile.ZipInfo(name, _EPOCH), content[name], zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


AGENT_SCRIPT = b"""\
from gateway_ext.agent.program import main

main()
"""
"""For places that start a Python file and no module."""
