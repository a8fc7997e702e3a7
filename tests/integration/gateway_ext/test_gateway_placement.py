"""New kernels spread over the gateways, and a gateway that joins takes its share."""

import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.integration.gateway_ext.fleet_of_gateways import (
    Gateways,
    agents_of,
    running_gateways,
    wait_until,
)
from tests.integration.gateway_ext.heartbeats import wait_for_heartbeats
from tests.integration.gateway_ext.test_gateway_drain import kernels_by_gateway


@pytest.fixture(scope="module")
def spreading() -> Iterator[Gateways]:
    changes = {
        "FleetGatewayApp": {
            "spread_starts": True,
            "rebalance_seconds": 0.3,
            "rebalance_after_seconds": 2.0,
            "lost_seconds": 6.0,
        }
    }
    with running_gateways(changes=changes, count=3) as gateways:
        yield gateways


def start(gateways: Gateways, number: int, *, direct: bool = False) -> str:
    url = f"{gateways.urls[number]}/api/kernels"
    body = {"kernel_id": str(uuid.uuid4())} if direct else {}
    answer = gateways.client().call("POST", url, json=body, direct=direct)
    assert answer.status_code == 201, answer.text
    kernel_id: str = answer.json()["id"]
    assert answer.headers["Location"].endswith(f"/api/kernels/{kernel_id}")
    return kernel_id


def claims(gateways: Gateways, kernels: list[str]) -> int:
    events = [event["event"] for one in kernels for event in gateways.events(one, 0)]
    return Counter(events)["claim"]


def test_starts_are_spread_and_a_gateway_that_joins_takes_its_share(spreading: Gateways) -> None:
    gateways = spreading
    with ThreadPoolExecutor(12) as pool:
        # All at one gateway, as labs do: stock clients and labs alike.
        kernels = list(pool.map(lambda n: start(gateways, 0, direct=n % 2 == 0), range(12)))
    assert len(set(kernels)) == 12
    launched = [gateways.events(one, 0)[0] for one in kernels]
    assert {event["event"] for event in launched} == {"launch"}
    even = {f"gateway-{number}": 4 for number in range(3)}
    assert Counter(event["gateway"] for event in launched) == even
    wait_until(lambda: kernels_by_gateway(gateways, 1) == even)
    assert claims(gateways, kernels) == 12

    busy, watched = kernels[:2]
    owners = {one: gateways.owner(one) for one in (busy, watched)}
    client = gateways.client()
    with (
        client.channels(gateways.urls[1], busy) as working,
        client.channels(gateways.urls[1], watched) as page,
    ):
        assert page.run("x = 41") == ""
        cell = working.execute("import time\nfor n in range(24): print(n); time.sleep(0.3)")
        gateways.add()
        even = {f"gateway-{number}": 3 for number in range(4)}
        wait_until(lambda: kernels_by_gateway(gateways, 1) == even, 30)
        assert gateways.owner(busy) == owners[busy]
        text, reply = working.finish(cell)
        assert text.split() == [str(n) for n in range(24)]
        assert reply["status"] == "ok"
        assert page.run("print(x + 1)") == "42\n"
    # Each of the three has given one away, and nothing goes back and forth.
    wait_for_heartbeats(gateways, 1, 5)
    assert kernels_by_gateway(gateways, 1) == even
    assert claims(gateways, kernels) == 15
    for one in kernels:
        assert client.call("DELETE", f"{gateways.urls[0]}/api/kernels/{one}").status_code == 204


def test_a_start_survives_the_gateway_that_was_chosen(spreading: Gateways) -> None:
    gateways = spreading
    kernel_id = str(uuid.uuid4())
    # Among gateways with as many kernels the first one by name is chosen.
    wait_until(lambda: not any(kernels_by_gateway(gateways, 1).values()))
    # The one that is asked has seen it too.
    wait_for_heartbeats(gateways, 1)
    chosen = gateways.processes[0]
    with ThreadPoolExecutor(1) as pool:
        url = f"{gateways.urls[1]}/api/kernels"
        answer = pool.submit(
            gateways.client().call, "POST", url, json={"kernel_id": kernel_id}, direct=True
        )
        wait_until(lambda: records(gateways, kernel_id) == 200, every=0.01)
        chosen.kill()
        assert answer.result().status_code == 201, answer.result().text
    assert answer.result().json()["id"] == kernel_id
    with gateways.client().channels(gateways.urls[2], kernel_id) as channels:
        assert channels.run("print(6 * 7)") == "42\n"
    assert len(agents_of(kernel_id)) == 1
    gateways.start_again(0)


def records(gateways: Gateways, kernel_id: str) -> Any:
    url = f"{gateways.urls[1]}/api/kernels/{kernel_id}"
    return gateways.client().call("GET", url).status_code
