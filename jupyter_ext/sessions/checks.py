"""What is refused of a session, before anything is done."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tornado import web

from jupyter_ext.kernels.manager import project_of, require_role
from jupyter_ext.platform.roles import Role
from jupyter_ext.platform.tokens import Identity
from jupyter_ext.sessions.paths import MAX_PATH_BYTES
from jupyter_ext.sessions.store.session_rows import Session
from jupyter_ext.sessions.tables import NAME_BYTES, TYPE_BYTES


def checked(changed: Session, identity: Identity) -> Session:
    """The session, in the project of its path. Raises HTTPError 400 if it cannot be stored, 403 if
    the caller may not have it there.

    Only a session's own user may move it, and its kernel, to another project: others might move it
    to a project that this user cannot see.
    """
    check_lengths(path=changed.shown_path, name=changed.name, type_=changed.type, real=changed.path)
    project = project_of(changed.path)
    require_role(identity, project, Role.EDITOR)
    if project != changed.project and changed.username != identity.user:
        raise web.HTTPError(
            403,
            f"this session belongs to {changed.username!r} and stays in the project"
            f" {changed.project!r}: start a kernel of your own for {changed.path!r}",
        )
    return replace(changed, project=project)


def check_project(kernel: dict[str, Any], project: str) -> None:
    """Raise 400 if a kernel is in another project: the project's members could not use it."""
    if kernel.get("project", project) != project:
        raise web.HTTPError(
            400,
            f"kernel {kernel['id']} belongs to the project {kernel['project']!r}: a document in"
            f" {project!r} needs a kernel of its own project",
        )


def check_lengths(*, path: str, name: str, type_: str, real: str) -> None:
    """Raise 400 for values that are too long for their columns."""
    for what, text, limit in (
        ("path", path, MAX_PATH_BYTES),
        ("path", real, MAX_PATH_BYTES),
        ("name", name, NAME_BYTES),
        ("type", type_, TYPE_BYTES),
    ):
        if len(text.encode()) > limit:
            raise web.HTTPError(400, f"the session's {what} is longer than {limit} bytes")
