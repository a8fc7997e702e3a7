"""What handlers note about a request that its address does not say, for the request's event."""

from __future__ import annotations

import re
import uuid
from typing import Any, TypedDict, Unpack

from tornado.web import RequestHandler

from jupyter_ext.platform.kernel_tickets import KernelTicket
from jupyter_ext.platform.projects import ProjectNameError, ProjectPathError, split_path
from jupyter_ext.platform.tokens import Identity

REQUEST_HEADER = "X-Request-ID"
"""Set by the front, whatever a client has sent; labs pass it on to gateways."""

_REQUEST_ID = re.compile("[0-9a-f]{32}")


class FileNotes(TypedDict):
    """What a path names."""

    project: str
    path: str


class Notes(TypedDict, total=False):
    """All of it; what is None or empty is not noted."""

    caller: Identity | KernelTicket | None
    """Who has proved to be the caller."""
    actor: str
    """What kind the caller is, where that is nobody with a token."""
    login: str
    """The hash of a browser's login."""
    action: str
    """What the call is, where its method and address do not tell."""
    kind: str
    refused: str
    """Why the caller may not do this."""
    project: str | None
    path: str
    to: str
    kernel: str | None
    session: str
    name: str


def note(handler: RequestHandler, **facts: Unpack[Notes]) -> None:
    """Keep what the event of this request shall say; what was noted last holds."""
    kept = handler.__dict__.setdefault("_fleet_audit_notes", {})
    kept.update({name: value for name, value in facts.items() if value})


def notes_of(handler: RequestHandler) -> dict[str, Any]:
    """What was noted about a request."""
    found: dict[str, Any] = handler.__dict__.get("_fleet_audit_notes", {})
    return found


def request_id_of(handler: RequestHandler) -> str:
    """The ID of a request: the front's, or a new one."""
    kept: str | None = handler.__dict__.get("_fleet_request_id")
    if kept is None:
        sent = handler.request.headers.get(REQUEST_HEADER, "")
        kept = sent if _REQUEST_ID.fullmatch(sent) else uuid.uuid4().hex
        handler.__dict__["_fleet_request_id"] = kept
    return kept


def file_object(path: str) -> FileNotes:
    """A file and its project."""
    try:
        project, _ = split_path(path)
    except (ProjectNameError, ProjectPathError):
        project = ""
    return {"project": project, "path": path.strip("/")}
