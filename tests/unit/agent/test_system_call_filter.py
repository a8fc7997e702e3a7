"""Which system calls the filters of each machine refuse."""

from __future__ import annotations

import errno
import signal
import socket
import struct

import pytest

from gateway_ext.agent.walls.filter import filter_program


def decided(program: bytes, architecture: int, number: int, first: int = 0) -> int:
    """What a filter answers to a system call, by the rules of BPF that it uses."""
    data = {0: number, 4: architecture, 16: first}
    steps = list(struct.iter_unpack("=HBBI", program))
    place = loaded = 0
    while True:
        code, if_true, if_false, value = steps[place]
        place += 1
        if code == 0x20:
            loaded = data[value]
        elif code == 0x06:
            return int(value)
        else:
            is_true = {0x15: loaded == value, 0x25: loaded > value, 0x45: bool(loaded & value)}
            place += if_true if is_true[code] else if_false


@pytest.mark.parametrize(
    ("machine", "architecture", "clone", "unshare", "socket_call"),
    [("x86_64", 0xC000003E, 56, 272, 41), ("aarch64", 0xC00000B7, 220, 97, 198)],
)
def test_the_filter_of_each_machine_refuses_what_it_should(
    machine: str, architecture: int, clone: int, unshare: int, socket_call: int
) -> None:
    program = filter_program(machine)
    allowed, eperm, enosys = 0x7FFF0000, 0x50000 | errno.EPERM, 0x50000 | errno.ENOSYS

    def answer(number: int, first: int = 0) -> int:
        return decided(program, architecture, number, first)

    assert answer(clone, signal.SIGCHLD) == allowed
    # A thread's flags.
    assert answer(clone, 0x3D0F00) == allowed
    for kind in (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000):
        assert answer(clone, kind | signal.SIGCHLD) == eperm
    assert answer(unshare) == eperm
    assert answer(425) == answer(435) == enosys
    here = (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK)
    assert {answer(socket_call, family) for family in here} == {allowed}
    others = {answer(socket_call, family) for family in range(46) if family not in here}
    assert others == {0x50000 | errno.EAFNOSUPPORT}
    # openat2, faccessat2, landlock_create_ruleset
    assert {answer(number) for number in (437, 439, 444)} == {allowed}
    # 32-bit calls.
    assert decided(program, 0x40000003, 1) == eperm


def test_a_machine_without_a_list_is_named() -> None:
    with pytest.raises(OSError, match="mips"):
        filter_program("mips")
