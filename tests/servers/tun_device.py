"""A device in the place of /dev/net/tun, which every user can open, and who uses it."""

import contextlib
import os
import shutil
import stat
from pathlib import Path

from gateway_ext.agent.process_tree import descendants

TUN = "/dev/net/tun"


def why_no_way_out() -> str:
    """Why kernels cannot have a way to the internet here; empty if they may."""
    if not shutil.which("pasta"):
        return "pasta is missing"
    if not os.path.exists(TUN):
        return f"{TUN} is missing"
    return "" if os.geteuid() == 0 else "only root makes devices"


def openable_tun(folder: Path) -> str:
    """Make one; `folder` must be open to others."""
    tun = folder / "tun"
    if not tun.exists():
        os.mknod(tun, stat.S_IFCHR | 0o600, os.stat(TUN).st_rdev)
        tun.chmod(0o666)
    return str(tun)


def ways_out(agent: int) -> list[int]:
    """The processes that lead a kernel of this agent to the internet."""
    found = []
    for process in descendants(agent):
        with contextlib.suppress(OSError):
            if Path(f"/proc/{process.pid}/cmdline").read_bytes().startswith(b"pasta\0"):
                found.append(process.pid)
    return found
