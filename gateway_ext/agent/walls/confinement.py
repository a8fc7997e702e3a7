"""A kernel's process shuts itself in with Landlock: all that holds it without namespaces."""

from __future__ import annotations

import os
from pathlib import Path

from . import landlock
from .places import CGROUPS, Walls, folders_around, leads_out, left_open
from .system_calls import no_new_privileges


def confine(walls: Walls, own: Path) -> None:
    """Gain no more rights, reach no process outside, and nothing of what is hidden but `own`, the
    kernel's folder. Raises OSError; without Landlock only the first."""
    no_new_privileges()
    hidden = [os.path.realpath(path) for path in walls.hidden if os.path.exists(path)]
    if walls.namespaces or not hidden:
        # In namespaces it is gone already, and what is made beside it later must be seen.
        landlock.shut(None)
        return
    by_kernels = [str(own), *walls.writable]
    wanted = [path for path in (str(own), *walls.shown) if not leads_out(path, by_kernels)]
    shown = map(os.path.realpath, wanted)
    landlock.shut(left_open([*hidden, CGROUPS], shown, _entries), readable=[CGROUPS])


def takes_nothing_else_away(hidden: str) -> bool:
    """Whether this path can be shut and nothing else is lost: in the folders around it nothing can
    be made then, which this user may not do anyway."""
    return not any(map(_writable, folders_around(os.path.realpath(hidden))))


def _writable(folder: str) -> bool:
    return os.access(folder, os.W_OK)


def _entries(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        # This user cannot list it: what is shown in it must be named.
        return []
