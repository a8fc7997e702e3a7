"""Who watches a gateway reads its metrics at a port of their own."""

import requests

from tests.integration.gateway_ext.fleet_of_gateways import running_gateways, wait_until
from tests.servers.garbage_collections import garbage_collections
from tests.servers.ports import free_ports


def test_a_gateway_answers_metrics_and_health_at_their_own_port_alone() -> None:
    (port,) = free_ports(1)
    own = f"http://127.0.0.1:{port}"
    changes = {"FleetGatewayApp": {"metrics_port": port}}
    with running_gateways(changes=changes, count=1) as gateways:
        for path in ("/metrics", "/health"):
            assert gateways.service().call("GET", f"{gateways.urls[0]}{path}").status_code == 404
        assert "process_cpu_seconds_total" in requests.get(f"{own}/metrics", timeout=20).text
        assert requests.get(f"{own}/health", timeout=20).json() == {"status": "ok"}
        assert requests.get(f"{own}/api/kernels", timeout=20).status_code == 404


def test_a_gateway_collects_garbage_only_once_it_has_started() -> None:
    (port,) = free_ports(1)
    with running_gateways(changes={"FleetGatewayApp": {"metrics_port": port}}, count=1):
        url = f"http://127.0.0.1:{port}/metrics"
        young, _, old = garbage_collections(url)
        assert old == 0
        wait_until(lambda: garbage_collections(url)[0] > young)
