"""The calls of Linux that Python 3.11 does not have; each raises OSError."""

from __future__ import annotations

import ctypes
import os
from enum import IntEnum, IntFlag

_libc = ctypes.CDLL(None, use_errno=True)

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 1, 4, 24, 38
_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 22, 2
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 47, 2
_CAPABILITY_VERSION_3 = 0x20080522


class Namespace(IntFlag):
    """Kinds of namespaces, as in sched.h."""

    MOUNT = 0x20000
    IPC = 0x08000000
    USER = 0x10000000
    PID = 0x20000000
    NETWORK = 0x40000000


class Capability(IntEnum):
    """As in linux/capability.h."""

    NET_ADMIN = 12
    SYS_ADMIN = 21


class MountFlag(IntFlag):
    """As in sys/mount.h."""

    NONE = 0
    READ_ONLY = 1
    NO_SETUID = 2
    NO_DEVICES = 4
    NO_PROGRAMS = 8
    REMOUNT = 32
    BIND = 4096
    RECURSIVE = 16384
    PRIVATE = 1 << 18


def _check(result: int, what: str) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def words_of(error: OSError) -> str:
    """What went wrong, and with which file, without the number."""
    words = error.strerror or str(error)
    return f"{words}: {error.filename}" if error.filename else words


def unshare(namespaces: Namespace) -> None:
    """Leave these namespaces for new ones. The process must have one thread."""
    _check(_libc.unshare(int(namespaces)), "unshare")


def join(descriptor: int, namespace: Namespace) -> None:
    """Enter the namespace of this kind that a descriptor stands for. The process must have one
    thread. What ends it with its parent must be set after that."""
    _check(_libc.setns(descriptor, int(namespace)), "setns")


def mount(
    source: str | None, target: str, kind: str | None, flags: MountFlag, options: str = ""
) -> None:
    """See mount(2)."""
    _check(
        _libc.mount(
            None if source is None else os.fsencode(source),
            os.fsencode(target),
            None if kind is None else kind.encode(),
            ctypes.c_ulong(int(flags)),
            options.encode() or None,
        ),
        f"mount {target}",
    )


def _prctl(option: int, value: object, what: str, pointer: object = 0) -> None:
    _check(_libc.prctl(option, value, pointer, 0, 0), what)


def end_with_parent(number: int) -> None:
    """Get this signal when the parent ends."""
    _prctl(_PR_SET_PDEATHSIG, number, "PR_SET_PDEATHSIG")


def hide_memory(hidden: bool = True) -> None:
    """Let no other process of the user read this one's memory, or trace it; children inherit
    that."""
    _prctl(_PR_SET_DUMPABLE, 0 if hidden else 1, "PR_SET_DUMPABLE")


def no_new_privileges() -> None:
    """Gain no right by starting a program."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1, "PR_SET_NO_NEW_PRIVS")


def drop_capabilities() -> None:
    """Lose every capability, and every way to one."""
    for capability in range(64):
        if _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0):
            # The system has no more of them.
            break
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    _check(_libc.capset(header, (ctypes.c_uint32 * 6)()), "capset")


def keep_capabilities(*capabilities: Capability) -> None:
    """Keep these when another program is started, which otherwise takes them from all but root."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    # Effective, permitted, inheritable; of the first 32 capabilities and of the others.
    sets = (ctypes.c_uint32 * 6)()
    _check(_libc.capget(header, sets), "capget")
    sets[2], sets[5] = sets[1], sets[4]
    _check(_libc.capset(header, sets), "capset")
    for capability in capabilities:
        _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, "PR_CAP_AMBIENT_RAISE", int(capability))


class _FilterProgram(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def filter_system_calls(program: bytes) -> None:
    """Install a seccomp filter for this process and its children, for good. `program` is made of
    BPF instructions; needs `no_new_privileges`."""
    described = _FilterProgram(len(program) // 8, program)
    pointer = ctypes.byref(described)
    _prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, "PR_SET_SECCOMP", pointer)
