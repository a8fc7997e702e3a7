"""The kernel of a session that is deleted, or that has left it for another one."""

from __future__ import annotations

from functools import partial

from sqlalchemy import Connection
from tornado import web

from jupyter_ext.kernels.launches import Model, launching, runs
from jupyter_ext.sessions.former_kernels import EndingSessions
from jupyter_ext.sessions.store import endings, former_kernels, session_rows
from jupyter_ext.sessions.store.session_rows import Session, hold_session


async def end_unused(sessions: EndingSessions, kernel_id: str) -> None:
    """End a kernel if no session uses it. Raises HTTPError."""
    await sessions.end(await sessions.run(partial(endings.release_kernel, kernel_id=kernel_id)))


async def end_session(sessions: EndingSessions, session_id: str) -> None:
    """End a session, and its kernel and its former one if no other session uses them. Raises
    HTTPError; if its kernel is not ended, nothing has changed.
    """
    release = partial(endings.release_session, session_id=session_id)
    for ending in await sessions.run(release):
        await sessions.end(ending)


async def cancel_session(sessions: EndingSessions, session_id: str) -> None:
    """End a session and the launch of its kernel. If other sessions use the kernel as well, its
    launch goes on for them.

    Raises HTTPError, after which nothing has changed for anybody: 409 if the kernel runs already,
    or if the session would go back to its former kernel.
    """
    kernel_id, others = await sessions.run(partial(_cancelable, session_id=session_id))
    while others:
        kernel = await sessions.kernel_or_none(kernel_id)
        if kernel is not None and not _never_ran(kernel):
            raise web.HTTPError(409, f"kernel {kernel_id} runs already: shut it down instead")
        release = partial(endings.release_shared, session_id=session_id, kernel_id=kernel_id)
        if await sessions.run(release):
            return
        kernel_id, others = await sessions.run(partial(_cancelable, session_id=session_id))
    await _cancel_launch(sessions, kernel_id)
    if await sessions.run(partial(session_rows.get_session, session_id=session_id)) is not None:
        raise web.HTTPError(409, "the notebook has got another kernel meanwhile")


def _cancelable(connection: Connection, session_id: str) -> tuple[str, bool]:
    """The kernel of a session that a person cancels, and whether other sessions use it."""
    held = hold_session(connection, session_id)
    if held is None:
        raise web.HTTPError(404, f"Session not found: {session_id}")
    if held.former_kernel is not None:
        raise web.HTTPError(409, "the notebook keeps its earlier kernel: cancel the new kernel")
    return held.kernel_id, session_rows.count_sessions(connection, held.kernel_id) > 1


def _never_ran(kernel: Model) -> bool:
    """Whether a kernel has run no code: it is on its way, or could not be started."""
    return launching(kernel) or bool(kernel.get("launch_failed"))


async def _cancel_launch(sessions: EndingSessions, kernel_id: str) -> None:
    """End a kernel unless it runs already: then raises HTTPError (409).

    Only the gateway can tell: a look beforehand would be old by now. Nothing is recorded before it
    has answered, so that a refusal changes nothing, and nobody ends the kernel after all if this
    lab dies. Sessions that the kernel gets until then end with it.
    """
    await sessions.end_kernel(kernel_id, launching=True)


async def stay(sessions: EndingSessions, old: Session, new: Session) -> None:
    """Others ended the `new` kernel as a session got it: the session has its `old` one again,
    unless somebody has changed it meanwhile. Raises HTTPError."""
    if new.kernel_id == old.kernel_id:
        return
    back = partial(former_kernels.take_back, old=old, kernel_id=new.kernel_id)
    if not await sessions.run(back):
        await leave(sessions, old, new, runs_already=False)


async def leave(
    sessions: EndingSessions, old: Session, new: Session, *, runs_already: bool
) -> bool:
    """End the kernel that a session had, if no session uses it and if it is not kept as former
    kernel. `runs_already` says that the session's `new` kernel was known to run: then the former
    kernel that it had ends as well.

    If the kernel that it had was not known to run, and does by now, it may hold variables: the
    session keeps it as its former kernel, in place of any other. True if so. Raises HTTPError.
    """
    if runs_already:
        for unused in {old.kernel_id, old.former_kernel or old.kernel_id}:
            await end_unused(sessions, unused)
        return False
    kernel_id = old.kernel_id
    if not await sessions.run(partial(endings.is_unused, kernel_id=kernel_id)):
        return False
    try:
        await _cancel_launch(sessions, kernel_id)
        return False
    except web.HTTPError as error:
        if error.status_code != 409:
            raise
    kernel = await sessions.kernel_or_none(kernel_id)
    kept = new.former_kernel is None or (kernel is not None and runs(kernel))
    if kept:
        keep = partial(former_kernels.keep_left, session_id=new.id, left=kernel_id)
        kept, other = await sessions.run(keep)
        if other is not None:
            await end_unused(sessions, other)
    if not kept:
        await end_unused(sessions, kernel_id)
    return kept
