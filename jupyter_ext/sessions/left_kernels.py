"""The kernel of a session that is deleted, or that has left it for another one."""

from __future__ import annotations

import asyncio
from functools import partial

from sqlalchemy import Connection
from tornado import web

from jupyter_ext.kernels.launches import runs
from jupyter_ext.sessions.former_kernels import EndingSessions
from jupyter_ext.sessions.store import endings, former_kernels
from jupyter_ext.sessions.store.session_rows import Session, hold_session


async def end_unused(sessions: EndingSessions, kernel_id: str) -> None:
    """End a kernel if no session uses it. Raises HTTPError."""
    await sessions.end(await sessions.run(partial(endings.release_kernel, kernel_id=kernel_id)))


async def end_session(sessions: EndingSessions, session_id: str, *, launching: bool) -> None:
    """End a session, and its kernel and its former one if no other session uses them. Raises
    HTTPError.

    With `launching` it is 409, and session and kernel stay, if the kernel runs already, or if the
    session would go back to its former kernel.
    """

    def release(connection: Connection) -> list[endings.Ending]:
        held = hold_session(connection, session_id) if launching else None
        if held is not None and held.former_kernel is not None:
            raise web.HTTPError(409, "the notebook keeps its earlier kernel: cancel the new kernel")
        return endings.release_session(connection, session_id)

    ended = [sessions.end(each, launching=launching) for each in await sessions.run(release)]
    for error in await asyncio.gather(*ended, return_exceptions=True):
        if error is not None:
            raise error


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
    ending = await sessions.run(partial(endings.release_kernel, kernel_id=kernel_id))
    try:
        # Only the gateway can tell: a look beforehand would be old by now.
        await sessions.end(ending, launching=True)
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
