"""What operators may let kernels reach; tests/unit/agent/test_network.py reads the addresses."""

import re

import pytest

from jupyter_ext.wire.allowed_addresses import check_allowed, split_name


@pytest.mark.parametrize("text", ["10.0.0.1", "fd::/64", "[fd::1]:80", "db.example", "db:80-90"])
def test_addresses_networks_and_names_can_be_allowed(text: str) -> None:
    check_allowed(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("localhost:80", "loopback"),
        ("127.0.0.1", "loopback"),
        ("db:0", "1 to 65535"),
        ("db:99999", "1 to 65535"),
        ("db:90-80", "the first one first"),
        ("10.1.2.3:99999", "1 to 65535"),
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


def test_a_name_is_looked_up_and_an_address_is_not() -> None:
    assert split_name("db.example:80-90") == ("db.example", ":80-90")
    assert split_name("db.example") == ("db.example", "")
    for text in ("10.1.2.3:80", "10.1.2", "fd::/64", "10.0.0.0/8"):
        assert split_name(text) is None
