"""What a lab does with messages that are too long or invalid, and with clients that leave."""

import pytest

from tests.integration.gateway_ext.crowd import FEW, come_and_go, descriptors
from tests.integration.gateway_ext.fleet_of_gateways import wait_until
from tests.integration.gateway_ext.refused_cells import MB, check_invalid, refused, send_long
from tests.integration.jupyter_ext.kernels.fleet_of_labs import Fleet


@pytest.fixture(scope="module")
def kernel_id(fleet: Fleet) -> str:
    """A kernel that no document uses."""
    return fleet.gateways.start_kernel(0)


@pytest.mark.parametrize("v1", [False, True])
def test_a_cell_that_is_too_long_says_the_limit(fleet: Fleet, kernel_id: str, v1: bool) -> None:
    with fleet.gateways.client().channels(fleet.urls[0], kernel_id, v1=v1) as page:
        assert page.run("print(1)") == "1\n"
        request = send_long(page, f"x = '{'y' * 80 * MB}'", v1=v1)
        assert "at most 64 MB can be sent" in refused(page, request)
        assert page.run("print(6 * 7)") == "42\n"


def test_a_long_cell_within_the_limit_runs(fleet: Fleet, kernel_id: str) -> None:
    with fleet.gateways.client().channels(fleet.urls[0], kernel_id, v1=True) as page:
        request = send_long(page, f"x = '{'y' * 60 * MB}'\nprint(len(x))", v1=True)
        assert page.finish(request)[0] == f"{60 * MB}\n"


@pytest.mark.parametrize("v1", [False, True])
def test_an_invalid_message_is_answered_or_ignored(fleet: Fleet, kernel_id: str, v1: bool) -> None:
    with fleet.gateways.client().channels(fleet.urls[0], kernel_id, v1=v1) as page:
        check_invalid(page, v1=v1)


def test_clients_that_come_and_go_leave_nothing_behind(fleet: Fleet, kernel_id: str) -> None:
    ada = fleet.gateways.client()
    pids = [process.pid for process in fleet.labs.processes]
    before = [descriptors(pid) for pid in pids]
    come_and_go(ada, fleet.urls, kernel_id, 300)

    def nobody_is_counted() -> bool:
        return bool(
            ada.call("GET", f"{fleet.urls[0]}/api/kernels/{kernel_id}").json()["connections"] == 0
        )

    wait_until(nobody_is_counted)
    for pid, few in zip(pids, before, strict=True):
        wait_until(lambda pid=pid, few=few: descriptors(pid) <= few + FEW)
