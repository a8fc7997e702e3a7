"""Another kernel for a session, as a user asks for one in a PATCH."""

from __future__ import annotations

import time
import uuid
from dataclasses import replace
from functools import partial
from typing import cast

from sqlalchemy import Connection

from jupyter_ext.kernels.launch_rules import Choice
from jupyter_ext.kernels.launches import LaunchFailed, Model, alive, launching
from jupyter_ext.kernels.specs import FleetKernelSpecManager
from jupyter_ext.launch_options.shown import shown_options
from jupyter_ext.sessions.document_starts import Sessions, kernel_environment, kernel_of_document
from jupyter_ext.sessions.paths import Document
from jupyter_ext.sessions.store import document_kernels, session_rows, started_kernels
from jupyter_ext.sessions.store.launch_choices import kept_document
from jupyter_ext.sessions.store.session_rows import Session


async def other_kernel(
    sessions: Sessions,
    present: Session,
    where: Document,
    kernel_name: str,
    choice: Choice,
    *,
    awaited: bool,
) -> str:
    """The id of the kernel that a session gets when its user asks for one of this name and choice:
    a new one, or such a one that is on its way. It has a record and may not run yet. Raises
    HTTPError.

    `awaited` says that the caller has asked for the session's kernel before and has not been told
    of it: it may run by now, or have failed."""
    kernel = await sessions.kernel_or_none(present.kernel_id)
    if (
        kernel is not None
        and (awaited or launching(kernel))
        and await _is_wanted(sessions, kernel, kernel_name, choice)
    ):
        return present.kernel_id
    if kernel is not None and not alive(kernel):
        # Other pages of the document may be starting it again as well.
        kernel, start = await kernel_of_document(sessions, where, kernel_name, None, choice)
        if await _is_wanted(sessions, kernel, kernel_name, choice):
            return start.kernel_id
    kernel_id = str(uuid.uuid4())
    await sessions.run(partial(started_kernels.note_kernel, kernel_id=kernel_id))
    await sessions.kernel_manager.launch(
        kernel_id=kernel_id,
        path=where.path,
        kernel_name=kernel_name,
        env=kernel_environment(where.path),
        choice=choice,
        document=kept_document(where),
    )
    return kernel_id


async def _is_wanted(sessions: Sessions, kernel: Model, kernel_name: str, choice: Choice) -> bool:
    """Whether a start by this name and choice gives a kernel like this one, as far as that can be
    seen. Its name may differ."""
    has = kernel.get("launch_options") or {}
    wanted = shown_options(choice.wanted)
    if wanted.get("environment"):
        # The user may have entered other values now.
        return False
    if any(name not in has or has[name] != value for name, value in wanted.items()):
        return False
    if kernel["name"] == kernel_name:
        return True
    specs = cast(FleetKernelSpecManager, sessions.kernel_manager.kernel_spec_manager)
    try:
        return bool((await specs.get_kernel_spec(kernel_name))["name"] == kernel["name"])
    except KeyError:
        return False


async def when_changed(
    sessions: Sessions, old: Session, new: Session, kernel: Model, deadline: float
) -> Model:
    """The model of the kernel that a session has got, once it runs; `deadline` is one of
    `time.monotonic`.

    Raises LaunchFailed, after which the session has its old kernel again if that lives, or
    StillLaunching, after which the same request joins the launch.
    """
    told = partial(session_rows.told_of_kernel, session_id=new.id, kernel_id=new.kernel_id)
    try:
        kernel = await sessions.kernel_manager.until_it_runs(kernel, deadline - time.monotonic())
    except LaunchFailed:
        await sessions.run(told)
        if old.kernel_id != new.kernel_id:
            await _give_back(sessions, old, new)
        raise
    await sessions.run(told)
    return kernel


async def _give_back(sessions: Sessions, old: Session, new: Session) -> None:
    """Give a session the kernel that it had before a change, if that still lives and nobody has
    changed it again."""
    kernel = await sessions.kernel_or_none(old.kernel_id)
    if kernel is None or not alive(kernel):
        return

    def change(connection: Connection) -> None:
        held = session_rows.hold_session(connection, old.id)
        if held is None or held.kernel_id != new.kernel_id:
            return
        if document_kernels.may_use(connection, old.kernel_id):
            back = replace(held, kernel_id=old.kernel_id)
            session_rows.change_session(connection, old=held, new=back)

    await sessions.run(change)
