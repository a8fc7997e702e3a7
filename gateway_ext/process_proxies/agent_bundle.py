"""The agent's code as one file, so that no image has to contain it."""

import io
import zipfile
from functools import cache
from importlib.resources import files

_EPOCH = (1980, 1, 1, 0, 0, 0)


_FOLDERS = (
    "gateway_ext/agent",
    "gateway_ext/agent/requests",
    "gateway_ext/agent/segments",
    "gateway_ext/agent/tail",
    "gateway_ext/kernel_tools",
    "jupyter_ext/wire",
)


@cache
def agent_bundle() -> bytes:
    """A zip for PYTHONPATH of what runs in the kernel's environment: the agent with what it shares
    with gateways, and the magics; the same bytes each time.

    A container needs Python 3.11 or later, pyzmq, jupyter_client and tornado: what comes with any
    ipykernel.
    """
    content = {}
    for folder in _FOLDERS:
        package, _, name = folder.partition("/")
        root = files(package)
        content[f"{package}/__init__.py"] = root.joinpath("__init__.py").read_bytes()
        for file in root.joinpath(name).iterdir():
            if file.name.endswith(".py"):
                content[f"{folder}/{file.name}"] = file.read_bytes()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name in sorted(content):
            bundle.writestr(zipfile.ZipInfo(name, _EPOCH), content[name], zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


AGENT_SCRIPT = b"""\
from gateway_ext.agent.program import main

main()
"""
"""For places that can start only a Python file, not a module."""
