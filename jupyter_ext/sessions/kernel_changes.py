"""Another kernel for a session, as a user asks for one in a PATCH."""

from __future__ import annotations

import time
import uuid
from functools import partial
from typing import cast

from tornado import web

from jupyter_ext.kernels.launch_rules import Choice
from jupyter_ext.kernels.launches import LaunchFailed, Model, alive, launching
from jupyter_ext.kernels.specs import FleetKernelSpecManager
from jupyter_ext.launch_options.shown import shown_options
from jupyter_ext.sessions.document_starts import Sessions, kernel_environment, kernel_of_document
from jupyter_ext.sessions.former_kernels import EndingSessions, settle
from jupyter_ext.sessions.paths import Document
from jupyter_ext.sessions.store import session_rows, started_kernels
from jupyter_ext.sessions.store.launch_choices import kept_document
from jupyter_ext.sessions.store.session_rows import Session


async def other_kernel(
    sessions: Sessions,
    present: Session,
    kernel: Model | None,
    where: Document,
    kernel_name: str,
    choice: Choice,
    *,
    awaited: str | None,
) -> str:
    """The id of the kernel that a session gets when its user asks for one of this name and choice:
    a new one, or such a one that is on its way. It has a record and may not run yet. Raises
    HTTPError.

    `kernel` is the session's present one, None if it is gone. `awaited` is the one that the caller
    has asked for before without having been told of it. It may run by now, or have failed: then
    raises LaunchFailed."""
    if (
        kernel is not None
        and (awaited == present.kernel_id or launching(kernel))
        and await _is_wanted(sessions, kernel, kernel_name, choice)
    ):
        return present.kernel_id
    if awaited is not None and awaited != present.kernel_id:
        await _tell_failure(sessions, present, awaited, kernel_name, choice)
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


async def _tell_failure(
    sessions: Sessions, present: Session, awaited: str, kernel_name: str, choice: Choice
) -> None:
    """Raise LaunchFailed if this kernel, in whose place the session has its former one again, is
    such a one as is asked for."""
    failed = await sessions.kernel_or_none(awaited)
    if failed is None or alive(failed):
        return
    if await _is_wanted(sessions, failed, kernel_name, choice):
        await sessions.run(
            partial(session_rows.told_of_kernel, session_id=present.id, kernel_id=awaited)
        )
        raise LaunchFailed(failed)


def ended_meanwhile(kernel_id: str, started: str | None) -> web.HTTPError:
    """What a PATCH is told whose kernel others have ended meanwhile. `started` is the id if it was
    asked for by name, None if the caller chose the kernel."""
    if started is None:
        return web.HTTPError(400, f"No such kernel: {kernel_id}")
    return web.HTTPError(
        409, "somebody else has ended or changed this notebook's kernel meanwhile: try again"
    )


async def when_changed(
    sessions: EndingSessions, new: Session, kernel: Model, deadline: float
) -> Model:
    """The model of the kernel that a session has got, once it runs; `deadline` is one of
    `time.monotonic`.

    Raises LaunchFailed, after which the session has its former kernel again if that lives, or
    StillLaunching, after which the same request joins the launch.
    """
    told = partial(session_rows.told_of_kernel, session_id=new.id, kernel_id=new.kernel_id)
    try:
        kernel = await sessions.kernel_manager.until_it_runs(kernel, deadline - time.monotonic())
    except LaunchFailed:
        await sessions.run(told)
        await settle(sessions, new.kernel_id)
        raise
    await sessions.run(told)
    return kernel
