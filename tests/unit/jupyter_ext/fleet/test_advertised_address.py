"""Which addresses of this machine can be told to clusters."""

import socket

import pytest

from jupyter_ext.fleet.advertised_address import (
    addresses_of,
    check_advertised,
    in_url,
    is_loopback,
    is_ours,
)
from jupyter_ext.fleet.failure import FleetError

NAMES = {
    "fleet.example.org": ["192.0.2.7", "2001:db8::7"],
    "debian": ["127.0.1.1"],
    "elsewhere": ["198.51.100.1"],
    "localhost": ["127.0.0.1", "::1"],
}
OURS = {"192.0.2.7", "2001:db8::7", "127.0.1.1", "127.0.0.2", "127.0.0.1", "::1", "0.0.0.0", "::"}


def resolve(host: str) -> list[str]:
    if host in NAMES:
        return NAMES[host]
    if host[0].isdigit() or ":" in host:
        return [host]
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def check(host: str) -> list[str]:
    return check_advertised(host, resolve, OURS.__contains__)


def test_names_and_addresses_of_this_machine() -> None:
    assert check("fleet.example.org") == ["192.0.2.7", "2001:db8::7"]
    assert check("192.0.2.7") == ["192.0.2.7"]
    assert check("2001:db8::7") == ["2001:db8::7"]
    # Typed on purpose.
    assert check("127.0.0.2") == ["127.0.0.2"]


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("198.51.100.1", "198.51.100.1 is not an address of this machine"),
        ("elsewhere", "elsewhere, which is 198.51.100.1 here, is not an address of this machine"),
        ("unknown", "cannot be resolved on this machine: Name or service not known"),
        ("debian", "which is 127.0.1.1 here, is a loopback address.*etc/hosts"),
        ("localhost", "is a loopback address"),
        ("127.0.0.1", "is where gateways listen anyway"),
        ("::1", "is where gateways listen anyway"),
        ("0.0.0.0", "is not an address that others can connect to"),
        ("::", "is not an address that others can connect to"),
        ("http://192.0.2.7", "without a scheme, a port and brackets"),
        ("192.0.2.7:8888", "without a scheme, a port and brackets"),
        ("[2001:db8::7]", "without a scheme, a port and brackets"),
        ("a b", "is neither a host name nor an address"),
    ],
)
def test_others_are_refused_with_the_reason(host: str, words: str) -> None:
    with pytest.raises(FleetError, match=f"--advertise .*{words}"):
        check(host)


def test_what_this_machine_says_itself() -> None:
    assert is_ours("127.0.0.2")
    # Of the documentation's range, which no machine has.
    assert not is_ours("203.0.113.1")
    assert addresses_of("127.0.0.2") == ["127.0.0.2"]


def test_addresses_in_urls() -> None:
    assert [in_url(one) for one in ("h", "192.0.2.7", "fd00::1")] == ["h", "192.0.2.7", "[fd00::1]"]
    assert is_loopback("127.0.0.2")
    assert not is_loopback("192.0.2.7")
    assert not is_loopback("debian")
