"""What a kernel sees of its machine's folders: what is hidden from it, and what of it is shown."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

from .network import Network

MEMORY = ("/dev/shm", "/run")  # noqa: S108 - that of the kernel alone is put there
"""Folders whose place a folder in memory takes, which goes with the kernel."""
CGROUPS = "/sys/fs/cgroup"
"""Where a kernel could leave its limits: kernels of one user own the files by which a process joins
their cgroups."""
DISK = {"/tmp": "tmp", "/var/tmp": "var-tmp"}  # noqa: S108
"""Folders whose place a folder on disk takes: of this name, in the kernel's own folder."""


@dataclass(frozen=True)
class Walls:
    """`hidden` folders are empty inside, or shut, but for what is `shown`; both are absolute paths.
    Without `namespaces` Landlock alone is what holds. Without a `network` of its own a kernel has
    that of its machine."""

    hidden: tuple[str, ...]
    shown: tuple[str, ...]
    namespaces: bool = True
    read_only: bool = False
    """Whether everything that the kernel sees is read-only, but for its own folder, what is
    `writable`, and what takes the place of /tmp and the like."""
    writable: tuple[str, ...] = ()
    network: Network | None = None
    readable: tuple[str, ...] = ()
    """What is to be shown too, and is not writable for that."""

    @classmethod
    def from_json(cls, raw: Any, *, namespaces: bool = True) -> Walls:
        """Of a start document or an order; raises ValueError with words for people."""
        if not isinstance(raw, dict):
            raise ValueError("walls must be an object with hidden and shown")
        lists = [raw.get(name, []) for name in ("hidden", "shown", "writable", "readable")]
        for one in lists:
            if not isinstance(one, list) or not all(_is_absolute(path) for path in one):
                raise ValueError("the paths of walls must be lists of absolute paths")
        hidden, shown, writable, readable = map(tuple, lists)
        network, read_only = Network.from_json(raw.get("network")), bool(raw.get("read_only"))
        return cls(hidden, shown, namespaces, read_only, writable, network, readable)

    def as_json(self) -> dict[str, Any]:
        """The opposite of `from_json`."""
        raw: dict[str, Any] = {"hidden": list(self.hidden), "shown": list(self.shown)}
        if self.read_only:
            raw |= {"read_only": True, "writable": list(self.writable)}
        if self.readable:
            raw["readable"] = list(self.readable)
        if self.network is not None:
            raw["network"] = self.network.as_json()
        return raw

    def also_showing(self, *paths: str) -> Walls:
        """The same with more that is shown."""
        return replace(self, shown=(*self.shown, *paths))

    def also_writable(self, *paths: str) -> Walls:
        """The same with more that is shown, and can be written to."""
        return replace(self.also_showing(*paths), writable=(*self.writable, *paths))

    def also_hiding(self, *paths: str) -> Walls:
        """The same with more paths that are hidden."""
        return replace(self, hidden=(*self.hidden, *paths))


def _is_absolute(path: Any) -> bool:
    return isinstance(path, str) and os.path.isabs(path)


def is_below(path: str, folders: Iterable[str]) -> bool:
    """Whether a path is one of the folders, or in one of them. Without links on either side."""
    return any(path == folder or path.startswith(folder.rstrip("/") + "/") for folder in folders)


def leads_out(path: str, writable: Iterable[str]) -> bool:
    """Whether a path in one of the folders that kernels write to leads to somewhere else: by a link
    that their code may have put there."""
    real = os.path.realpath(path)
    return any(
        is_below(path, [folder]) and not is_below(real, [os.path.realpath(folder)])
        for folder in map(os.path.normpath, writable)
        if path != folder
    )


def outermost(paths: Iterable[str]) -> list[str]:
    """The paths that are in no other of them, sorted."""
    found: list[str] = []
    for path in sorted(set(paths)):
        if not is_below(path, found):
            found.append(path)
    return found


def layers(hidden: Iterable[str], shown: Iterable[str]) -> list[tuple[str, bool]]:
    """The paths at which what is seen changes, each before those in it, and whether it is shown
    there: what is hidden in a folder that is shown stays hidden, and what is both is hidden."""
    wanted = dict.fromkeys(shown, True) | dict.fromkeys(hidden, False)
    found: dict[str, bool] = {}
    for path in sorted(wanted):
        around = next((found[one] for one in folders_around(path) if one in found), True)
        if wanted[path] is not around:
            found[path] = wanted[path]
    return list(found.items())


def left_open(
    hidden: Sequence[str], shown: Iterable[str], entries: Callable[[str], Iterable[str]]
) -> list[str]:
    """The paths that together are everything but `hidden`, and what of `shown` is in it. `entries`
    names what a folder has; neither side has links. What is made later beside a hidden path, or
    beside a folder around it, is in none of them."""
    changes = dict(layers(hidden, shown))
    around = {folder for path in changes for folder in folders_around(path)}
    found: list[str] = []

    def look(path: str, is_open: bool) -> None:
        is_open = changes.get(path, is_open)
        if path not in around:
            found.extend([path] if is_open else [])
            return
        known = (*changes, *around)
        within = {one for one in known if one != path and os.path.dirname(one) == path}
        if is_open:
            within |= {os.path.join(path, name) for name in entries(path)}
        for one in sorted(within):
            look(one, is_open)

    look("/", True)
    return found


def folders_around(path: str) -> list[str]:
    """Every folder in which an absolute path is, the nearest one first."""
    return list(map(str, PurePosixPath(path).parents))


def stays_writable(place: str, writable: Sequence[str], replaced: Sequence[str]) -> bool:
    """Whether a mount stays as it is where all else becomes read-only: what a kernel may write to,
    what is `replaced` by something of its own, its processes and devices."""
    return place in replaced or is_below(place, [*writable, "/proc", "/dev"])


def needed_by_python(path: Iterable[str], prefixes: Iterable[str]) -> list[str]:
    """What an interpreter with this `sys.path` must see."""
    return [one for one in (*prefixes, *path) if os.path.isabs(one)]
