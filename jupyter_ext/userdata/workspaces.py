"""Workspaces as JupyterLab sends and expects them."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

from jupyter_ext.platform.json_bodies import SMALL, JsonRefused, check
from jupyter_ext.userdata.store import Stored


class WorkspaceError(ValueError):
    """The body is not a workspace with this name; the text says why."""


def workspace_id(name: str) -> str:
    """JupyterLab's id of a workspace: its name with a leading slash."""
    return name if name.startswith("/") else "/" + name


def check_workspace(name: str, raw: str) -> None:
    """Raise WorkspaceError unless `raw` is JSON whose metadata names this workspace."""
    try:
        document = json.loads(raw)
        found = unquote(workspace_id(document["metadata"]["id"]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise WorkspaceError(f"this is not a workspace: {error}") from error
    if found != "/" + name:
        raise WorkspaceError(f"Workspace metadata ID mismatch: expected {name!r} got {found!r}")


def workspace_model(stored: Stored) -> dict[str, Any]:
    """A stored workspace with its times; an empty one if it is too big to be read.

    Blocks: up to some 10 ms.
    """
    body = stored.raw.encode()
    try:
        check(body, SMALL)
    except JsonRefused:
        return empty_workspace(stored.name)
    document: dict[str, Any] = json.loads(body)
    document["metadata"].update(workspace_times(stored))
    return document


def workspace_times(stored: Stored) -> dict[str, str]:
    """The metadata of a workspace, without its id."""
    return {
        "last_modified": stored.modified.isoformat(),
        "created": stored.created.isoformat(),
    }


def empty_workspace(name: str) -> dict[str, Any]:
    """The response for a workspace that was never saved."""
    return {"data": {}, "metadata": {"id": workspace_id(name)}}
