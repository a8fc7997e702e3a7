"""Checks of the folder of kernelspecs that an operator adds to a fleet."""

from __future__ import annotations

import json
import re
from pathlib import Path

from jupyter_ext.fleet.failure import FleetError

_FILE = "kernel.json"
_NAME = re.compile(r"[A-Za-z0-9._-]+")
"""What Jupyter accepts as the name of a kernelspec."""


def check_kernelspecs(path: str) -> list[str]:
    """The names of the kernelspecs in the folder ``path``; raises `FleetError` for a folder without
    any, and for a kernelspec that gateways would leave out."""
    folder = Path(path)
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise FleetError(f"--kernelspecs {folder} cannot be read: {error.strerror}") from error
    if (folder / _FILE).exists():
        raise FleetError(
            f"--kernelspecs {folder} is itself a kernelspec: name the folder that contains it"
        )
    found = [one for one in entries if (one / _FILE).exists()]
    if not found:
        raise FleetError(
            f"--kernelspecs {folder} has no kernelspec: each is a folder with a {_FILE} in it"
        )
    for one in found:
        _check(one)
    return [one.name for one in found]


def _check(kernelspec: Path) -> None:
    file = kernelspec / _FILE
    if not _NAME.fullmatch(kernelspec.name):
        raise FleetError(
            f"--kernelspecs: {kernelspec.name!r} is not the name of a kernelspec: use letters,"
            " digits and . _ -"
        )
    try:
        document = json.loads(file.read_bytes())
    except OSError as error:
        raise FleetError(f"--kernelspecs: {file} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise FleetError(f"--kernelspecs: {file} is not JSON: {error}") from error
    if not isinstance(document, dict) or not isinstance(document.get("argv"), list):
        raise FleetError(f"--kernelspecs: {file} has no argv, the kernel's command")
