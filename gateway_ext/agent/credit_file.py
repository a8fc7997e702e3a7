"""What the agent tells its kernel without a message: two words in a file that the kernel maps. The
first one says how many bytes of the kernel's output the agent has taken over for good, the
second one whether the kernel is being ended.

Neither a socket nor a thread is needed to read it, and processes that the kernel forks have it too.
"""

from __future__ import annotations

import contextlib
import logging
import os
import struct
import weakref
from collections.abc import Sequence
from pathlib import Path

VARIABLE = "FLEET_CREDIT"
"""The environment variable of a kernel that names the file."""
_NO_LIMIT = 2**64 - 1
_WORD = struct.Struct("=Q")
CREDIT_BYTES = 2 * _WORD.size
"""Of the file."""
_KERNEL_MODULE = "gateway_ext.agent.python_kernel"

_log = logging.getLogger("fleet.agent")


def waits_for_credit(argv: Sequence[str]) -> bool:
    """Whether the kernel of this command waits for credit."""
    return _KERNEL_MODULE in argv


class CreditFile:
    """The file of one process of the kernel, written by the agent.

    Each word is read and written as a whole, in the byte order of this machine.
    """

    def __init__(self, path: Path) -> None:
        """Make the file anew: whoever has mapped one that was here before keeps that. Blocks;
        raises OSError."""
        self.path = path
        path.unlink(missing_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        weakref.finalize(self, os.close, self._file).atexit = False
        os.pwrite(self._file, bytes(CREDIT_BYTES), 0)

    def taken(self, total_bytes: int) -> None:
        """The agent has taken over this many bytes of iopub messages, all frames of all messages
        counted, since the process began. What was received and cannot be read counts as well."""
        self._write(0, total_bytes)

    def release(self) -> None:
        """The process has ended: what it leaves behind need not wait any more."""
        self._write(0, _NO_LIMIT)

    def end(self) -> None:
        """The process is being ended: it begins no other cell."""
        self._write(1, 1)

    def _write(self, word: int, number: int) -> None:
        # Not through a mapping: the kernel's user may truncate the file, and whoever writes to a
        # page that is not there any more is ended.
        with contextlib.suppress(OSError):
            os.pwrite(self._file, _WORD.pack(number), word * _WORD.size)


def open_credit(path: Path) -> CreditFile | None:
    """The file, or None where none can be written: the kernel is then never slowed. Blocks."""
    try:
        return CreditFile(path)
    except OSError as error:
        _log.warning("the kernel's output is not slowed down when it is too fast: %s", error)
        return None
