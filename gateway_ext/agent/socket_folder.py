"""Where the agent's and the kernel's Unix sockets are, whose paths have room for 107 bytes."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from .kernel_folder import FolderRefused, make_kernel_folder

_SUN_PATH_BYTES = 107


class PathTooLong(OSError):
    """There is no place for a socket; the message says what to do."""


class SocketFolder:
    """The kernel's own folder or, if neither path to it is short enough, another one with access
    for this user only."""

    def __init__(self, directory: Path, *, agent_is_visible: bool = True) -> None:
        """`agent_is_visible` says whether the kernel's code sees the agent's process."""
        self._directory = directory
        self._agent_is_visible = agent_is_visible
        self._short: Path | None = None

    def path(self, name: str) -> Path:
        """The path of a socket of this name; raises PathTooLong. May create a folder."""
        path = self._directory / name
        if len(os.fsencode(path)) <= _SUN_PATH_BYTES:
            return path
        near = self._by_way_of_agent() / name
        if len(os.fsencode(near)) <= _SUN_PATH_BYTES and near.parent.is_dir():
            return near
        if self._short is None:
            self._short = Path(tempfile.mkdtemp(prefix="fleet-"))
        path = self._short / name
        if len(os.fsencode(path)) > _SUN_PATH_BYTES:
            raise PathTooLong(
                f"neither {self._directory} nor {self._short} is short enough for a Unix "
                f"socket ({_SUN_PATH_BYTES} bytes): shorten the gateway's kernels_dir, or TMPDIR"
            )
        return path

    def _by_way_of_agent(self) -> Path:
        """The kernel's own folder by a path that is there as long as the agent: through the folder
        in which the agent was started. In a container its path is shorter, and nothing outside the
        container is left if the agent is killed."""
        if not self._agent_is_visible:
            return self._directory
        try:
            here = Path.cwd()
        except FileNotFoundError:
            # The kernel's code has removed it.
            return self._directory
        if not self._directory.is_relative_to(here):
            return self._directory
        return Path(f"/proc/{os.getpid()}/cwd") / self._directory.relative_to(here)

    def renew(self) -> None:
        """Make the folder that replaces the kernel's own again, if there is one and the kernel's
        code has removed it: another one where somebody else was faster. Raises OSError."""
        if self._short is not None:
            try:
                make_kernel_folder(self._short)
            except FolderRefused:
                self._short = None

    def remove(self) -> None:
        """Remove the folder that replaces the kernel's own, if there is one."""
        if self._short is not None:
            shutil.rmtree(self._short, ignore_errors=True)
