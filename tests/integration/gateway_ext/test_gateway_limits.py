"""What a kernel may use, and when an idle one is ended."""

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import pytest

from gateway_ext.agent.cgroup import memory_cgroup_of
from gateway_ext.agent.process_identity import started_at
from tests.integration.gateway_ext.fleet_of_gateways import (
    Gateways,
    agents_of,
    running_gateways,
    wait_until,
)

IDLE_SECONDS = 20
WARNING_SECONDS = 8


@pytest.fixture(scope="module")
def limited() -> Iterator[Gateways]:
    changes = {
        "FleetGatewayApp": {"kernel_memory": 300 * 2**20},
        "FleetMappingKernelManager": {
            "cull_idle_timeout": IDLE_SECONDS,
            "cull_connected": True,
            "cull_interval": 1,
            "cull_warning_seconds": WARNING_SECONDS,
        },
    }
    with running_gateways(changes=changes) as gateways:
        yield gateways


def cgroups() -> list[Path]:
    own = memory_cgroup_of(os.getpid())
    return [] if own is None or own.version != 1 else list(own.path.glob("fleet-*"))


def test_a_kernel_that_uses_too_much_memory_says_why_it_was_ended(limited: Gateways) -> None:
    gateways, client = limited, limited.client()
    before = cgroups()
    with ThreadPoolExecutor(2) as pool:
        greedy, other = pool.map(gateways.start_kernel, [0, 0])
    with (
        client.channels(gateways.urls[0], other) as channels,
        client.channels(gateways.urls[0], greedy) as page,
    ):
        channels.run("x = 41")
        page.execute("held = [bytearray(b'x' * (20 * 2**20)) for _ in range(100)]")
        # Known at every gateway, though the kernel was started again at once.
        wait_until(lambda: gateways.model(greedy, 1)["reason"].startswith("out of memory"), 40)
        wait_until(lambda: gateways.model(greedy, 1)["state"] == "running")
        assert channels.run("print(x + 1)") == "42\n"
    (event,) = [one for one in gateways.events(greedy, 1) if one["event"] == "restarting"]
    assert event["detail"].startswith("out of memory")
    assert "300 MB" in event["detail"]
    for kernel_id in (greedy, other):
        client.call("DELETE", f"{gateways.urls[1]}/api/kernels/{kernel_id}")
    wait_until(lambda: set(cgroups()) <= set(before))


def test_what_left_a_kernel_ends_with_its_cgroup_though_the_agent_was_killed() -> None:
    # Within walls it ends with the kernel's first process, whatever it has left.
    app = {"kernel_memory": 300 * 2**20, "kernel_walls": "none"}
    before = cgroups()
    with running_gateways(changes={"FleetGatewayApp": app}) as gateways:
        client, kernel_id = gateways.client(), gateways.start_kernel(0)
        if set(cgroups()) <= set(before):
            pytest.skip("no memory cgroup can be made here")
        with client.channels(gateways.urls[0], kernel_id) as page:
            left = page.run(
                "import subprocess\n"
                "print(subprocess.Popen(['sleep', '300'], start_new_session=True).pid)"
            )
        (agent,) = agents_of(kernel_id)
        os.kill(agent, signal.SIGKILL)
        wait_until(lambda: gateways.model(kernel_id, 1)["state"] == "dead")
        client.call("DELETE", f"{gateways.urls[1]}/api/kernels/{kernel_id}")
        wait_until(lambda: not started_at(int(left)))
        wait_until(lambda: set(cgroups()) <= set(before))


def test_an_idle_kernel_is_ended_after_a_warning_and_one_that_works_is_not(
    limited: Gateways,
) -> None:
    gateways, client = limited, limited.client()
    with ThreadPoolExecutor(3) as pool:
        idle, working, kept = pool.map(gateways.start_kernel, [0, 0, 1])
    with (
        client.channels(gateways.urls[0], idle) as page,
        client.channels(gateways.urls[0], working) as computing,
        client.channels(gateways.urls[1], kept) as keeping,
    ):
        for channels in (page, keeping):
            channels.run("1")
        computing.run(
            # Several times what makes it work, and no whole core.
            "import threading, time\n"
            "def work():\n    while True: sum(range(200_000)); time.sleep(0.01)\n"
            "threading.Thread(target=work, daemon=True).start()"
        )
        # The gateway that does not own it knows as well.
        wait_until(lambda: gateways.model(idle, 1)["execution_state"] == "idle")
        seen = gateways.model(idle, 1)
        moments = [
            datetime.fromisoformat(seen[name]).timestamp()
            for name in ("last_activity", "cull_warning_at", "cull_at")
        ]
        assert moments[2] - moments[0] == pytest.approx(IDLE_SECONDS, abs=0.01)
        assert moments[2] - moments[1] == pytest.approx(WARNING_SECONDS, abs=0.01)
        time.sleep(max(0.0, moments[1] - time.time()))
        keeping.send("kernel_info_request", {})
        url = f"{gateways.urls[1]}/api/kernels/{idle}"
        wait_until(lambda: client.call("GET", url).status_code == 404, IDLE_SECONDS)
        assert time.time() >= moments[2]
        assert gateways.model(kept, 0)["state"] == "running"
        assert gateways.model(working, 0)["state"] == "running"
        assert computing.run("print(6 * 7)") == "42\n"
        (event,) = [one for one in gateways.events(idle, 1) if one["event"] == "delete"]
        assert event["detail"].startswith("culled: idle for 2")
