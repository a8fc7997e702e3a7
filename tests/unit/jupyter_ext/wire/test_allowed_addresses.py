"""What operators may let kernels reach."""

import ipaddress
import re

import pytest

from jupyter_ext.wire.allowed_addresses import Allowed, check_allowed, parse_allowed, split_name


@pytest.mark.parametrize(
    ("text", "subnet", "ports"),
    [
        ("10.1.2.3:6379", "10.1.2.3/32", (6379, 6379)),
        ("10.1.0.0/16", "10.1.0.0/16", None),
        ("10.1.0.0/16:8000-9000", "10.1.0.0/16", (8000, 9000)),
        ("fd12::/48", "fd12::/48", None),
        ("fd12::1", "fd12::1/128", None),
        ("[fd12::1]:6379", "fd12::1/128", (6379, 6379)),
        ("[fd12::/48]", "fd12::/48", None),
    ],
)
def test_operators_allow_addresses_and_ports(
    text: str, subnet: str, ports: tuple[int, int] | None
) -> None:
    assert parse_allowed(text) == Allowed(ipaddress.ip_network(subnet), ports)


@pytest.mark.parametrize("text", ["10.0.0.1", "fd::/64", "[fd::1]:80", "db.example", "db:80-90"])
def test_addresses_networks_and_names_can_be_allowed(text: str) -> None:
    check_allowed(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("localhost:80", "loopback"),
        ("127.0.0.1:9000", "loopback"),
        ("[::1]:80", "loopback"),
        ("db:0", "1 to 65535"),
        ("db:99999", "1 to 65535"),
        ("db:90-80", "the first one first"),
        ("10.1.2.3:0", "1 to 65535"),
        ("10.1.2.3:99999", "1 to 65535"),
        ("10.1.2.3:90-80", "the first one first"),
        ("10.1.2.3/8", "one address of a network: use 10.0.0.0/8 for the network, or 10.1.2.3 "),
        ("fd12::1/64", "use fd12::/64"),
        ("10.1.2.300", "10.1.2.3:6379"),
        ("10.1.2:80", "10.1.2.3:6379"),
        ("http://db", "10.1.2.3:6379"),
        (f"db:{'9' * 5000}", "10.1.2.3:6379"),
        ("", "10.1.2.3:6379"),
    ],
)
def test_what_cannot_be_allowed_is_said(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        check_allowed(text)


def test_what_was_written_is_said_once() -> None:
    for text in ("10.1.2/8", "1.2.3.4/33", "[fd1::/200]", "http://db"):
        with pytest.raises(ValueError, match=re.escape(text)) as refused:
            check_allowed(text)
        assert str(refused.value).count(text) == 1
        assert ": " not in str(refused.value)


def test_a_name_is_looked_up_and_an_address_is_not() -> None:
    assert split_name("db.example:80-90") == ("db.example", ":80-90")
    assert split_name("db.example") == ("db.example", "")
    for text in ("10.1.2.3:80", "10.1.2", "fd::/64", "10.0.0.0/8"):
        assert split_name(text) is None
