"""A kernel's Unix sockets, which the agent reaches also after their files were removed."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable

# Of the file itself: nothing is opened, and a link that stands there is not followed.
_HANDLE = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC


class HeldSockets:
    """Handles of socket files, by path. A listening socket accepts connections by way of its
    handle, also when its file was removed or something else is at its path."""

    def __init__(self) -> None:
        self._handles: dict[str, int] = {}

    def hold(self, paths: Iterable[str]) -> None:
        """Hold those that there are; nothing for what is no socket."""
        for path in paths:
            with contextlib.suppress(OSError):
                handle = os.open(path, _HANDLE)
                if path in self._handles or not stat.S_ISSOCK(os.fstat(handle).st_mode):
                    os.close(handle)
                else:
                    self._handles[path] = handle

    def way_to(self, path: str) -> str:
        """The path to connect to: `path` itself, unless the socket that is held is not there any
        more."""
        handle = self._handles.get(path)
        if handle is None:
            return path
        with contextlib.suppress(OSError):
            if os.path.samestat(os.lstat(path), os.fstat(handle)):
                return path
        return f"/proc/self/fd/{handle}"

    def release(self) -> None:
        """Hold none any more."""
        handles, self._handles = self._handles, {}
        for handle in handles.values():
            os.close(handle)
