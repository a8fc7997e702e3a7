"""Calls of the fleet from a kernel: `from gateway_ext.kernel_tools.fleet_calls import call_fleet`.

A kernel holds no token and needs no network for them: its agent passes them on, and the fleet acts
as the kernel's project and the user who started it.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from collections.abc import Mapping
from typing import Any

from gateway_ext.agent.call_lines import LONGEST_LINE, VARIABLE, call_line

_TOO_MANY = 429
_PAUSE_SECONDS = 0.2


class FleetCallError(RuntimeError):
    """The fleet has not done what it was asked; `status` has the meaning that it has in HTTP."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class NoFleet(RuntimeError):
    """This process is not in a kernel of a fleet, or not on the kernel's own machine."""


def call_fleet(
    name: str, arguments: Mapping[str, Any] | None = None, *, timeout: float = 90.0
) -> dict[str, Any]:
    """Make the call of this name (docs/protocols.md) and return its result.

    `arguments` must be JSON. Waits up to `timeout` seconds, also while the fleet says that it gets
    too many calls. Raises FleetCallError, NoFleet, TimeoutError, and ValueError or TypeError for
    arguments that cannot be sent.
    """
    path = os.environ.get(VARIABLE)
    if not path:
        raise NoFleet(
            f"{VARIABLE} is not set: only a kernel that a fleet's gateway has started can call the "
            "fleet. A kernel that was started before the fleet was updated must be started again"
        )
    line = call_line(1, name, dict(arguments or {}))
    deadline = time.monotonic() + timeout
    while True:
        try:
            return _result_in(_exchange(path, line, deadline))
        except FleetCallError as error:
            # Such a call was not begun.
            if error.status != _TOO_MANY or time.monotonic() + _PAUSE_SECONDS > deadline:
                raise
        except BlockingIOError:
            if time.monotonic() + _PAUSE_SECONDS > deadline:
                raise TimeoutError(f"the kernel's agent was too busy for {timeout:g} s") from None
        time.sleep(_PAUSE_SECONDS)


def launch_details() -> dict[str, Any]:
    """What this kernel is: `kernel_id`, `project`, `path` of its notebook, `username` (who started
    it), `kernel_name`, `launch_options`, `owner` (the gateway) with its `epoch`, and `started` (ISO
    8601, UTC). Raises as `call_fleet`."""
    return call_fleet("launch-details")


def _exchange(path: str, line: bytes, deadline: float) -> bytes:
    """The line that answers; raises BlockingIOError if too many others are waiting to connect."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        _wait_until(connection, deadline)
        try:
            connection.connect(path)
        except (FileNotFoundError, ConnectionRefusedError, PermissionError) as error:
            raise NoFleet(
                f"the kernel's agent cannot be reached at {path} ({error.strerror}): only the "
                "kernel and what it starts as its own user, on its own machine, can call the fleet"
            ) from error
        # An agent that closes the connection has said why.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(line)
        answer = bytearray()
        while not answer.endswith(b"\n"):
            _wait_until(connection, deadline)
            try:
                piece = connection.recv(LONGEST_LINE)
            except ConnectionResetError:
                piece = b""
            if not piece:
                raise FleetCallError(503, "the kernel's agent ended the connection: try again")
            answer += piece
        return bytes(answer)


def _wait_until(connection: socket.socket, deadline: float) -> None:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("the fleet has not answered in time")
    connection.settimeout(left)


def _result_in(line: bytes) -> dict[str, Any]:
    answer = json.loads(line)
    if answer["ok"]:
        result: dict[str, Any] = answer["result"]
        return result
    raise FleetCallError(answer["status"], answer["message"])
