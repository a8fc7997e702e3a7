"""A cell whose every line and display has a number, and what became of them in a notebook."""

import json
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

NUMBER = re.compile(r"^(\d{6}) x+$")
LINE_END = "x" * 60

_SOURCE = """
import os, time
from IPython.display import display
with open({runs!r}, "a") as file:
    file.write(f"{{os.getpid()}}\\n")
time.sleep({delay})
began = time.monotonic()
for number in range(1, {total} + 1):
    text = f"{{number:06d}} {line_end}"
    if number % {every} == 0:
        # HTML would be in a frame where the page's user has not run it.
        display({{"text/markdown": f"**{{text}}**", "text/plain": text}}, raw=True)
    else:
        print(text, flush={flush})
    late = began + number * {seconds} / {total} - time.monotonic()
    if late > 0:
        time.sleep(late)
with open({end!r}, "w") as file:
    file.write("ended")
"""


@dataclass(frozen=True)
class NumberedCell:
    """Prints `lines` lines and shows `displays` displays between them, over `seconds`.

    In the existing `folder` the cell says that it runs and that it has ended; kernels of any user
    must be able to write there.
    """

    lines: int
    displays: int
    seconds: float
    folder: Path
    delay: float = 0.0
    """Seconds before the first line."""
    flush: bool = False
    """Whether each line is a message of its own."""

    @property
    def total(self) -> int:
        """The highest number."""
        return self.lines + self.displays

    @property
    def source(self) -> str:
        """The cell's text."""
        return _SOURCE.format(
            runs=str(self._runs),
            end=str(self._end),
            delay=self.delay,
            flush=self.flush,
            total=self.total,
            every=self.total // self.displays if self.displays else self.total + 1,
            seconds=self.seconds,
            line_end=LINE_END,
        ).strip()

    @property
    def _runs(self) -> Path:
        return self.folder / "runs"

    @property
    def _end(self) -> Path:
        return self.folder / "end"

    @property
    def runs(self) -> list[int]:
        """The kernel's process of each time that the cell began."""
        return [int(pid) for pid in self._runs.read_text().split()] if self._runs.exists() else []

    @property
    def ended(self) -> bool:
        """Whether it came to its end."""
        return self._end.exists()

    @property
    def kernel_lost(self) -> bool:
        """Whether the process in which it began is gone, and it has not ended."""
        return bool(self.runs) and not self.ended and not _lives(self.runs[-1])


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@dataclass(frozen=True)
class Found:
    """What a list of outputs holds of `total` numbers."""

    total: int
    lost: list[int]
    doubled: list[int]
    disordered: int
    """How often a number comes after a higher one."""
    other: list[str]
    """Text that the cell did not write, shortened."""

    @property
    def right(self) -> bool:
        """Every number once and in order, and nothing else."""
        return not (self.lost or self.doubled or self.disordered or self.other)

    def __str__(self) -> str:
        if self.right:
            return f"all {self.total}"
        parts = [
            f"lost {_ranges(self.lost)}" if self.lost else "",
            f"doubled {_ranges(self.doubled)}" if self.doubled else "",
            f"out of order {self.disordered}" if self.disordered else "",
            f"others' text {self.other[:3]}" if self.other else "",
        ]
        return "; ".join(part for part in parts if part)


def _ranges(numbers: Sequence[int]) -> str:
    """`4 (1-3, 7)` for 1, 2, 3 and 7."""
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    shown = ", ".join(f"{a}-{b}" if a != b else str(a) for a, b in ranges[:6])
    return f"{len(numbers)} ({shown}{', …' if len(ranges) > 6 else ''})"


def find_numbers(outputs: Sequence[Mapping[str, Any]], total: int) -> Found:
    """What `outputs` (nbformat) hold of the numbers 1 to `total`."""
    seen: list[int] = []
    other: list[str] = []
    for line in _texts(outputs):
        number = NUMBER.match(line)
        if number and line.endswith(LINE_END):
            seen.append(int(number[1]))
        else:
            other.append(line[:200])
    counts = Counter(seen)
    return Found(
        total,
        lost=[number for number in range(1, total + 1) if not counts[number]],
        doubled=sorted(number for number, count in counts.items() if count > 1),
        disordered=sum(b < a for a, b in pairwise(seen)),
        other=other,
    )


def _texts(outputs: Sequence[Mapping[str, Any]]) -> list[str]:
    """The lines of streams and displays, in order. A line may be spread over two outputs."""
    lines: list[str] = []
    stream = ""
    for output in outputs:
        if output["output_type"] == "stream":
            stream += _joined(output["text"])
            continue
        lines += stream.splitlines()
        stream = ""
        shown = output.get("data", {}).get("text/plain")
        lines.append(_joined(shown) if shown is not None else json.dumps(output))
    return lines + stream.splitlines()


def _joined(text: str | Sequence[str]) -> str:
    return text if isinstance(text, str) else "".join(text)
