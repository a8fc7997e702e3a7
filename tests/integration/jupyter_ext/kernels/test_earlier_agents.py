"""Kernels that the version before has started: their agents have no journal ID."""

import uuid
from collections.abc import Iterator

import pytest

from jupyter_ext.wire.frames import SUBPROTOCOL
from tests.integration.gateway_ext.fleet_of_gateways import Gateways
from tests.integration.jupyter_ext.kernels.cursor_page import close_of, dial
from tests.integration.jupyter_ext.kernels.earlier_version import put_earlier
from tests.integration.jupyter_ext.kernels.fleet_of_labs import Fleet, Labs
from tests.servers.seaweedfs import SeaweedFS
from tests.servers.short_folder import short_folder

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def earlier(seaweedfs: SeaweedFS) -> Iterator[Fleet]:
    """A lab and a gateway of this version; the agents are of the one before."""
    with short_folder("fleet-old-") as directory:
        gateways = Gateways(directory, 1)
        try:
            put_earlier(directory / "code", "gateway_ext/agent")
            labs = Labs(directory, gateways.signer, gateways.urls, seaweedfs, 1)
            try:
                yield Fleet(labs, gateways)
            finally:
                labs.stop()
        finally:
            gateways.stop()


def test_a_page_with_a_cursor_is_told_to_speak_v1_with_an_earlier_agent(earlier: Fleet) -> None:
    kernel_id = earlier.gateways.start_kernel(0)
    client = earlier.gateways.client()
    query = {"session_id": uuid.uuid4().hex, "stream": uuid.uuid4().hex, "cursor": "1"}
    socket = dial(earlier.urls[0], kernel_id, client.headers, query)
    assert socket.getsubprotocol() == SUBPROTOCOL
    assert close_of(socket) == (4406, "this kernel's agent is of an earlier version")
    for v1 in (True, False):
        with client.channels(earlier.urls[0], kernel_id, v1=v1) as channels:
            assert channels.run("print(1)") == "1\n"
