"""Landlock: what a process may shut for itself and its children, without any right.

Beside namespaces it shuts what they leave open as long as the network is shared: abstract Unix
sockets, which have no path. It also keeps a process from tracing, reading the memory of, and
signaling whatever is outside.
"""

from __future__ import annotations

import ctypes
import os
import struct

_CREATE_RULESET, _RESTRICT_SELF = 444, 446
_ASK_VERSION = 1
_SCOPES_SINCE = 6
_ABSTRACT_SOCKETS, _SIGNALS = 1, 2

_libc = ctypes.CDLL(None, use_errno=True)


def version() -> int:
    """The version of Landlock here; 0 if there is none."""
    return max(0, int(_libc.syscall(_CREATE_RULESET, None, 0, _ASK_VERSION)))


def shut_outside() -> None:
    """Connect to no abstract socket of a process that is not a child or fellow of this one, and
    signal none. Needs `no_new_privileges`. Raises OSError; without a Landlock that can do it,
    nothing happens."""
    if version() < _SCOPES_SINCE:
        return
    # Access to files, access to ports, scopes: see landlock(7).
    attributes = struct.pack("=QQQ", 0, 0, _ABSTRACT_SOCKETS | _SIGNALS)
    ruleset = _libc.syscall(_CREATE_RULESET, attributes, len(attributes), 0)
    _raise_if(ruleset < 0, "landlock_create_ruleset")
    try:
        _raise_if(_libc.syscall(_RESTRICT_SELF, ruleset, 0) != 0, "landlock_restrict_self")
    finally:
        os.close(ruleset)


def _raise_if(failed: bool, call: str) -> None:
    if failed:
        number = ctypes.get_errno()
        raise OSError(number, f"{call}: {os.strerror(number)}")
