"""Who watches a lab reads its metrics at a port of their own, and nobody at that of people."""

import requests

from tests.integration.gateway_ext.fleet_of_gateways import wait_until
from tests.integration.jupyter_ext.kernels.fleet_of_labs import Labs, start_bare_labs
from tests.servers.garbage_collections import garbage_collections
from tests.servers.ports import free_ports
from tests.servers.seaweedfs import SeaweedFS
from tests.servers.short_folder import short_folder


def test_a_lab_answers_metrics_and_health_at_their_own_port_alone(seaweedfs: SeaweedFS) -> None:
    (port,) = free_ports(1)
    with short_folder("fleet-metrics-") as directory:
        changes = {"JupyterFleet": {"metrics_port": port}}
        labs = start_bare_labs(directory, seaweedfs, 1, changes)
        try:
            _collects_garbage_only_since_it_has_started(f"http://127.0.0.1:{port}/metrics")
            _check(labs, f"http://127.0.0.1:{port}")
        finally:
            labs.stop()


def _collects_garbage_only_since_it_has_started(metrics_url: str) -> None:
    young, _, old = garbage_collections(metrics_url)
    assert old == 0
    wait_until(lambda: garbage_collections(metrics_url)[0] > young)


def _check(labs: Labs, own: str) -> None:
    for caller in (labs.client(), labs.service("monitor")):
        for path in ("/metrics", "/health"):
            answer = caller.call("GET", f"{labs.urls[0]}{path}", allow_redirects=False)
            assert answer.status_code in (403, 404), path
    metrics = requests.get(f"{own}/metrics", timeout=20)
    assert "http_request_duration_seconds" in metrics.text
    assert requests.get(f"{own}/health", timeout=20).json() == {"status": "ok"}
    assert requests.get(f"{own}/api/contents", timeout=20).status_code == 404
