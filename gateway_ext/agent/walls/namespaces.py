"""The namespaces of a kernel: entering them, and building what is seen inside."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Mapping
from pathlib import Path

from .links import links_on_the_way
from .name_files import RESOLVER_FILE
from .places import (
    CGROUPS,
    DISK,
    MEMORY,
    Walls,
    folders_around,
    is_below,
    layers,
    leads_out,
    outermost,
    stays_writable,
)
from .read_only import make_read_only
from .system_calls import MountFlag, Namespace, mount, unshare

_LEAST = MountFlag.NO_SETUID | MountFlag.NO_DEVICES
_OWN_KINDS = {
    # Terminals: whoever opens another kernel's reads what is typed there, and types.
    "/dev/pts": (
        "devpts",
        MountFlag.NO_SETUID | MountFlag.NO_PROGRAMS,
        "newinstance,ptmxmode=0666,mode=0620",
    ),
    # Message queues, which a namespace does not hide where they have paths.
    "/dev/mqueue": ("mqueue", _LEAST | MountFlag.NO_PROGRAMS, ""),
}
"""File systems of which a kernel gets one of its own, where there is one."""
_HIDDEN_BYTES = 2**20
"""What fits into a hidden folder: only the places of what is shown."""


def enter() -> None:
    """Leave the user and mount namespaces of the machine. The user stays who it is, with every
    right over what is new. Raises OSError."""
    uid, gid = os.getuid(), os.getgid()
    unshare(Namespace.USER | Namespace.MOUNT)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")


def leave_the_rest(*, network: bool) -> None:
    """Leave the other namespaces, that of the network only if told to; the next child is the first
    process of the new ones. Raises OSError."""
    rest = Namespace.IPC | Namespace.PID
    unshare(rest | Namespace.NETWORK if network else rest)


def build(walls: Walls, own: Path, files: Mapping[str, str]) -> None:
    """In the first process: its own /proc, /tmp and the rest; `own` is the kernel's folder. Of
    `files` it gets a content of its own, by their paths; those that the machine lacks stay away.
    Raises OSError."""
    own_files = {
        os.path.realpath(path): text for path, text in files.items() if os.path.exists(path)
    }
    mount(None, "/", None, MountFlag.RECURSIVE | MountFlag.PRIVATE)
    mount("proc", "/proc", "proc", _LEAST | MountFlag.NO_PROGRAMS)
    disk = {place: os.path.join(own, name) for place, name in DISK.items() if _is_folder(place)}
    replaced = [place for place in (*DISK, *MEMORY) if _is_folder(place)]
    gone = [*map(os.path.realpath, filter(os.path.isdir, walls.hidden)), *replaced]
    by_kernels = [str(own), *walls.writable]
    wanted = [path for path in (str(own), *walls.shown) if not leads_out(path, by_kernels)]
    # Before anything is mounted at places where the kernel's code may have put links.
    writable = outermost(
        os.path.realpath(path) for path in by_kernels if not leads_out(path, by_kernels)
    )
    if RESOLVER_FILE not in files:
        # Its folder, because a change replaces the file.
        wanted.append(os.path.dirname(os.path.realpath(RESOLVER_FILE)))
    seen = layers(gone, (os.path.realpath(path) for path in wanted if os.path.exists(path)))
    shown = [path for path, is_shown in seen if is_shown]
    hidden = [path for path, is_shown in seen if not is_shown and path not in replaced]
    links = {at: to for path in wanted for at, to in links_on_the_way(path).items()}
    folders = {path: os.open(path, os.O_PATH) for path in shown}
    folders |= {path: _own_folder(path) for path in disk.values()}
    for path, is_shown in seen:
        if is_shown:
            _make_place(path, os.path.isdir(f"/proc/self/fd/{folders[path]}"))
            _bind(folders[path], path)
        elif path in disk:
            _bind(folders[disk[path]], path)
        elif path in MEMORY:
            mount("none", path, "tmpfs", _LEAST, "mode=1777")
        else:
            for folder in _between(path, shown):
                # Otherwise its code could move the folder away with what is hidden in it.
                _bind_anew(folder)
            mount("none", path, "tmpfs", _LEAST, f"size={_HIDDEN_BYTES},mode=755")
    for place, target in links.items():
        # Not in folders of the kernel's own, where its code may have put links that lead out.
        if is_below(place, hidden) and not os.path.lexists(place):
            os.makedirs(os.path.dirname(place), exist_ok=True)
            os.symlink(target, place)
    for place, (kind, flags, options) in _OWN_KINDS.items():
        if os.path.ismount(place):
            mount(kind, place, kind, flags, options)
    for descriptor in folders.values():
        os.close(descriptor)
    for path, text in own_files.items():
        _replace_file(path, text)
    make_read_only(lambda place: place in hidden or is_below(place, [CGROUPS]))
    if walls.read_only:
        for path in writable:
            # As a mount of its own it stays writable when the mount around it becomes read-only.
            if path not in shown and os.path.exists(path):
                _bind_anew(path)
        make_read_only(lambda place: not stays_writable(place, writable, replaced))
    # Otherwise hostile code could get capabilities in namespaces of its own.
    Path("/proc/sys/user/max_user_namespaces").write_text("0")


def _between(path: str, shown: Collection[str]) -> list[str]:
    """The folders between a path and the nearest shown one around it, the outermost first."""
    around = folders_around(path)
    nearest = next((at for at, folder in enumerate(around) if folder in shown), 0)
    return around[:nearest][::-1]


def _is_folder(place: str) -> bool:
    """Whether it is a folder, and not a link to one that is replaced itself."""
    return os.path.isdir(place) and os.path.realpath(place) == place


def _own_folder(path: str) -> int:
    """A folder in the kernel's own, where its code may have put a link to what it must not see."""
    flags = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW
    with contextlib.suppress(FileExistsError):
        os.mkdir(path, 0o700)
    try:
        return os.open(path, flags)
    except OSError:
        os.unlink(path)
        os.mkdir(path, 0o700)
        return os.open(path, flags)


def _bind_anew(path: str) -> None:
    descriptor = os.open(path, os.O_PATH)
    _bind(descriptor, path)
    os.close(descriptor)


def _bind(descriptor: int, path: str) -> None:
    mount(f"/proc/self/fd/{descriptor}", path, None, MountFlag.BIND | MountFlag.RECURSIVE)


def _replace_file(path: str, text: str) -> None:
    # In a folder of MEMORY that is new: nobody has put a link there.
    content = Path(next(filter(_is_folder, MEMORY)), "content")
    content.write_text(text)
    if not os.path.exists(path):
        _make_place(path, False)
    mount(str(content), path, None, MountFlag.BIND)
    content.unlink()


def _make_place(path: str, is_folder: bool) -> None:
    """A place to mount something at. In a /tmp of the kernel's own, its code may have put links in
    the way, which would lead elsewhere: they go."""
    for folder in [*reversed(folders_around(path)), *([path] if is_folder else [])]:
        if os.path.islink(folder) or not os.path.isdir(folder):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(folder)
            os.mkdir(folder)
    if not is_folder:
        if os.path.islink(path):
            os.unlink(path)
        with open(path, "ab"):
            pass
