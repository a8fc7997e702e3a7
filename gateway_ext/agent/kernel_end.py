"""Why the kernel's process has ended, in words for a person."""

from __future__ import annotations

import signal

from .memory_limit import megabytes

_KILLED = (-signal.SIGKILL, 128 + signal.SIGKILL)
"""Also as a shell passes it on."""

_MEANINGS: dict[int, str] = {signal.SIGSEGV: " (segmentation fault)"}


def is_killed(exit_code: int) -> bool:
    """Whether the process was ended by SIGKILL, with which the system ends what needs too much
    memory."""
    return exit_code in _KILLED


def why_ended(
    exit_code: int,
    *,
    out_of_memory: bool | None,
    reached: str = "",
    container_bytes: int | None = None,
) -> str:
    """Why a process ended with this exit code, negative for a signal.

    `out_of_memory` says whether the system has ended a process of the same cgroup, None if that is
    not known; `reached` is the reason if the cgroup has the kernel's own limit, empty if it is that
    of a container, which may use `container_bytes`, or has no limit.
    """
    if is_killed(exit_code) and out_of_memory:
        if reached:
            return reached
        if container_bytes is None:
            return "out of memory: the kernel's machine or container had none left and ended it"
        return (
            f"out of memory: the kernel's container, which may use {megabytes(container_bytes)}, "
            "or its machine had none left and ended it. Work on less data at a time, or ask for "
            "more"
        )
    if is_killed(exit_code) and out_of_memory is False:
        return (
            "the kernel was ended by SIGKILL, and not because the system was out of memory: "
            "something else has killed it"
        )
    if exit_code >= 0:
        return f"the kernel ended with exit code {exit_code}"
    try:
        name = signal.Signals(-exit_code).name
    except ValueError:
        name = f"signal {-exit_code}"
    hint = " (often: out of memory)" if is_killed(exit_code) else _MEANINGS.get(-exit_code, "")
    return f"the kernel was ended by {name}{hint}"
