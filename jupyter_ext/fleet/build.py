"""Which build of the software an environment holds."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from urllib.parse import unquote, urlsplit

DISTRIBUTION = "jupyter-fleet"
DIGITS = 12

# Installers write these files; the same wheel installed twice is one build.
_OF_THE_INSTALLER = re.compile(r"\.dist-info/(RECORD|INSTALLER|REQUESTED|direct_url|uv_cache)")


@dataclass(frozen=True)
class Builds:
    """The builds in the environments that the fleet's programs run in."""

    lab: str
    gateway: str
    store: str
    """Identifies the store's executable; empty if the fleet runs no store."""


def installed_build(environment: Path) -> str:
    """A digest of what is installed in the virtual environment at ``environment``: the files of
    this project, and the versions of everything else.

    The version number alone does not tell two checkouts apart. ``unknown`` if this project is not
    installed there.
    """
    digest = hashlib.sha256()
    found = False
    for packages in sorted(environment.glob("lib/python3*/site-packages")):
        for info in sorted(packages.glob("*.dist-info")):
            digest.update(f"{info.name}\n".encode())
            if _normalised(info.name) == DISTRIBUTION:
                found = True
                for line in _own_files(info):
                    digest.update(f"{line}\n".encode())
    return digest.hexdigest()[:DIGITS] if found else "unknown"


def version_line() -> str:
    """The installed version, for people."""
    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:
        return "not installed"


def _normalised(folder: str) -> str:
    return re.sub(r"[-_.]+", "-", folder.split("-")[0]).lower()


def _own_files(info: Path) -> Iterator[str]:
    source = _editable_source(info)
    if source is not None:
        for package in ("jupyter_ext", "gateway_ext"):
            for file in sorted((source / package).rglob("*.py")):
                yield f"{file},{hashlib.sha256(file.read_bytes()).hexdigest()}"
    try:
        with open(info / "RECORD", newline="") as record:
            rows = sorted(csv.reader(record))
    except FileNotFoundError:
        # It is being installed right now.
        return
    for row in rows:
        if row and not _OF_THE_INSTALLER.search(row[0]):
            yield ",".join(row)


def _editable_source(info: Path) -> Path | None:
    try:
        document = json.loads((info / "direct_url.json").read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    if not document.get("dir_info", {}).get("editable"):
        return None
    return Path(unquote(urlsplit(document["url"]).path))
