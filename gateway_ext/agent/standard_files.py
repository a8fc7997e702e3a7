"""What a process that runs no program of its own reads and writes."""

from __future__ import annotations

import os


def read_nothing() -> None:
    """There is nothing to read on standard input."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)


def take_output(output: int) -> None:
    """Make a file the standard output and error; there is nothing to read on standard input."""
    read_nothing()
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
