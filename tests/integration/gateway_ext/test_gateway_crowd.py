"""What hundreds of clients leave behind at a kernel."""

from tests.integration.gateway_ext.crowd import FEW, come_and_go, descriptors
from tests.integration.gateway_ext.fleet_of_gateways import Gateways, wait_until


def test_clients_that_come_and_go_leave_nothing_behind(gateways: Gateways) -> None:
    kernel_id = gateways.start_kernel(0)
    client = gateways.client()
    pids = [process.pid for process in gateways.processes]
    before = [descriptors(pid) for pid in pids]
    come_and_go(client, gateways.urls, kernel_id, 500)

    def nobody_is_counted() -> bool:
        model = client.call("GET", f"{gateways.urls[0]}/api/kernels/{kernel_id}").json()
        return bool(model["connections"] == 0)

    wait_until(nobody_is_counted)
    for pid, few in zip(pids, before, strict=True):
        wait_until(lambda pid=pid, few=few: descriptors(pid) <= few + FEW)
    with client.channels(gateways.urls[1], kernel_id) as channels:
        assert channels.run("print(6 * 7)") == "42\n"
