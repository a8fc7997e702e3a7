"""The kernel that a session had before: it stays until another one runs in its place."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import time
from functools import partial
from typing import Protocol

from sqlalchemy import Connection
from tornado import web

from jupyter_ext.kernels.launches import Model, alive, launching, runs
from jupyter_ext.sessions.document_starts import Sessions
from jupyter_ext.sessions.store import endings, former_kernels
from jupyter_ext.sessions.store.session_rows import Session

_SHORTEST_POLL = 0.1
_LONGEST_POLL = 2.0


class EndingSessions(Sessions, Protocol):
    """What this needs of the session manager."""

    async def end(self, ending: endings.Ending | None) -> None: ...

    async def end_kernel(
        self, kernel_id: str, reason: str = "", *, launching: bool = False
    ) -> None: ...


def former_of(old: Session, present: Session, kernel: Model | None, new: str) -> str | None:
    """The kernel that a session should go back to if its `new` one cannot be started.

    `old` is the session as it is being changed, `kernel` the model of the kernel that it had when
    it was `present`, None if that is gone. What does not run yet is not worth going back to."""
    former = old.former_kernel
    if former is None:
        known = old.kernel_id == present.kernel_id
        if known and (kernel is None or launching(kernel) or not alive(kernel)):
            return None
        former = old.kernel_id
    return None if former == new else former


async def settle(sessions: EndingSessions, kernel_id: str) -> bool:
    """If this kernel runs, end the ones that sessions had before it; if it could not be started,
    the sessions have those again. False while it is on its way. Raises HTTPError."""
    changes = await sessions.run(partial(former_kernels.pending_changes, kernel_id=kernel_id))
    if not changes:
        return True
    kernel = await sessions.kernel_or_none(kernel_id)
    if kernel is not None and alive(kernel) and not runs(kernel):
        return False
    if kernel is None or not alive(kernel):
        await _give_back(sessions, kernel_id, changes)
        return True
    for session_id, former in changes:
        await sessions.end(
            await sessions.run(
                partial(_let_go, session_id=session_id, kernel_id=kernel_id, former=former)
            )
        )
    return True


async def give_back(sessions: EndingSessions, kernel_id: str) -> None:
    """The same, for a kernel that is known to have failed, and by a caller who may do no more than
    look. What cannot be settled now, others settle."""
    with contextlib.suppress(web.HTTPError):
        changes = await sessions.run(partial(former_kernels.pending_changes, kernel_id=kernel_id))
        await _give_back(sessions, kernel_id, changes)


async def _give_back(
    sessions: EndingSessions, kernel_id: str, changes: list[tuple[str, str]]
) -> None:
    for session_id, former in changes:
        kernel = await sessions.kernel_or_none(former)
        lives = kernel is not None and alive(kernel)
        decide = former_kernels.give_back if lives else former_kernels.forget_former
        await sessions.run(
            partial(decide, session_id=session_id, kernel_id=kernel_id, former=former)
        )


def _let_go(
    connection: Connection, session_id: str, kernel_id: str, former: str
) -> endings.Ending | None:
    """The ending of a former kernel, recorded as its session forgets it."""
    if not former_kernels.forget_former(connection, session_id, kernel_id, former):
        return None
    return endings.release_kernel(connection, former)


class ChangeWatch:
    """Settles the changes that this lab has made. If it dies, the session sweep of another does."""

    def __init__(self, sessions: EndingSessions, seconds: float) -> None:
        """Each kernel is watched for so many seconds at most."""
        self._sessions = sessions
        self._seconds = seconds
        self._tasks: set[asyncio.Task[None]] = set()

    def watch(self, kernel_id: str) -> None:
        """Settle when this kernel runs or cannot be started."""
        # Not as the user, whose token expires before the last kernel is started: as the lab.
        task = asyncio.get_running_loop().create_task(
            self._watch(kernel_id), context=contextvars.Context()
        )
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def close(self) -> None:
        """Stop watching."""
        for task in self._tasks:
            task.cancel()

    async def _watch(self, kernel_id: str) -> None:
        deadline = time.monotonic() + self._seconds
        pause = _SHORTEST_POLL
        while time.monotonic() < deadline:
            await asyncio.sleep(pause)
            pause = min(1.5 * pause, _LONGEST_POLL)
            # While gateways or database are away, it waits.
            with contextlib.suppress(web.HTTPError):
                if await settle(self._sessions, kernel_id):
                    return
