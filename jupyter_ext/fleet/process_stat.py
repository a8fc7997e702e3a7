"""Fields of ``/proc/PID/stat``."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ProcessStat:
    """One process at one moment."""

    state: str
    """One letter: ``R``, ``S``, …; ``Z`` if it has ended and waits to be collected."""
    parent: int
    """The parent's process id."""
    started: int
    """In clock ticks since boot; distinguishes two processes that had the same pid."""

    @property
    def age(self) -> float:
        """For how many seconds it has run."""
        ticks = os.sysconf("SC_CLK_TCK")
        return time.clock_gettime(time.CLOCK_BOOTTIME) - self.started / ticks

    @classmethod
    def parse(cls, text: str) -> ProcessStat:
        """From the file's text; raises ValueError or IndexError if it is malformed."""
        # The name of the program, the second field, may contain blanks and brackets.
        fields = text.rpartition(")")[2].split()
        return cls(fields[0], int(fields[1]), int(fields[19]))

    @classmethod
    def of(cls, pid: int) -> ProcessStat | None:
        """Of the process with this id; None if there is none."""
        try:
            return cls.parse(Path(f"/proc/{pid}/stat").read_text())
        except (OSError, IndexError):
            return None
