"""The kernel of a document, which one of all labs starts."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from typing import Any, Protocol

from sqlalchemy import Connection
from tornado import web

from jupyter_ext.kernels.launch_rules import Choice
from jupyter_ext.kernels.launches import Model, alive
from jupyter_ext.kernels.manager import FleetKernelManager
from jupyter_ext.sessions.paths import Document
from jupyter_ext.sessions.store import session_rows, starts
from jupyter_ext.sessions.store.launch_choices import kept_document
from jupyter_ext.sessions.store.starts import Claim, Start

_SHORTEST_POLL = 0.03
_LONGEST_POLL = 0.3


class Sessions(Protocol):
    """What this needs of the session manager."""

    kernel_manager: FleetKernelManager
    lease_seconds: float
    start_patience: float

    async def run(self, function: Any, *, read_only: bool = False) -> Any: ...

    async def kernel_or_none(self, kernel_id: str) -> Model | None: ...

    async def give_back(self, kernel_id: str) -> None: ...


async def kernel_of_document(
    sessions: Sessions,
    document: Document,
    kernel_name: str | None,
    kernel_id: str | None,
    choice: Choice,
) -> tuple[Model, Start]:
    """The model of the document's kernel, which exactly one of all concurrent callers starts, and
    the record of that start. The kernel has a record and may still be on its way.

    A kernel that is dead is no longer the document's: its sessions there get the new one.
    `kernel_id` is the id for a new kernel, `choice` what it is started with. Raises HTTPError.
    """
    lease = timedelta(seconds=sessions.lease_seconds)
    deadline = time.monotonic() + sessions.start_patience
    poll = _SHORTEST_POLL
    claim = partial(starts.claim_start, document=document, lease=lease, kernel_id=kernel_id)
    start: Start | None = None
    dead: set[str] = set()
    while True:
        start = await sessions.run(partial(claim, waited=start))
        if start.claim is Claim.START:
            return await _start(sessions, start, kernel_name, lease, choice, dead), start
        if start.claim is Claim.ATTACH:
            kernel = await sessions.kernel_or_none(start.kernel_id)
            if kernel is not None and alive(kernel):
                return kernel, start
            if kernel is not None:
                dead.add(start.kernel_id)
            # If it was to take another one's place, the document has that one again.
            await sessions.give_back(start.kernel_id)
            await sessions.run(partial(starts.drop_start, start=start))
            continue
        if time.monotonic() > deadline:
            raise web.HTTPError(
                503, "another server has been starting this notebook's kernel for too long"
            )
        await asyncio.sleep(poll)
        poll = min(2 * poll, _LONGEST_POLL)


async def _start(
    sessions: Sessions,
    start: Start,
    kernel_name: str | None,
    lease: timedelta,
    choice: Choice,
    dead: set[str],
) -> Model:
    path = start.document.path
    try:
        async with _renewing(sessions, start, lease):
            kernel = await sessions.kernel_manager.launch(
                kernel_id=start.kernel_id,
                path=path,
                kernel_name=kernel_name,
                env=kernel_environment(path),
                choice=choice,
                document=kept_document(start.document),
            )
    except web.HTTPError as error:
        # 5xx except 500 and 501: the gateway may or may not have started the kernel.
        unknown = error.status_code > 501
        await sessions.run(
            partial(starts.release_start if unknown else starts.drop_start, start=start)
        )
        raise
    except BaseException:
        await asyncio.shield(sessions.run(partial(starts.release_start, start=start)))
        raise

    def finish(connection: Connection) -> None:
        if starts.finish_start(connection, start) and dead:
            here = starts.document_of(connection, start) or start.document
            session_rows.follow_document(connection, here, dead, start.kernel_id)

    await sessions.run(finish)
    return kernel


@contextlib.asynccontextmanager
async def _renewing(sessions: Sessions, start: Start, lease: timedelta) -> AsyncIterator[None]:
    renew = partial(starts.renew_start, start=start, lease=lease)

    async def keep() -> None:
        while True:
            await asyncio.sleep(lease.total_seconds() / 3)
            # A database that is away for a moment costs the lease at worst.
            with contextlib.suppress(web.HTTPError):
                await sessions.run(renew)

    task = asyncio.ensure_future(keep())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def kernel_environment(path: str) -> dict[str, str]:
    """The environment variables that tell a kernel about its document, as in stock Jupyter."""
    return {"JPY_SESSION_NAME": path}
