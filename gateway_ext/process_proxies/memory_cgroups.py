"""Memory cgroups for the kernels of this machine, one for each kernel."""

import contextlib
import logging
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from gateway_ext.agent.cgroup import MemoryCgroup, enter, memory_cgroup_of

PREFIX = "fleet-"


@dataclass(frozen=True)
class KernelCgroup:
    """What was made for one kernel."""

    folder: Path
    """To be removed with `end_cgroup` when the kernel has ended."""
    kernel: Path
    """The limited cgroup, into which the agent puts the kernel's process."""
    agent: Path | None
    """Where the agent itself must be, if it may move processes only from there (version 2)."""

    def take_agent(self, pid: int) -> None:
        """Puts the agent where it must be; raises OSError."""
        if self.agent is not None:
            enter(self.agent, pid)


class MemoryCgroups:
    """Creates cgroups with a limit if possible; otherwise agents enforce the limit."""

    def __init__(self, limit_bytes: int, parent: str, log: logging.Logger) -> None:
        """`limit_bytes` is for kernels that name no limit of their own; 0 for none. `parent` is the
        cgroup below which they are made; empty for this gateway's own, which works with version 1
        only: a cgroup of version 2 has either processes or children."""
        self.limit_bytes = limit_bytes
        self._log = log
        self._parent = Path(parent) if parent else None
        self._told = False

    def make(self, name: str, uid: int | None, limit_bytes: int) -> KernelCgroup | None:
        """A cgroup for the kernel whose processes have the user id `uid` (None: ours); None if none
        can be made here, which is said once in the log. Blocks."""
        parent = self._find_parent()
        if parent is None:
            return None
        folder = Path(self.folder(name))
        owner = os.geteuid() if uid is None else uid
        try:
            return _make(folder, parent.version, limit_bytes, owner)
        except OSError as error:
            remove_cgroup(str(folder))
            self._say(f"{folder} cannot be created ({error})")
            return None

    def folder(self, name: str) -> str:
        """The cgroup of the kernel called so, whether it was made or not; empty if none can be."""
        parent = self._find_parent(silently=True)
        return "" if parent is None else str(parent.path / f"{PREFIX}{name}")

    def _find_parent(self, *, silently: bool = False) -> MemoryCgroup | None:
        if self._parent is not None:
            is_v2 = (self._parent / "cgroup.controllers").exists()
            return MemoryCgroup(self._parent, 2 if is_v2 else 1)
        own = memory_cgroup_of(os.getpid())
        if own is None or own.version != 1:
            if not silently:
                self._say("FleetGatewayApp.memory_cgroup names no cgroup")
            return None
        return own

    def _say(self, why: str) -> None:
        if not self._told:
            self._told = True
            self._log.warning("%s: agents enforce the memory limits of their kernels", why)


def _make(folder: Path, version: int, limit_bytes: int, owner: int) -> KernelCgroup:
    folder.mkdir(exist_ok=True)
    if version == 1:
        (folder / "memory.limit_in_bytes").write_text(str(limit_bytes))
        with contextlib.suppress(OSError):
            # Not where the system counts no swap.
            (folder / "memory.memsw.limit_in_bytes").write_text(str(limit_bytes))
        os.chown(folder / "cgroup.procs", owner, -1)
        return KernelCgroup(folder, folder, None)
    (folder / "cgroup.subtree_control").write_text("+memory")
    kernel, agent = folder / "kernel", folder / "agent"
    kernel.mkdir(exist_ok=True)
    agent.mkdir(exist_ok=True)
    (kernel / "memory.max").write_text(str(limit_bytes))
    with contextlib.suppress(OSError):
        (kernel / "memory.swap.max").write_text("0")
    # Who moves a process needs both where it goes and what lies above both ends. The agent's own
    # stays ours: no kernel gets out of its limit by going there.
    for procs in (folder / "cgroup.procs", kernel / "cgroup.procs"):
        os.chown(procs, owner, -1)
    return KernelCgroup(folder, kernel, agent)


def end_cgroup(folder: str, seconds: float) -> bool:
    """Kills what a kernel left in a cgroup that `MemoryCgroups` made, and removes the cgroup. False
    if something is still in it after `seconds`. Blocks."""
    deadline = time.monotonic() + seconds
    while not remove_cgroup(folder):
        # Each time: a process may have forked while we read the list.
        _kill_members(Path(folder))
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def remove_cgroup(folder: str) -> bool:
    """Removes a cgroup that `MemoryCgroups` made; False if it still has processes, or is not ours
    to remove."""
    if not Path(folder).name.startswith(PREFIX):
        return True
    try:
        for child in ("kernel", "agent"):
            with contextlib.suppress(FileNotFoundError):
                os.rmdir(f"{folder}/{child}")
        os.rmdir(folder)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _kill_members(folder: Path) -> None:
    """Sends SIGKILL to the kernel's processes in its cgroup, but not to the agent, which may still
    be sending its last messages."""
    version_2 = (folder / "kernel").is_dir()
    limited = folder / "kernel" if version_2 else folder
    with contextlib.suppress(OSError):
        if version_2:
            # Since Linux 5.14: all of them, even those that fork meanwhile.
            (limited / "cgroup.kill").write_text("1")
            return
    with contextlib.suppress(OSError):
        for pid in map(int, (limited / "cgroup.procs").read_text().split()):
            # 0 is a process that our pid namespace does not have; for kill it is our own group.
            if pid > 1:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
