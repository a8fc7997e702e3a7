"""What code reaches within walls, by the network that it has, in a small internet of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from gateway_ext.agent.walls.way_out import PROGRAMS
from tests.integration.agent.small_internet import LATER, MACHINE, RESOLVER, WORLD

_UNSHARE = ["unshare", "--net", "--mount", "--pid", "--mount-proc", "--fork", "--kill-child"]
_CALLS = {"VSOCK 1", "PACKET 3", "PACKET 2", "ALG 5", "INET 3", "abstract socket"}
_EVERYTHING = ("0.0.0.0/0", "::/0")


@pytest.fixture(autouse=True)
def _can_be_tried() -> None:
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("only root, with iproute2, makes a small internet")
    if subprocess.run([*_UNSHARE, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine allows no network namespaces")


@pytest.fixture
def way_out() -> None:
    if shutil.which("pasta", path=PROGRAMS) is None or not os.path.exists("/dev/net/tun"):
        pytest.skip("pasta or /dev/net/tun is missing")


def attacked(
    folder: Path,
    reach: str,
    allowed: Sequence[str] = (),
    *,
    server: str = RESOLVER,
    after: str = "",
) -> dict[str, Any]:
    """What was tried from inside, by a machine with this name server; prints a table of it. `after`
    as in `small_internet`."""
    network = json.dumps({"reach": reach, "allowed": [*allowed]})
    command = [sys.executable, "-m", "tests.integration.agent.small_internet"]
    process = subprocess.run(
        [*_UNSHARE, *command, str(folder), network, server, *filter(None, [after])],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=60,
    )
    found: dict[str, Any] = json.loads(process.stdout)
    tried, reached = (Counter(map(_kind, found[name])) for name in ("tried", "reached"))
    print(f"\nnetwork {reach}{' and ' + ', '.join(allowed) if allowed else ''}:")
    for kind, count in tried.items():
        print(f"  {kind:18} {count:4} tried {reached[kind]:4} reached")
    return found


def _kind(words: str) -> str:
    if words in _CALLS:
        return "other sockets"
    words = words.partition("  ")[0] if "  " in words else words
    names = (*WORLD, "the router", "this machine", "its loopback")
    return next(name for name in names if words.startswith(name))


def _addresses(found: dict[str, Any]) -> set[str]:
    """The addresses and ports that were reached."""
    words = (one.removeprefix(f"{_kind(one)} ").split() for one in found["reached"])
    return {f"{address} {port}" for address, port, *_ in words}


def test_without_a_network_nothing_is_reached(tmp_path: Path) -> None:
    found = attacked(tmp_path, "none")
    assert found["reached"] == []
    assert len(found["tried"]) > 500
    assert found["resolver"] == "OSError"


@pytest.mark.usefixtures("way_out")
def test_with_the_internet_nothing_private_and_nothing_of_the_machine_is_reached(
    tmp_path: Path,
) -> None:
    found = attacked(tmp_path, "internet")
    assert {_kind(one) for one in found["reached"]} == {"internet", "the router"}
    assert {address.split()[0] for address in _addresses(found)} >= {*WORLD["internet"]}
    # It listens on the machine's loopback.
    assert found["resolver"] == "outside"


@pytest.mark.usefixtures("way_out")
def test_a_way_that_was_made_again_leads_to_no_more_and_not_to_new_addresses_of_the_machine(
    tmp_path: Path,
) -> None:
    found = attacked(tmp_path, "internet", after="again")
    assert any(LATER in one for one in found["tried"])
    assert {_kind(one) for one in found["reached"]} == {"internet", "the router"}
    assert {address.split()[0] for address in _addresses(found)} >= {*WORLD["internet"]}
    assert found["resolver"] == "outside"


@pytest.mark.usefixtures("way_out")
def test_operators_allow_addresses_and_ports_and_no_more_is_reached(tmp_path: Path) -> None:
    allowed = ["10.9.9.9:6379", f"{MACHINE[0]}:18080", "[fd00:9::9]:80", "172.16.0.0/12"]
    found = attacked(tmp_path, "internet", allowed, server="10.9.9.9")
    # Of a private network, as most are; at its port 53 alone.
    assert found["resolver"] == "outside"
    shut = {"internet", "the router"}
    assert {one for one in _addresses(found) if one.split()[0] not in WORLD["internet"]} - {
        "198.51.100.1 80",
        "198.51.100.1 6379",
    } == {
        "10.9.9.9 6379",
        f"{MACHINE[0]} 18080",
        "fd00:9::9 80",
        "172.16.5.5 80",
        "172.16.5.5 6379",
    }
    assert {_kind(one) for one in found["reached"]} == {*shut, "private", "this machine"}


@pytest.mark.usefixtures("way_out")
def test_the_attack_finds_what_is_open(tmp_path: Path) -> None:
    found = attacked(tmp_path, "internet", _EVERYTHING)
    kinds = {_kind(one) for one in found["reached"]}
    # Not the loopback: nothing leads there.
    assert kinds == {*WORLD, "the router", "this machine"}
