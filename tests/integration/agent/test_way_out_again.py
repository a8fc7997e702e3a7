"""A kernel whose way to the internet ends has another one, or says why not."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway_ext.agent.walls.network import TUN, Network, Reach
from gateway_ext.agent.walls.own_network import Outside
from gateway_ext.agent.walls.probe import why_not
from tests.integration.agent.scripted_gateway import Fleet, Link, Stream, until
from tests.servers.tun_device import ways_out

FETCH = """
import socket
for place in {places}:
    try:
        with socket.create_connection(place, 5) as one: print(one.recv(99).decode())
    except OSError as error: print(type(error).__name__)
"""
REFUSED = (("10.0.0.1", 80), ("169.254.169.254", 80), ("192.168.0.1", 80))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, int]]:
    """At an address of this machine that is not its loopback."""
    if os.geteuid() != 0:
        pytest.skip("only root opens /dev/net/tun")
    if reason := why_not(tmp_path, Network(Reach.INTERNET)):
        pytest.skip(reason)
    own = (one.network_address for one in Outside.look().addresses if one.version == 4)
    address = next((str(one) for one in own if not one.is_loopback), "")
    if not address:
        pytest.skip("this machine has no address for others")
    with socket.create_server((address, 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    client, _ = listening.accept()
                except OSError:
                    return
                with client:
                    client.sendall(b"served")

        threading.Thread(target=serve, daemon=True).start()
        yield listening.getsockname()
        listening.shutdown(socket.SHUT_RDWR)


def reach(link: Link) -> str:
    """What the agent says of the kernel's network."""
    said: str = link.state["network"]["reach"]
    return said


def test_a_way_that_is_killed_is_made_again_and_the_same_stays_refused(
    fleet: Fleet, tmp_path: Path, server: tuple[str, int]
) -> None:
    tun = tmp_path / "tun"
    tun.symlink_to(TUN)
    network = {"reach": "internet", "tun": str(tun), "allowed": ["{}:{}".format(*server)]}
    code = FETCH.format(places=(server, *REFUSED))
    served = "served\n" + len(REFUSED) * "ConnectionRefusedError\n"

    async def scenario() -> None:
        fleet.gateway()
        link = await fleet.running(walls={"hidden": [], "shown": [], "network": network})
        page = Stream("page")
        await page.open(link)
        assert await page.run(code) == served
        agent = fleet.agent.pid

        async def lose() -> str:
            """Kill the way; what is said of it at first."""
            before = len(link.states)
            for pid in ways_out(agent):
                os.kill(pid, signal.SIGKILL)

            def said() -> list[str]:
                networks = (state["network"] for state in link.states[before:])
                return [one["why"] for one in networks if one["reach"] == "none"]

            await until(said, 20, "it is said that the way has ended")
            return said()[0]

        why = await lose()
        assert why.endswith("its agent tries to make it again: it was killed")
        await until(lambda: reach(link) == "internet", 20, "a way again")
        assert link.state["network"]["why"] == ""
        assert await page.run(code) == served
        tun.unlink()
        await lose()
        await until(lambda: f"mount {TUN}" in link.state["network"]["why"], 20, "why not")
        nothing = await page.run(code)
        assert "served" not in nothing
        assert nothing.count("Error") == 1 + len(REFUSED)
        failing = await page.execute(f"import socket; socket.create_connection({server}, 5)")
        assert (await page.reply(failing))["ename"] == "OSError"
        assert "no way to the internet at the moment" in page.text(failing)
        tun.symlink_to(TUN)
        # By itself.
        await until(lambda: reach(link) == "internet", 20, "a way again")
        assert await page.run(code) == served
        (way,) = ways_out(agent)
        await link.command("shutdown", now=True)
        await until(lambda: not os.path.exists(f"/proc/{way}"), 20, "its way has ended")

    asyncio.run(scenario())
