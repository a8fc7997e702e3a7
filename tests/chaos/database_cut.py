"""`python -m tests.chaos.database_cut FOLDER`: two gateways lose the network to the database.

Only in namespaces of its own (`network.run_inside`), with an existing folder whose path is short.
Nothing answers and nobody is told, as when a switch dies: of a server that is stopped, or frozen,
the machine still takes packets.
"""

import asyncio
import random
import sys
import time
import uuid
from pathlib import Path

import requests

from tests.chaos.chaos import HEALTHY_SECONDS, Chaos
from tests.chaos.counting_kernel import CountingKernel
from tests.chaos.network import SQL, Network
from tests.servers.seaweedfs import start_seaweedfs

GATEWAYS = 2


def call_until_done(chaos: Chaos, url: str, body: dict[str, object]) -> requests.Response:
    """The first answer that is not a refusal for the moment, to one POST that is sent again."""
    deadline = time.monotonic() + 2 * HEALTHY_SECONDS
    while True:
        answer = chaos.client.call("POST", url, json=body)
        if answer.status_code != 503 or time.monotonic() > deadline:
            return answer
        assert answer.json()["message"], answer.text
        time.sleep(0.5)


async def lose_the_database(chaos: Chaos, network: Network) -> None:
    """What is refused, what goes on, and what is there afterwards; raises AssertionError."""
    await chaos.start_kernels()
    kernel = chaos.kernels[0]
    kernels, lab = f"{chaos.gateways.urls[0]}/api/kernels", chaos.labs.urls[0]
    start = {"kernel_id": str(uuid.uuid4())}
    drain = f"{chaos.gateways.urls[1]}/api/fleet/gateways/gateway-1/drain"
    session: dict[str, object] = {
        "path": "demo/cut.ipynb",
        "name": "cut.ipynb",
        "type": "notebook",
        "kernel": {"name": "python"},
    }
    for host in range(GATEWAYS):
        network.pull(host, SQL)
    refused = [
        asyncio.create_task(asyncio.to_thread(client.call, method, url, **options))
        for client, method, url, options in (
            (chaos.client, "POST", kernels, {"json": start}),
            (chaos.client, "DELETE", f"{kernels}/{kernel.kernel_id}", {}),
            (chaos.gateways.service(), "POST", drain, {}),
        )
    ]
    opened = asyncio.create_task(
        asyncio.to_thread(call_until_done, chaos, f"{lab}/api/sessions", session)
    )
    cells = 0
    # The client itself gives up after 90 s.
    while cells < 10 or not all(one.done() for one in refused):
        await asyncio.gather(*(kernel.goes_on(HEALTHY_SECONDS) for kernel in chaos.kernels))
        cells += 1
        await asyncio.sleep(0.2)
    for answer in [await one for one in refused]:
        assert answer.status_code == 503, answer.text
        assert "database" in answer.json()["message"], answer.text
        assert answer.headers["Retry-After"]
    for host in range(GATEWAYS):
        network.plug(host, SQL)

    # Who asks again gets what was meant, once; what was refused and is not asked for again has not
    # happened, and will not.
    started = await asyncio.to_thread(call_until_done, chaos, kernels, start)
    assert started.status_code == 201, started.text
    assert (await opened).status_code == 201, (await opened).text
    for kernel_id in (started.json()["id"], (await opened).json()["kernel"]["id"]):
        more = CountingKernel(kernel_id, chaos.gateways.urls, chaos.client.headers)
        await more.begin(HEALTHY_SECONDS)
        chaos.kernels.append(more)
    await chaos.look_over("the cut", random.Random(0))
    assert chaos.violations == []
    await chaos.end_kernels()
    assert chaos.violations == []


def main() -> None:
    """Runs it all in the folder that is named."""
    folder = Path(sys.argv[1])
    network = Network()
    (folder / "store").mkdir()
    store = start_seaweedfs(folder / "store")
    try:
        chaos = Chaos(
            gateways=GATEWAYS,
            labs=1,
            kernels=GATEWAYS,
            store=store,
            say=print,
            network=network,
            alone=True,
            directory=folder,
        )
        try:
            asyncio.run(lose_the_database(chaos, network))
        finally:
            chaos.stop()
    finally:
        store.stop()


if __name__ == "__main__":
    main()
