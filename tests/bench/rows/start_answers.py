"""How soon a lab answers a page that starts a kernel in Kubernetes, whatever the cluster does.

A lab and two gateways are real, the API server is scripted. Stock Jupyter has nothing to compare
with: it answers when the kernel runs, or when it has failed.
"""

import uuid
from collections.abc import Sequence

from jupyter_ext.wire.headers import ASYNC, START_HEADER
from tests.bench.bench import Bench, Measure, milliseconds_of
from tests.bench.table import Table
from tests.integration.gateway_ext.fleet_of_gateways import kernel_python, wait_until
from tests.integration.gateway_ext.process_proxies.cluster_fleet import cluster_fleet, images
from tests.integration.jupyter_ext.kernels.fleet_of_labs import Labs
from tests.servers.kubernetes_api import ScriptedKubernetes, status
from tests.servers.scripted_http import Answer
from tests.servers.seaweedfs import start_seaweedfs
from tests.servers.short_folder import short_folder
from tests.servers.yarn_resource_manager import ScriptedResourceManager

OURS = "ours"
SECONDS = 60.0
QUOTA = 'pods "x" is forbidden: exceeded quota: team, used: pods=10, limited: pods=10'
WAYS: dict[str, tuple[str, Sequence[Answer]]] = {
    "the cluster is well": ("pod", []),
    "its API server does not answer": ("pod", [Answer(delay=3600)]),
    "the quota is used up": ("pod", [status(403, QUOTA)]),
    "the image is missing": ("no_image", []),
}
"""The kernelspec, and what the API server answers to a new pod instead of the truth."""


def run(bench: Bench) -> Table:
    """One start at a time, each of a notebook of its own."""
    table = Table(
        "Starts through a lab",
        [OURS],
        OURS,
        "median ms (lowest..highest) until POST /api/sessions of a page is answered; promised: "
        "less than 300",
        shows_highest=True,
    )
    kubernetes = ScriptedKubernetes(images())
    bench.stack.callback(kubernetes.stop)
    yarn = ScriptedResourceManager(kernel_python())
    bench.stack.callback(yarn.stop)
    fleet = bench.stack.enter_context(cluster_fleet(kubernetes, yarn, bench.directory))
    store = start_seaweedfs(bench.stack.enter_context(short_folder("fleet-s3-")))
    bench.stack.callback(store.stop)
    gateways = fleet.gateways
    labs = Labs(gateways.directory, gateways.signer, gateways.urls, store, 1)
    bench.stack.callback(labs.stop)
    client = labs.client()
    client.headers[START_HEADER] = ASYNC
    sessions = f"{labs.urls[0]}/api/sessions"

    def measure_of(kernelspec: str, answers: Sequence[Answer]) -> Measure:
        def measure() -> tuple[float, dict[str, float]]:
            path = f"demo/{uuid.uuid4().hex}.ipynb"
            body = {"path": path, "name": "", "type": "notebook", "kernel": {"name": kernelspec}}
            kubernetes.script("POST", "/pods", *answers, forever=bool(answers))
            made = []
            milliseconds = milliseconds_of(
                lambda: made.append(client.call("POST", sessions, json=body))
            )
            [answer] = made
            assert answer.status_code == 201, answer.text
            session, kernel_id = answer.json()["id"], answer.json()["kernel"]["id"]
            assert client.call("DELETE", f"{sessions}/{session}").status_code == 204
            kubernetes.end_scripts()
            wait_until(lambda: fleet.nothing_left(kernel_id), SECONDS)
            return milliseconds, {}

        return measure

    bench.interleave(table, {name: {OURS: measure_of(*way)} for name, way in WAYS.items()})
    return table
