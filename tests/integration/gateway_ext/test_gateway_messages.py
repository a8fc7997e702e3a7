"""Messages that are too long or invalid: their sender is told, and stays connected."""

from typing import Any

import pytest

from tests.integration.gateway_ext.fleet_of_gateways import Gateways, running_gateways
from tests.integration.gateway_ext.refused_cells import MB, check_invalid, refused, send_long


@pytest.fixture(scope="module")
def short() -> Any:
    """Two gateways that relay messages of at most 20 MB; a kernel at the first one, and one that is
    relayed."""
    changes = {"FleetGatewayApp": {"max_message_bytes": 20 * MB}}
    with running_gateways(changes=changes) as gateways:
        yield gateways, gateways.start_kernel(0)


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("v1", [False, True])
def test_a_cell_that_is_too_long_says_the_limit(
    short: tuple[Gateways, str], number: int, v1: bool
) -> None:
    gateways, kernel_id = short
    with gateways.client().channels(gateways.urls[number], kernel_id, v1=v1) as channels:
        assert channels.run("print(1)") == "1\n"
        request = send_long(channels, f"x = '{'y' * 64 * MB}'", v1=v1)
        assert "at most 20 MB can be sent" in refused(channels, request)
        # The connection is the same, and the next cell runs.
        assert channels.run("print(6 * 7)") == "42\n"


def test_a_long_cell_within_the_limit_runs(short: tuple[Gateways, str]) -> None:
    gateways, kernel_id = short
    with gateways.client().channels(gateways.urls[1], kernel_id, v1=True) as channels:
        request = send_long(channels, f"x = '{'y' * 19 * MB}'\nprint(len(x))", v1=True)
        assert channels.finish(request)[0] == f"{19 * MB}\n"


def test_json_that_is_too_long_for_it_says_what_to_use(short: tuple[Gateways, str]) -> None:
    gateways, kernel_id = short
    with gateways.client().channels(gateways.urls[0], kernel_id) as channels:
        request = send_long(channels, f"x = '{'y' * 9 * MB}'", v1=False)
        assert "use the subprotocol v1.kernel" in refused(channels, request)
        assert channels.run("print(6 * 7)") == "42\n"


@pytest.mark.parametrize("v1", [False, True])
def test_an_invalid_message_is_answered_or_ignored(short: tuple[Gateways, str], v1: bool) -> None:
    gateways, kernel_id = short
    with gateways.client().channels(gateways.urls[0], kernel_id, v1=v1) as channels:
        check_invalid(channels, v1=v1)
