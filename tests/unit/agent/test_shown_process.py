"""What /proc tells of a process that was forked."""

import subprocess
import sys

from gateway_ext.agent.shown_process import room_filled

FORK = """
import os, sys
from pathlib import Path
from gateway_ext.agent.shown_process import show_as
os.environ.clear()
os.environ.update({"KERNEL_ID": "k-1", "LANG": "C"})
show_as(["agent", "-m", "shown"], os.environ)
told = [Path("/proc/self", name).read_bytes().rstrip(b"\\0") for name in ("cmdline", "environ")]
assert told == [b"agent\\0-m\\0shown", b"KERNEL_ID=k-1\\0LANG=C"], told
# The environment itself is where it was put, not where it is shown.
assert os.popen("echo $KERNEL_ID").read() == "k-1\\n"
"""


def test_parts_fill_the_room_and_never_more() -> None:
    assert room_filled([b"ab", b"c"], 8) == b"ab\0c\0\0\0\0"
    assert room_filled([b"ab", b"cdefgh"], 6) == b"ab\0cd\0"
    assert room_filled([], 2) == b"\0\0"


def test_proc_tells_the_new_command_line_and_environment() -> None:
    command = [sys.executable, "-c", FORK]
    environment = {"SECRET": "x" * 40, "PYTHONPATH": ":".join(sys.path)}
    subprocess.run(command, env=environment, check=True, timeout=30)
