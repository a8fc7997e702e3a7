"""Launches of kernels: what models say of them, and waiting until a kernel runs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from tornado import web
from tornado.httputil import HTTPServerRequest

from jupyter_ext.wire import routes
from jupyter_ext.wire.headers import ASYNC, START_HEADER

_SHORTEST_POLL = 0.05
_LONGEST_POLL = 0.5

Model = dict[str, Any]
"""A kernel's model, as gateways have it (docs/protocols.md)."""


def launching(kernel: Model) -> bool:
    """Whether a kernel is on its way and does not run yet."""
    return kernel.get("state") == "launching"


def alive(kernel: Model) -> bool:
    """Whether a kernel can run code, now or once it is launched or reachable. A dead kernel keeps
    its record, with the reason, until somebody deletes it, but no document uses it any more."""
    return kernel.get("execution_state") != "dead" and kernel.get("state") != "dead"


def runs(kernel: Model) -> bool:
    """Whether a kernel is known to run code. One that `restarts` may be one whose process has never
    come up, and which is about to be given up."""
    return alive(kernel) and kernel.get("state") not in ("launching", "restarting", "unreachable")


def restarts(kernel: Model) -> bool:
    """Whether a kernel's process is being started, at first or again."""
    return kernel.get("state") == "restarting"


class LaunchError(web.HTTPError):
    """A start that did not bring a kernel that runs. `fields` are in the response besides the
    message."""

    def __init__(self, status: int, message: str, **fields: str) -> None:
        super().__init__(status, message)
        self.message = message
        self.fields = fields

    @property
    def body(self) -> dict[str, str]:
        """The JSON of the answer."""
        return {"message": self.message, **self.fields}


class LaunchFailed(LaunchError):
    """The kernel could not be started; the text says why."""

    def __init__(self, kernel: Model) -> None:
        reason = str(kernel.get("reason") or "the kernel ended while it was being started")
        super().__init__(500, reason, reason=reason, kernel_id=kernel["id"])


class StillLaunching(LaunchError):
    """The kernel does not run yet; the same request again joins its launch."""

    def __init__(self, kernel: Model) -> None:
        launch = kernel.get("launch") or {}
        words = str(launch.get("message") or launch.get("phase") or "")
        message = f"the kernel is still being started{': ' if words else ''}{words}"
        super().__init__(503, message, reason=words, kernel_id=kernel["id"])


def answers_at_once(request: HTTPServerRequest) -> bool:
    """Whether the client takes a kernel that is being launched. Others treat any kernel that they
    get as one that runs."""
    return request.headers.get(START_HEADER, "").strip().lower() == ASYNC


def cancels_launch(request: HTTPServerRequest) -> bool:
    """Whether a DELETE is a person's who cancels a launch, and ends no kernel that runs already.
    Raises HTTPError (400)."""
    try:
        return routes.cancels_launch(request.arguments)
    except ValueError as error:
        raise web.HTTPError(400, str(error)) from error


def seconds_to_answer(env: Any, most: float) -> float:
    """How long a client that sends this `env` with a start waits for the answer, at most `most`.
    Stock jupyter_servers name it, to be told before they give up."""
    wanted = env.get("KERNEL_LAUNCH_TIMEOUT") if isinstance(env, dict) else None
    try:
        seconds = float(wanted or most)
    except (TypeError, ValueError):
        return most
    return min(seconds, most) if seconds > 0 else most


async def until_it_runs(
    kernel: Model, ask: Callable[[str], Awaitable[Model]], deadline: float
) -> Model:
    """The kernel's model once it is launched; `ask` returns the present one for an id.

    Raises LaunchFailed, StillLaunching at the `deadline` (of `time.monotonic`), or the HTTPError of
    `ask` if the caller is not allowed (any more). While nobody can answer, it waits.
    """
    pause = _SHORTEST_POLL
    while launching(kernel) or restarts(kernel):
        if time.monotonic() + pause > deadline:
            raise StillLaunching(kernel)
        await asyncio.sleep(pause)
        pause = min(1.5 * pause, _LONGEST_POLL)
        try:
            kernel = await ask(kernel["id"])
        except web.HTTPError as error:
            if error.status_code == 404:
                reason = "the kernel was shut down while it was being started"
                raise LaunchFailed({**kernel, "reason": reason}) from error
            if error.status_code < 500:
                raise
    if not alive(kernel):
        raise LaunchFailed(kernel)
    return kernel
