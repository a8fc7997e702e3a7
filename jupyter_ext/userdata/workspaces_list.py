"""The list of a user's workspaces, put together from their texts.

A user's workspaces can be too big to be parsed at once on the event loop or a thread. JupyterLab
puts the metadata at the end of a workspace: only they are parsed and written again, with the
workspace's times, and the rest is passed on unchanged.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from jupyter_ext.userdata.store import Stored
from jupyter_ext.userdata.workspaces import workspace_model, workspace_times

BATCH_BYTES = 1024 * 1024
BATCH_WORKSPACES = 100
"""How much of a list is in memory at a time, unless a single workspace is bigger."""

_METADATA_LETTERS = 4096
# A name outside of the JSON's strings, an object of plain values, and then the document's end.
_METADATA_LAST = re.compile(
    r'"metadata"\s*:\s*(\{(?:[^{}"\\]++|"(?:[^"\\]++|\\.)*+")*+\})\s*\}\s*\Z', re.DOTALL
)
_BEFORE_A_NAME = re.compile(r"[,{]\s*\Z")


def batches(sizes: Iterable[tuple[str, int]]) -> list[list[str]]:
    """The names of workspaces in groups that are read together, in the same order.

    ``sizes`` has each name with the bytes of its text.
    """
    found: list[list[str]] = []
    room = 0
    for name, size in sizes:
        if not found or size > room or len(found[-1]) == BATCH_WORKSPACES:
            found.append([])
            room = BATCH_BYTES
        found[-1].append(name)
        room -= size
    return found


def listed(workspaces: Sequence[Stored]) -> tuple[list[str], list[str]]:
    """The ids of workspaces, and their texts in the list.

    Blocks: up to some 10 ms for each whose text is not as JupyterLab sends it.
    """
    ids, values = [], []
    for stored in workspaces:
        name, value = _with_times(stored) or _parsed(stored)
        ids.append(name)
        values.append(value)
    return ids, values


def _with_times(stored: Stored) -> tuple[str, str] | None:
    """The same without parsing the workspace's data; None if the metadata are not at the end."""
    raw = stored.raw
    start = raw.rfind('"metadata"', -_METADATA_LETTERS)
    match = _METADATA_LAST.match(raw, start) if start > 0 else None
    if match is None or not _BEFORE_A_NAME.search(raw, max(0, start - 100), start):
        return None
    try:
        metadata: dict[str, Any] = json.loads(match[1])
        name = metadata["id"]
    except (ValueError, KeyError):
        return None
    text = json.dumps(metadata | workspace_times(stored))
    return name, f"{raw[: match.start(1)]}{text}}}"


def _parsed(stored: Stored) -> tuple[str, str]:
    model = workspace_model(stored)
    return model["metadata"]["id"], json.dumps(model)
