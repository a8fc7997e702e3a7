"""Which networks are tried for a kernel, and what operators may allow."""

import logging
import socket
from typing import Any

import pytest

from gateway_ext.agent.walls.network import Network, Reach
from gateway_ext.process_proxies.network_choice import (
    NetworkChoice,
    NetworkImpossible,
    has_ports,
    wanted,
)
from jupyter_ext.wire.kernel_walls import NETWORKS

TCP = {"metadata": {"fleet": {"transport": "tcp"}}}


def network(mode: str = "auto", *allowed: str, tun: str = "") -> NetworkChoice:
    return NetworkChoice(mode, allowed, tun, logging.getLogger("test-network"))


def test_the_best_network_is_tried_first_and_what_is_asked_for_alone() -> None:
    assert wanted("auto", has_ports=False) == [Reach.INTERNET, Reach.NONE]
    assert wanted("auto", has_ports=True) == [Reach.HOST]
    assert ("auto", *Reach) == NETWORKS
    for reach in Reach:
        assert wanted(reach, has_ports=False) == [reach]
    assert wanted("host", has_ports=True) == [Reach.HOST]


@pytest.mark.parametrize("mode", ["none", "internet"])
def test_a_kernel_that_its_agent_would_not_reach_is_refused_with_what_to_change(mode: str) -> None:
    with pytest.raises(NetworkImpossible, match="use auto or host"):
        network(mode).to_try(TCP)


def test_kernelspecs_say_whether_their_kernels_have_ports() -> None:
    assert has_ports(TCP)
    assert not any(map(has_ports, ({}, {"metadata": {}}, {"metadata": {"fleet": None}})))


def test_agents_are_told_what_is_allowed_and_which_device_to_use() -> None:
    allowed = network("internet", "10.0.0.1:80", "fd::/64", tun="/k/tun").to_try({})
    assert allowed == [Network(Reach.INTERNET, ("10.0.0.1:80", "fd::/64"), "/k/tun")]
    assert network("auto").to_try(TCP) == [None]
    assert network("none", "10.0.0.1").to_try({}) == [Network(Reach.NONE)]


def test_names_are_looked_up_and_what_leads_to_the_loopback_is_left_out(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    answers: dict[str, list[str]] = {"db.example": ["10.0.0.9", "fd::9", "127.0.1.1"]}

    def look_up(name: str, port: None, **_: Any) -> list[tuple[Any, ...]]:
        if name not in answers:
            raise socket.gaierror("not known")
        return [(0, 0, 0, "", (address, 0)) for address in answers[name]]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    allowed = network("internet", "db.example:3306", "gone.example")
    (found,) = allowed.to_try({})
    assert found is not None
    assert found.allowed == ("10.0.0.9:3306", "[fd::9]:3306")
    assert "gone.example cannot be looked up" in caplog.text
    # What was known stays when nobody answers.
    answers.clear()
    assert allowed.to_try({}) == [found]
