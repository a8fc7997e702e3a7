"""Metrics and health have a port of their own."""

import pytest
from tornado.simple_httpclient import SimpleAsyncHTTPClient

from jupyter_ext.metrics_port import PortRefused, bind, serve
from tests.servers.ports import free_ports


async def test_it_answers_metrics_and_health_and_nothing_else() -> None:
    sockets = bind(0, "127.0.0.1")
    assert sockets == []
    sockets = bind(free_ports(1)[0], "127.0.0.1")
    server = serve(sockets)
    url = f"http://127.0.0.1:{sockets[0].getsockname()[1]}"
    client = SimpleAsyncHTTPClient(force_instance=True)
    try:
        metrics = await client.fetch(f"{url}/metrics")
        assert b"process_cpu_seconds_total" in metrics.body
        health = await client.fetch(f"{url}/health")
        assert health.body == b'{"status": "ok"}'
        for method, path, body in (
            ("GET", "/", None),
            ("GET", "/api", None),
            ("POST", "/metrics", ""),
            ("DELETE", "/health", None),
        ):
            answer = await client.fetch(f"{url}{path}", method=method, body=body, raise_error=False)
            assert answer.code in (404, 405), path
    finally:
        client.close()
        server.stop()


async def test_a_port_that_is_taken_is_said() -> None:
    (taken,) = bind(free_ports(1)[0], "127.0.0.1")
    port = taken.getsockname()[1]
    with taken, pytest.raises(PortRefused, match=rf"port {port} .*set metrics_port"):
        bind(port, "127.0.0.1")
