"""Which system calls a kernel does not have, as a seccomp filter.

They lead to other processes' memory, to new namespaces, or to code in Linux that few programs
need and that had many faults. What is refused answers EPERM; what programs try and can do without
answers ENOSYS, as an older Linux does. The filter notifies nobody: a process can have only one
filter that does.
"""

from __future__ import annotations

import errno
import platform
import struct
from collections.abc import Mapping

_RETURN_ALLOW = 0x7FFF0000
_RETURN_ERRNO = 0x00050000
_LOAD, _JUMP_EQUAL, _JUMP_ABOVE, _JUMP_ANY_BIT, _RETURN = 0x20, 0x15, 0x25, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
"""Places in struct seccomp_data; the machines below have the low half of an argument first."""

_NEW_NAMESPACES = 0x7E020000
"""CLONE_NEW… of clone(2): CGROUP, UTS, IPC, USER, PID, NET and NS."""

_X86_64 = {
    "process_vm_readv": 310, "process_vm_writev": 311, "ptrace": 101, "kcmp": 312,
    "pidfd_getfd": 438, "process_madvise": 440,
    "add_key": 248, "request_key": 249, "keyctl": 250,
    "bpf": 321, "perf_event_open": 298, "userfaultfd": 323,
    "unshare": 272, "setns": 308, "mount": 165, "umount2": 166, "pivot_root": 155, "chroot": 161,
    "open_tree": 428, "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432,
    "fspick": 433, "mount_setattr": 442,
    "name_to_handle_at": 303, "open_by_handle_at": 304,
    "init_module": 175, "finit_module": 313, "delete_module": 176, "kexec_load": 246,
    "kexec_file_load": 320, "quotactl": 179, "quotactl_fd": 443, "acct": 163, "swapon": 167,
    "swapoff": 168, "reboot": 169, "iopl": 172, "ioperm": 173, "syslog": 103, "vhangup": 153,
    "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "clone3": 435,
    "clone": 56, "socket": 41,
}  # fmt: skip
_AARCH64 = {
    "process_vm_readv": 270, "process_vm_writev": 271, "ptrace": 117, "kcmp": 272,
    "pidfd_getfd": 438, "process_madvise": 440,
    "add_key": 217, "request_key": 218, "keyctl": 219,
    "bpf": 280, "perf_event_open": 241, "userfaultfd": 282,
    "unshare": 97, "setns": 268, "mount": 40, "umount2": 39, "pivot_root": 41, "chroot": 51,
    "open_tree": 428, "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432,
    "fspick": 433, "mount_setattr": 442,
    "name_to_handle_at": 264, "open_by_handle_at": 265,
    "init_module": 105, "finit_module": 273, "delete_module": 106, "kexec_load": 104,
    "kexec_file_load": 294, "quotactl": 60, "quotactl_fd": 443, "acct": 89, "swapon": 224,
    "swapoff": 225, "reboot": 142, "syslog": 116, "vhangup": 58,
    "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "clone3": 435,
    "clone": 220, "socket": 198,
}  # fmt: skip
_MACHINES: Mapping[str, tuple[int, Mapping[str, int]]] = {
    "x86_64": (0xC000003E, _X86_64),
    "aarch64": (0xC00000B7, _AARCH64),
}
"""The number of the architecture, and those of its system calls."""
_X32 = 0x3FFFFFFF
"""Above are the calls of x86_64's second kind, which are the same under other numbers."""

_FAMILIES = (1, 2, 10, 16)
"""Kinds of sockets that there are: of Unix, IPv4, IPv6 and netlink. Others know no namespaces, such
as those from a virtual machine to what runs it (AF_VSOCK)."""
_WITH_ARGUMENTS = ("clone", "socket")
_ABSENT = ("io_uring_setup", "io_uring_enter", "io_uring_register", "clone3")
"""clone3 has its flags in memory, where a filter cannot look; libraries fall back to clone."""


def refused_calls(machine: str) -> dict[int, int]:
    """The error number of each system call that is always refused, on this machine."""
    _, numbers = _MACHINES[machine]
    return {
        number: errno.ENOSYS if name in _ABSENT else errno.EPERM
        for name, number in numbers.items()
        if name not in _WITH_ARGUMENTS
    }


def filter_program(machine: str = "") -> bytes:
    """The filter for this machine, as BPF instructions. Raises OSError (ENOTSUP) for one whose
    system calls are not known here."""
    machine = machine or platform.machine()
    if machine not in _MACHINES:
        raise OSError(errno.ENOTSUP, f"no list of system calls for {machine}")
    architecture, numbers = _MACHINES[machine]
    eperm = _RETURN_ERRNO | errno.EPERM
    program = [
        _step(_LOAD, _ARCHITECTURE),
        # A call of another kind (32 bits) has other numbers.
        _step(_JUMP_EQUAL, architecture, 1, 0),
        _step(_RETURN, eperm),
        _step(_LOAD, _NUMBER),
        _step(_JUMP_ABOVE, _X32, 0, 1),
        _step(_RETURN, eperm),
        _step(_JUMP_EQUAL, numbers["clone"], 0, 4),
        _step(_LOAD, _FIRST_ARGUMENT),
        _step(_JUMP_ANY_BIT, _NEW_NAMESPACES, 0, 1),
        _step(_RETURN, eperm),
        _step(_RETURN, _RETURN_ALLOW),
        _step(_JUMP_EQUAL, numbers["socket"], 0, len(_FAMILIES) + 3),
        _step(_LOAD, _FIRST_ARGUMENT),
        *(
            _step(_JUMP_EQUAL, family, len(_FAMILIES) - place, 0)
            for place, family in enumerate(_FAMILIES)
        ),
        _step(_RETURN, _RETURN_ERRNO | errno.EAFNOSUPPORT),
        _step(_RETURN, _RETURN_ALLOW),
    ]
    for number, error in sorted(refused_calls(machine).items()):
        program.append(_step(_JUMP_EQUAL, number, 0, 1))
        program.append(_step(_RETURN, _RETURN_ERRNO | error))
    program.append(_step(_RETURN, _RETURN_ALLOW))
    return b"".join(program)


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)
