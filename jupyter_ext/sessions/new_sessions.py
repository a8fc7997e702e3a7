"""A session for a page, or another client, that asks for one."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from sqlalchemy import Connection
from tornado import web

from jupyter_ext.kernels.launch_rules import NO_CHOICE, Choice
from jupyter_ext.kernels.manager import project_of, require_role
from jupyter_ext.platform.roles import Role
from jupyter_ext.platform.tokens import Identity
from jupyter_ext.sessions.checks import check_lengths, check_project
from jupyter_ext.sessions.document_starts import Sessions, kernel_of_document
from jupyter_ext.sessions.models import session_model
from jupyter_ext.sessions.paths import Document, real_path, shown_name, shown_path
from jupyter_ext.sessions.store import document_kernels, session_rows, starts
from jupyter_ext.sessions.store.session_rows import Session
from jupyter_ext.sessions.store.starts import Start


@dataclass(frozen=True)
class NewSession:
    """What a POST asks for. `awaited` says that the caller is not told of the session before its
    kernel runs."""

    path: str
    name: str | None = None
    type: str = "notebook"
    kernel_name: str | None = None
    kernel_id: str | None = None
    choice: Choice = NO_CHOICE
    awaited: bool = False


async def new_session(sessions: Sessions, wanted: NewSession, identity: Identity) -> dict[str, Any]:
    """Create a session; returns its model, with the posted path.

    The kernel is `kernel_id` if that is given and exists, else the one of the document, which is
    started if there is none, with what `choice` says. It may still be on its way. Raises HTTPError.
    """
    document = posted = Document(real_path(wanted.path, wanted.name, wanted.type), wanted.type)
    check_lengths(path=wanted.path, name=wanted.name or "", type_=wanted.type, real=document.path)
    project = project_of(document.path)
    if not project:
        raise web.HTTPError(400, "a session needs a path within a project")
    require_role(identity, project, Role.EDITOR)
    kernel_id = wanted.kernel_id
    deadline = time.monotonic() + sessions.start_patience
    while time.monotonic() < deadline:
        chosen = await sessions.kernel_or_none(kernel_id) if kernel_id else None
        start: Start | None = None
        if chosen is not None:
            check_project(chosen, project)
            kernel = chosen
        else:
            kernel, start = await kernel_of_document(
                sessions, document, wanted.kernel_name, kernel_id, wanted.choice
            )
            document = start.document
        # The document may have been renamed while its kernel started.
        place = (
            partial(document_kernels.chosen_document, document=document, kernel_id=kernel["id"])
            if start is None
            else partial(starts.document_of, start=start)
        )
        insert = partial(
            _insert,
            place=place,
            kernel_id=kernel["id"],
            posted=posted,
            wanted=wanted,
            username=identity.user,
        )
        inserted = await sessions.run(insert)
        if inserted is not None:
            if start is not None or await sessions.kernel_or_none(kernel["id"]) is not None:
                return session_model(replace(inserted, shown_path=wanted.path), kernel)
            # It had ended before the insert, and nothing told of it any more. Only the session
            # goes: somebody else may be starting a kernel of the same id by now.
            await sessions.run(partial(session_rows.forget_session, session_id=inserted.id))
        # Its last session went in the meantime and the kernel goes with it: another one.
        kernel_id = None
    raise web.HTTPError(503, "this notebook's kernel keeps being ended: try again")


def _insert(
    connection: Connection,
    *,
    place: Any,
    kernel_id: str,
    posted: Document,
    wanted: NewSession,
    username: str,
) -> Session | None:
    """The session's row, which may be there already; None if the document, which `place` finds, has
    another kernel by now."""
    here = place(connection)
    if here is None:
        return None
    shown = shown_path(wanted.path, posted, here)
    same = session_rows.same_session(connection, kernel_id, here, shown, username)
    if same is not None:
        if not wanted.awaited:
            session_rows.told(connection, same.id)
        return same
    new = session_rows.new_session(
        connection,
        kernel_id=kernel_id,
        document=here,
        shown_path=shown,
        name=shown_name(wanted.path, wanted.name or posted.base, posted, here),
        username=username,
        awaited=wanted.awaited,
    )
    return session_rows.add_session(connection, new)
