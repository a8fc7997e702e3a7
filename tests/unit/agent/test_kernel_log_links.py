"""The kernel's output in a file, in whose place its code may put something else."""

from __future__ import annotations

import os
from pathlib import Path

from gateway_ext.agent.kernel_log import KernelLog


def test_what_a_kernel_prints_is_written_through_no_link(tmp_path: Path) -> None:
    other, path = tmp_path / "other", tmp_path / "kernel.log"
    other.write_text("kept")
    path.symlink_to(other)
    log = KernelLog(path)
    output = log.open()
    os.write(output, b"printed\n")
    os.close(output)
    assert log.last_words(20) == "printed"
    assert path.read_text() == "printed\n"
    assert other.read_text() == "kept"
