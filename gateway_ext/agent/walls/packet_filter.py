"""What leaves a kernel's network, as rules of nf_tables, which the system's first process sets
before it lets go of its rights.

Routes would not do: a program may bind a socket to a device, and Linux then takes every address for
one that the device reaches. Messages are those of linux/netfilter/nf_tables.h.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterable, Sequence

from jupyter_ext.wire.allowed_addresses import Allowed, Subnet

_NETLINK_NETFILTER = 12
_SUBSYSTEM = 10 << 8
_BATCH_BEGIN, _BATCH_END = 0x10, 0x11
_NEW_TABLE, _NEW_CHAIN, _NEW_RULE = (_SUBSYSTEM | number for number in (0, 3, 6))
_REQUEST, _ACK, _CREATE, _APPEND = 1, 4, 0x400, 0x800
_ERROR = 2
_INET, _OUTPUT = 1, 3
_NESTED = 0x8000
_REGISTER = 1
_EQUAL, _AT_LEAST, _AT_MOST = 0, 5, 3
_NETWORK_HEADER, _TRANSPORT_HEADER = 1, 2
_OUT_INTERFACE, _FAMILY, _PROTOCOL = 5, 15, 16
"""Keys of `meta`; the two last are of one byte."""
_LOOPBACK_INTERFACE = 1
_IPV4, _IPV6 = 2, 10
_RESET, _UNREACHABLE = 1, 2
_PROHIBITED = 3
_NEIGHBORS = (133, 143)
"""Types of ICMPv6 by which a machine finds others; programs without rights cannot send them."""
_TABLE = "fleet"
_CHAIN = "output"


def _attribute(kind: int, value: bytes | str | int) -> bytes:
    if isinstance(value, int):
        value = struct.pack("!I", value)
    elif isinstance(value, str):
        value = value.encode() + b"\0"
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def _nested(kind: int, *attributes: bytes) -> bytes:
    return _attribute(kind | _NESTED, b"".join(attributes))


def _expression(name: str, *attributes: bytes) -> bytes:
    return _nested(1, _attribute(1, name), _nested(2, *attributes))


def _value(kind: int, value: bytes) -> bytes:
    return _nested(kind, _attribute(1, value))


def _compare(how: int, value: bytes) -> bytes:
    return _expression("cmp", _attribute(1, _REGISTER), _attribute(2, how), _value(3, value))


def _meta(key: int, value: bytes) -> bytes:
    load = _expression("meta", _attribute(1, _REGISTER), _attribute(2, key))
    return load + _compare(_EQUAL, value)


def _load(header: int, offset: int, size: int) -> bytes:
    return _expression(
        "payload",
        _attribute(1, _REGISTER),
        _attribute(2, header),
        _attribute(3, offset),
        _attribute(4, size),
    )


def _destination(subnet: Subnet) -> bytes:
    size = subnet.max_prefixlen // 8
    family, offset = (_IPV4, 16) if subnet.version == 4 else (_IPV6, 24)
    parts = [_meta(_FAMILY, bytes([family])), _load(_NETWORK_HEADER, offset, size)]
    if subnet.prefixlen < subnet.max_prefixlen:
        mask = _expression(
            "bitwise",
            _attribute(1, _REGISTER),
            _attribute(2, _REGISTER),
            _attribute(3, size),
            _value(4, subnet.netmask.packed),
            _value(5, bytes(size)),
        )
        parts.append(mask)
    return b"".join([*parts, _compare(_EQUAL, subnet.network_address.packed)])


def _between(header: int, offset: int, size: int, bounds: tuple[int, int]) -> bytes:
    first, last = (bound.to_bytes(size, "big") for bound in bounds)
    return _load(header, offset, size) + _compare(_AT_LEAST, first) + _compare(_AT_MOST, last)


def _protocol(number: int) -> bytes:
    return _meta(_PROTOCOL, bytes([number]))


def _accept() -> bytes:
    verdict = _nested(2, _nested(2, _attribute(1, 1)))
    return _expression("immediate", _attribute(1, 0), verdict)


def rules(
    never: Iterable[Subnet], allowed: Iterable[Allowed], refused: Iterable[Subnet]
) -> list[bytes]:
    """The rules in their order, each as its expressions: what may never leave, what may all the
    same, what may not. What none of them names may leave."""
    tcp, udp, icmp6 = (
        _protocol(number)
        for number in (socket.IPPROTO_TCP, socket.IPPROTO_UDP, socket.IPPROTO_ICMPV6)
    )
    found = [
        _meta(_OUT_INTERFACE, struct.pack("=I", _LOOPBACK_INTERFACE)) + _accept(),
        icmp6 + _between(_TRANSPORT_HEADER, 0, 1, _NEIGHBORS) + _accept(),
    ]
    found += refusals(never)
    for one in allowed:
        to = _destination(one.subnet)
        if one.ports is None:
            found.append(to + _accept())
            continue
        port = _between(_TRANSPORT_HEADER, 2, 2, one.ports)
        found += [to + protocol + port + _accept() for protocol in (tcp, udp)]
    return found + refusals(refused)


def refusals(subnets: Iterable[Subnet]) -> list[bytes]:
    """The rules that refuse packets to these networks, unless an earlier rule accepts them."""
    # Without the answer of its protocol a program would wait, and try again.
    reset = _protocol(socket.IPPROTO_TCP) + _expression("reject", _attribute(1, _RESET))
    prohibited = _attribute(2, bytes([_PROHIBITED]))
    refuse = _expression("reject", _attribute(1, _UNREACHABLE), prohibited)
    return [_destination(subnet) + answer for subnet in subnets for answer in (reset, refuse)]


def _message(kind: int, flags: int, number: int, family: int, payload: bytes) -> bytes:
    resource = _SUBSYSTEM >> 8 if kind in (_BATCH_BEGIN, _BATCH_END) else 0
    body = struct.pack("!BBH", family, 0, resource) + payload
    return struct.pack("=IHHII", 16 + len(body), kind, _REQUEST | flags, number, 0) + body


def _new_chain() -> list[tuple[int, bytes]]:
    table, chain = _attribute(1, _TABLE), _attribute(1, _TABLE) + _attribute(3, _CHAIN)
    hook = _nested(4, _attribute(1, _OUTPUT), _attribute(2, 0))
    return [(_NEW_TABLE, table), (_NEW_CHAIN, chain + hook + _attribute(7, "filter"))]


def _new_rules(rules_of_chain: Iterable[bytes]) -> list[tuple[int, bytes]]:
    place = _attribute(1, _TABLE) + _attribute(2, _CHAIN)
    return [(_NEW_RULE, place + _nested(4, expressions)) for expressions in rules_of_chain]


def _batch(steps: Iterable[tuple[int, bytes]]) -> list[bytes]:
    flags = _ACK | _CREATE | _APPEND
    messages = [
        _message(kind, flags, number, _INET, payload)
        for number, (kind, payload) in enumerate(steps, 1)
    ]
    return [_message(_BATCH_BEGIN, 0, 0, 0, b""), *messages, _message(_BATCH_END, 0, 0, 0, b"")]


def set_rules(rules_of_chain: Sequence[bytes]) -> None:
    """Set them for this network namespace, all of them or none. Raises OSError."""
    _send(_batch(_new_chain() + _new_rules(rules_of_chain)))


def add_rules(rules_of_chain: Sequence[bytes]) -> None:
    """Add them after those that were set, all of them or none. Raises OSError."""
    _send(_batch(_new_rules(rules_of_chain)))


def _send(messages: Sequence[bytes]) -> None:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER) as netlink:
        netlink.bind((0, 0))
        netlink.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**20)
        netlink.send(b"".join(messages))
        # The system has worked on all of it by now.
        netlink.setblocking(False)
        left = len(messages) - 2
        while left:
            try:
                answers = netlink.recv(2**16)
            except BlockingIOError as error:
                raise OSError(
                    errno.EIO, "the system has not answered to a packet filter"
                ) from error
            left -= _read(answers)


def _read(answers: bytes) -> int:
    """How many messages these are; raises the OSError that one of them is."""
    count = 0
    while answers:
        size, kind = struct.unpack_from("=IH", answers)
        if kind == _ERROR:
            (number,) = struct.unpack_from("=i", answers, 16)
            if number:
                raise OSError(-number, f"a packet filter: {os.strerror(-number)}")
            count += 1
        answers = answers[size + -size % 4 :]
    return count
