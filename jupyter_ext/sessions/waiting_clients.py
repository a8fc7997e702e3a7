"""Clients that are told of their session when its kernel runs, or why it does not."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

from jupyter_ext.kernels.launches import LaunchFailed
from jupyter_ext.sessions.document_starts import Sessions
from jupyter_ext.sessions.store import endings, session_rows


async def when_it_runs(
    sessions: Sessions, model: dict[str, Any], deadline: float
) -> dict[str, Any]:
    """The session's model once its kernel runs; `deadline` is one of `time.monotonic`.

    Raises LaunchFailed, after which the session is gone if it was made for such clients alone, or
    StillLaunching.
    """
    try:
        kernel = await sessions.kernel_manager.until_it_runs(
            model["kernel"], deadline - time.monotonic()
        )
    except LaunchFailed as failure:
        raise await told_failed(sessions, model["id"], failure) from None
    await sessions.run(partial(session_rows.told, session_id=model["id"]))
    return {**model, "kernel": kernel}


async def told_failed(sessions: Sessions, session_id: str, failure: LaunchFailed) -> LaunchFailed:
    """The failure, whose session goes if it was made for waiting clients alone."""
    kernel_id = failure.fields["kernel_id"]
    await sessions.run(partial(endings.forget_failed, session_id=session_id, kernel_id=kernel_id))
    return failure
