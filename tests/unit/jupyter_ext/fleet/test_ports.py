import random
import socket

import pytest

from jupyter_ext.fleet.failure import FleetError
from jupyter_ext.fleet.ports import (
    GRPC_OFFSET,
    HIGHEST,
    LOWEST,
    assign_ports,
    free_or_held,
    is_free,
)

NAMES = ["lab-1", "gateway-1", "store-s3"]


def everything_free(port):
    return True


def test_each_name_gets_a_port_of_its_own():
    ports = assign_ports([f"lab-{n}" for n in range(200)], 8888, {}, everything_free)
    assert len(set(ports.values())) == 201
    assert ports["front"] == 8888
    assert all(LOWEST <= port <= HIGHEST for name, port in ports.items() if name != "front")


def test_ports_are_kept():
    kept = {"lab-1": 11111, "gateway-1": 11112, "store-s3": 11113}
    assert assign_ports(NAMES, 8888, kept, everything_free) == {"front": 8888, **kept}


def test_a_kept_port_that_was_taken_is_replaced():
    kept = {"lab-1": 11111, "gateway-1": 11112, "store-s3": 11113}
    ports = assign_ports(NAMES, 8888, kept, lambda port: port != 11111)
    assert ports["lab-1"] not in {8888, *kept.values()}
    assert ports["gateway-1"] == 11112


def test_a_gateways_port_is_never_replaced():
    with pytest.raises(FleetError, match=r"port 11112 of gateway-1.*running kernels"):
        assign_ports(NAMES, 8888, {"gateway-1": 11112}, lambda port: port != 11112)


def test_a_taken_front_port_is_named_with_what_to_do():
    with pytest.raises(FleetError, match=r"port 8888 is in use.*--port"):
        assign_ports(NAMES, 8888, {}, lambda port: port != 8888)


def test_the_store_also_needs_its_grpc_port():
    def free(port):
        return port != 11113 + GRPC_OFFSET

    choices = iter([11113, 11114])
    ports = assign_ports(["store-s3"], 8888, {}, free, lambda low, high: next(choices))
    assert ports["store-s3"] == 11114
    assert assign_ports(["store-s3"], 8888, {"store-s3": 11113}, free)["store-s3"] != 11113


def test_a_front_port_that_was_a_labs_moves_the_lab():
    ports = assign_ports(["lab-1"], 11111, {"lab-1": 11111}, everything_free)
    assert ports["lab-1"] != 11111


def test_a_full_machine_is_said():
    with pytest.raises(FleetError, match="no free port"):
        assign_ports(["lab-1"], 8888, {}, lambda port: port == 8888)


def test_a_listener_is_seen():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        assert not is_free(server.getsockname()[1])
    for _ in range(50):
        if is_free(random.randint(LOWEST, HIGHEST)):
            return
    pytest.fail("no port seems free")


def test_a_gateways_port_must_be_free_where_clusters_reach_it_too():
    kept = {"lab-1": 11111, "gateway-1": 11112}
    with pytest.raises(FleetError, match=r"port 11112 of gateway-1"):
        assign_ports(NAMES, 8888, kept, everything_free, advertised=lambda port: port != 11112)
    ports = assign_ports(NAMES, 8888, kept, everything_free, advertised=lambda port: port == 11112)
    assert (ports["lab-1"], ports["gateway-1"]) == (11111, 11112)
    numbers = iter(range(11200, 11300))
    ports = assign_ports(
        ["gateway-1"],
        8888,
        {},
        everything_free,
        choose=lambda low, high: next(numbers),
        advertised=lambda port: port >= 11205,
    )
    assert ports["gateway-1"] == 11205


def test_a_listener_of_another_address_is_seen_there():
    with socket.socket() as listener:
        listener.bind(("127.0.0.2", 0))
        listener.listen(1)
        port = listener.getsockname()[1]
        assert is_free(port)
        assert not is_free(port, "127.0.0.2")
        assert not free_or_held([], ["127.0.0.3", "127.0.0.2"])(port)
        assert free_or_held([port], ["127.0.0.2"])(port)
        assert free_or_held([], [])(port)
