"""The folders on this machine of an agent and of the holder of its kernel."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from gateway_ext.process_proxies.agent_process import AgentStart
from gateway_ext.process_proxies.folder_removal import remove_folder

REMOVE_SECONDS = 10.0
"""How long the removal of a kernel's folder may take. The sweep continues it."""


def folders(kernels_dir: Path, start: AgentStart) -> tuple[Path, Path, Path, Path]:
    """The holder's home, the agent's own folder, the file for the agent's log, and the folder of
    the packages that the holder installs for its kernels: what members of a project install there
    never runs in a kernel that one of them has alone.

    The agent's folder has a short path because Unix sockets in it allow 107 bytes, and is its
    alone: an agent that was given up, and lives after all, removes nothing of the next one's.
    """
    name = start.kernel_id.replace("-", "")
    home = kernels_dir / "projects" / start.holder
    directory = kernels_dir / "k" / f"{name}-{start.launch[:8]}"
    packages = kernels_dir / "packages" / start.holder
    return home, directory, kernels_dir / "logs" / f"{name}.log", packages


def make_folders(kernels_dir: Path, start: AgentStart) -> tuple[Path, Path, Path, Path]:
    """The same, made where they are missing.

    The folders above and the log belong to the gateway: a kernel can put no link in our way.
    """
    kernels_dir.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0:
        kernels_dir.chmod(0o711)
    home, directory, log, packages = folders(kernels_dir, start)
    parents = {home.parent: 0o711, directory.parent: 0o711, packages.parent: 0o711}
    for folder, mode in (*parents.items(), (log.parent, 0o700)):
        folder.mkdir(exist_ok=True)
        folder.chmod(mode)
    _make_directory(directory, start.uid)
    for folder in (home, packages):
        folder.mkdir(mode=0o700, exist_ok=True)
        _give(folder, start.uid)
    return home, directory, log, packages


def _make_directory(directory: Path, uid: int) -> None:
    """Make an agent's own folder, which is never empty: the end of an earlier agent of the kernel
    may be removing empty ones meanwhile (`remove_directory`)."""
    if directory.exists():
        return
    made = directory.with_name(f".{directory.name}")
    made.mkdir(mode=0o700, exist_ok=True)
    (made / ".launch").touch()
    _give(made, uid)
    made.rename(directory)


def _give(folder: Path, uid: int) -> None:
    if os.geteuid() == 0 and folder.stat().st_uid != uid:
        os.chown(folder, uid, uid)


def remove_directory(directory: Path, kernel_id: str) -> bool:
    """Remove an agent's own folder. False if something of it is left."""
    # An agent empties it, unless it was killed; as another user than ours it can do no more.
    name = kernel_id.replace("-", "")
    # Only a folder of this very kernel, whatever a record says.
    if directory.name.partition("-")[0] != name:
        return True
    removed = remove_folder(directory, REMOVE_SECONDS)
    # Of earlier agents, which emptied theirs. That of the next one is never empty.
    for older in directory.parent.glob(f"{name}-*"):
        with contextlib.suppress(OSError):
            older.rmdir()
    return removed
