"""Tells when the addresses of this machine change."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Self

_ROUTE = 0
_IPV4_ADDRESSES, _IPV6_ADDRESSES = 0x10, 0x100
"""Groups of RTNETLINK, from linux/rtnetlink.h."""
_BYTES = 2**16


class MachineAddresses:
    """The system's messages about them. Their content is not read: the caller looks up the
    addresses."""

    def __init__(self) -> None:
        """Raises OSError."""
        kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        self._socket = socket.socket(socket.AF_NETLINK, kind, _ROUTE)
        self._socket.bind((0, _IPV4_ADDRESSES | _IPV6_ADDRESSES))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    async def changed(self) -> None:
        """Wait until they have changed since the last call."""
        # An error says that there were more messages than the system keeps.
        with contextlib.suppress(OSError):
            await asyncio.get_running_loop().sock_recv(self._socket, _BYTES)
        with contextlib.suppress(OSError):
            while True:
                self._socket.recv(_BYTES)
