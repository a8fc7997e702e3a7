"""What is the internet, what operators allow, and what is told to programs about a network."""

from __future__ import annotations

import ipaddress
import re
from typing import Any

import pytest

from gateway_ext.agent.walls.name_files import hosts_for, resolv_conf_for
from gateway_ext.agent.walls.network import (
    Network,
    Reach,
    private_subnets,
    versions_with_a_way,
)
from gateway_ext.agent.walls.own_network import Outside, local_subnets
from gateway_ext.agent.walls.way_out import arguments
from jupyter_ext.wire.allowed_addresses import Allowed

ROUTES_4 = """\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
"""
ZERO = "0" * 32
ROUTES_6 = f"""\
{ZERO} 00 {ZERO} 00 fd000000000000000000000000000001 00000400 00000003 00000000 00000003     eth0
{ZERO} 00 {ZERO} 00 {ZERO} ffffffff 00000001 00000000 00200200       lo
"""
FIB_TRIE = """\
Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
        +-- 203.0.113.0/24 2 0 2
           |-- 203.0.113.7
              /32 host LOCAL
           |-- 203.0.113.255
              /32 link BROADCAST
     |-- 10.4.0.0
        /16 host LOCAL
"""
IF_INET6 = """\
00000000000000000000000000000001 01 80 10 80       lo
20010db8000000000000000000000002 04 40 00 80     eth0
"""


@pytest.mark.parametrize(
    "text",
    [
        "10.0.0.1",
        "172.31.255.254",
        "192.168.1.1",
        "100.64.0.1",
        "100.100.100.200",
        "127.0.0.53",
        "0.0.0.0",
        "169.254.169.254",
        "168.63.129.16",
        "192.0.0.192",
        "224.0.0.251",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:10.0.0.1",
        "::10.0.0.1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "64:ff9b::10.0.0.1",
        "64:ff9b::169.254.169.254",
        "64:ff9b:1::1",
        "2002:a00:1::1",
        "2001::1",
    ],
)
def test_what_is_not_the_internet(text: str) -> None:
    address = ipaddress.ip_address(text)
    assert any(address in subnet for subnet in private_subnets())


@pytest.mark.parametrize(
    "text",
    ["1.1.1.1", "172.32.0.1", "100.128.0.1", "198.51.100.1", "2606:4700::1", "64:ff9b::808:808"],
)
def test_what_is(text: str) -> None:
    address = ipaddress.ip_address(text)
    assert not any(address in subnet for subnet in private_subnets())


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ([], "with reach: none or internet"),
        ({}, "with reach: none or internet"),
        ({"reach": "host"}, "with reach: none or internet"),
        ({"reach": "none", "allowed": "x"}, "must be a list of addresses"),
        ({"reach": "internet", "allowed": ["localhost"]}, "as in 10.1.2.3:6379"),
    ],
)
def test_networks_that_cannot_be_meant_are_refused(raw: Any, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        Network.from_json(raw)


def test_a_network_is_read_as_it_was_written() -> None:
    network = Network(Reach.INTERNET, ("10.0.0.1:80",), "/dev/mine", "so")
    assert Network.from_json(network.as_json()) == network
    assert Network.from_json(None) is None


def test_a_name_server_on_the_machines_loopback_has_another_address_inside() -> None:
    stub = "# made\nnameserver 127.0.0.53\noptions edns0\nsearch example\n"
    assert resolv_conf_for(stub, "169.254.1.1") == (
        "# made\noptions edns0\nsearch example\nnameserver 169.254.1.1\n"
    )
    others = (
        "nameserver 127.0.0.1\nnameserver fe80::1%eth0\nnameserver 10.0.0.2\nnameserver fd::2\n"
    )
    assert resolv_conf_for(others, "169.254.1.1") == "nameserver 10.0.0.2\nnameserver fd::2\n"


def test_the_machines_name_is_inside_that_of_the_loopback() -> None:
    hosts = "127.0.1.1 box\n10.0.0.7\tbox box.example # the LAN\n10.0.0.8 other\n\n::1 localhost\n"
    assert hosts_for(hosts, "box") == (
        "127.0.0.1 localhost box\n::1 localhost box\n10.0.0.7 box.example\n10.0.0.8 other\n"
    )


def test_the_machines_own_addresses_are_refused_and_its_name_servers_are_not() -> None:
    own = [ipaddress.ip_network(one) for one in ("10.4.0.0/16", "203.0.113.7")]
    own += [ipaddress.ip_network(one) for one in ("::1", "2001:db8::2")]
    assert local_subnets(FIB_TRIE, IF_INET6) == own
    outside = Outside(tuple(own), "nameserver 10.4.0.53\n", "", "box")
    assert set(own) < set(outside.refused())
    dns = Allowed(ipaddress.ip_network("10.4.0.53"), (53, 53))
    assert outside.allowed(Network(Reach.INTERNET, ("fd::/64",))) == [
        Allowed(ipaddress.ip_network("fd::/64")),
        dns,
    ]


def test_those_that_are_private_anyway_are_not_named_apart() -> None:
    own = [*local_subnets(FIB_TRIE, IF_INET6), ipaddress.ip_network("198.51.100.0/31")]
    public = [ipaddress.ip_network(one) for one in ("203.0.113.7", "2001:db8::2", own[-1])]
    assert Outside(tuple(own), "", "", "box").public() == public


@pytest.mark.parametrize(
    ("routes_4", "routes_6", "versions"),
    [
        (ROUTES_4, ROUTES_6, [4, 6]),
        ("".join(ROUTES_4.splitlines(keepends=True)[::2]), ROUTES_6, [6]),
        (ROUTES_4, ROUTES_6.splitlines()[1], [4]),
        ("", "", []),
    ],
)
def test_there_is_a_way_where_the_machine_has_one(
    routes_4: str, routes_6: str, versions: list[int]
) -> None:
    assert versions_with_a_way(routes_4, routes_6) == versions


def test_no_way_leads_in_or_to_the_machines_loopback() -> None:
    for versions in ([4], [6], [4, 6]):
        command = arguments("/proc/self/fd/9", versions, own_resolver=True)
        other = arguments("/proc/self/fd/9", versions, own_resolver=False)
        # Answers of name servers elsewhere would come from an address that nobody asked.
        assert ("--dns-forward" in command, "--dns-forward" in other) == (4 in versions, False)
        for ports in ("--tcp-ports", "--udp-ports", "--tcp-ns", "--udp-ns"):
            assert command[command.index(ports) + 1] == "none"
        assert {"--no-map-gw", "--netns-only", "--config-net", "--foreground"} < set(command)
        assert ("--ipv4-only" in command, "--ipv6-only" in command) == (
            6 not in versions,
            4 not in versions,
        )
