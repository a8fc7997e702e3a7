"""What is refused of a session, before anything is done."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from tornado import web

from jupyter_ext.kernels.manager import project_of, require_role
from jupyter_ext.platform.roles import Role
from jupyter_ext.platform.tokens import Identity
from jupyter_ext.sessions.paths import MAX_PATH_BYTES
from jupyter_ext.sessions.store.session_rows import Session
from jupyter_ext.sessions.tables import NAME_BYTES, TYPE_BYTES


def checked(changed: Session, identity: Identity) -> Session:
    """The session. Raises HTTPError 400 if it cannot be stored, 403 if the caller may not change
    it.

    It stays in its project, as its kernel does: at a path of another one, that one's members would
    find a kernel that they cannot use.
    """
    check_lengths(path=changed.shown_path, name=changed.name, type_=changed.type, real=changed.path)
    project = project_of(changed.path)
    require_role(identity, changed.project, Role.EDITOR)
    if project != changed.project:
        raise web.HTTPError(
            400,
            f"this session and its kernel stay in the project {changed.project!r}: start another"
            f" kernel for {changed.path!r}",
        )
    return changed


def check_project(kernel: dict[str, Any], project: str) -> None:
    """Raise 400 if a kernel is in another project, or one person's alone: the members of the
    project could not use it."""
    if kernel.get("only_for") is not None:
        raise web.HTTPError(
            400,
            f"kernel {kernel['id']} is {kernel['only_for']}'s alone: it stays with the document for"
            " which it was started",
        )
    if kernel.get("project", project) != project:
        raise web.HTTPError(
            400,
            f"kernel {kernel['id']} belongs to the project {kernel['project']!r}: a document in"
            f" {project!r} needs a kernel of its own project",
        )


async def check_seen(
    session: Session, identity: Identity, kernel_model: Callable[[str], Awaitable[Any]]
) -> None:
    """Raise 404 for a session in a project in which the caller never had a role, 403 if the role is
    lost: pages take 404 for its end. Gateways know it of the session's kernel."""
    if identity.role(session.project) is not None:
        return
    try:
        await kernel_model(session.kernel_id)
    except web.HTTPError as error:
        if error.status_code != 404:
            raise
    raise unknown_session(session.id)


def unknown_session(session_id: str) -> web.HTTPError:
    """There is none with this id that the caller may know."""
    return web.HTTPError(404, f"Session not found: {session_id}")


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
