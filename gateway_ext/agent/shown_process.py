"""What `ps` and /proc show of a process that was forked and runs no program of its own."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

_ARG_START = 45
"""Place in /proc/self/stat behind the command's closing bracket: fields 48 to 51 of proc(5) are
where arguments and environment begin and end in memory."""


def room_filled(parts: Sequence[bytes], room: int) -> bytes:
    """`parts`, each with a NUL behind it, cut or filled with NULs to `room` bytes."""
    return b"".join(part + b"\0" for part in parts)[: room - 1].ljust(room, b"\0")


def show_as(arguments: Sequence[str], environment: Mapping[str, str]) -> None:
    """Make /proc show these arguments and this environment, as far as there is room.

    The room is that of this program's own. Call it when no C code uses the old environment any
    more: after it was replaced in os.environ.
    """
    stat = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    arg_start, arg_end, env_start, env_end = map(int, stat[_ARG_START : _ARG_START + 4])
    if not arg_start < arg_end <= env_start < env_end:
        # Hidden from us, or a machine that lays it out differently: nothing is to be overwritten.
        return
    shown = room_filled([os.fsencode(argument) for argument in arguments], arg_end - arg_start)
    ctypes.memmove(arg_start, shown, len(shown))
    variables = [os.fsencode(f"{name}={value}") for name, value in environment.items()]
    shown = room_filled(variables, env_end - env_start)
    ctypes.memmove(env_start, shown, len(shown))
