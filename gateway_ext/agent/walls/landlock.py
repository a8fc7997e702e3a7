"""Landlock: what a process may shut for itself and its children, without any right.

Beside namespaces it is a second layer: it shuts what they leave open as long as the network is
shared, which is abstract Unix sockets. Where there are no namespaces it is what holds. In any case
it keeps a process from tracing whatever is outside, and from reading its memory and environment.
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from collections.abc import Iterable
from enum import IntFlag

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_ASK_VERSION, _PATH_BENEATH = 1, 1
_SCOPES_SINCE, _TRUNCATE_SINCE = 6, 3
_ABSTRACT_SOCKETS, _SIGNALS = 1, 2

LEAST = 2
"""The first one used: version 1 refuses each `rename` from one folder into another."""

_libc = ctypes.CDLL(None, use_errno=True)


class Access(IntFlag):
    """What is shut in folders, as in linux/landlock.h. Listing a folder is not: there, the folders
    around what is hidden could not be listed either."""

    EXECUTE = 1 << 0
    WRITE_FILE = 1 << 1
    READ_FILE = 1 << 2
    REMOVE_DIR = 1 << 4
    REMOVE_FILE = 1 << 5
    MAKE_DIR = 1 << 7
    MAKE_REG = 1 << 8
    MAKE_SOCK = 1 << 9
    MAKE_FIFO = 1 << 10
    MAKE_SYM = 1 << 12
    REFER = 1 << 13
    TRUNCATE = 1 << 14


_OF_FILES = Access.EXECUTE | Access.WRITE_FILE | Access.READ_FILE | Access.TRUNCATE


def version() -> int:
    """The version of Landlock here; 0 if there is none."""
    return max(0, int(_libc.syscall(_CREATE_RULESET, None, 0, _ASK_VERSION)))


def shut(left_open: Iterable[str] | None, readable: Iterable[str] = ()) -> None:
    """Reach no process that is not a child or fellow of this one, and no file that is in none of
    the paths `left_open` (None: every file), nor, to read it, in `readable`. Needs
    `no_new_privileges`. Raises OSError; without a Landlock that can do it, nothing happens."""
    known = version()
    if known < LEAST:
        return
    access = Access(0)
    if left_open is not None or known < _SCOPES_SINCE:
        # An empty ruleset is refused.
        access = ~Access(0)
        if known < _TRUNCATE_SINCE:
            access &= ~Access.TRUNCATE
    scopes = _ABSTRACT_SOCKETS | _SIGNALS if known >= _SCOPES_SINCE else 0
    # Access to files, access to ports, scopes: see landlock(7). Earlier versions know less of it.
    attributes = struct.pack("=QQQ", access, 0, scopes)[: 24 if scopes else 8]
    ruleset = _libc.syscall(_CREATE_RULESET, attributes, len(attributes), 0)
    _raise_if(ruleset < 0, "landlock_create_ruleset")
    try:
        if access:
            for path in ["/"] if left_open is None else left_open:
                _leave_open(ruleset, path, access)
            for path in readable:
                _leave_open(ruleset, path, access & Access.READ_FILE)
        _raise_if(_libc.syscall(_RESTRICT_SELF, ruleset, 0) != 0, "landlock_restrict_self")
    finally:
        os.close(ruleset)


def _leave_open(ruleset: int, path: str, access: Access) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_NOFOLLOW)
    except OSError:
        # It has gone, or is in a folder that is closed to this user anyway.
        return
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISLNK(mode):
            # A rule for a link has no effect: its target needs one.
            return
        allowed = access if stat.S_ISDIR(mode) else access & _OF_FILES
        rule = struct.pack("=Qi", allowed, descriptor)
        added = _libc.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, rule, 0)
        _raise_if(added != 0, f"landlock_add_rule {path}")
    finally:
        os.close(descriptor)


def _raise_if(failed: bool, call: str) -> None:
    if failed:
        number = ctypes.get_errno()
        raise OSError(number, f"{call}: {os.strerror(number)}")
