"""The agent's code as one file, so that no image has to contain it."""

import io
import zipfile
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

_EPOCH = (1980, 1, 1, 0, 0, 0)


_FOLDERS = ("gateway_ext/agent", "gateway_ext/kernel_tools", "jupyter_ext/wire")
"""With all folders in them."""


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
        content |= {
            f"{folder}/{path}": code for path, code in _modules(root.joinpath(name)).items()
        }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name in sorted(content):
            bundle.writestr(zipfile.ZipInfo(name, _EPOCH), content[name], zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _modules(folder: Traversable) -> dict[str, bytes]:
    """The Python files below a folder, by their paths in it."""
    content: dict[str, bytes] = {}
    for entry in folder.iterdir():
        if entry.is_dir():
            below = _modules(entry)
            content |= {f"{entry.name}/{path}": code for path, code in below.items()}
        elif entry.name.endswith(".py"):
            content[entry.name] = entry.read_bytes()
    return content


AGENT_SCRIPT = b"""\
from gateway_ext.agent.program import main

main()
"""
"""For places that can start only a Python file, not a module."""
