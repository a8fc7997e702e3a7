"""What a kernel gets whose network cannot be had when it starts."""

from __future__ import annotations

from dataclasses import replace

from .network import Reach
from .order import Order
from .places import Walls
from .way_out import NoWayOut, Route


def as_machine_allows(walls: Walls | None) -> Walls | None:
    """The same, but without a network if no way to the internet can be made now and the kernel may
    do without: as far as a look shows, which is cheap."""
    if walls is None or not _may_fall_back(walls):
        return walls
    try:
        Route.of_machine()
    except NoWayOut as error:
        return _without_way(walls, error)
    return walls


def without_way(order: Order, error: NoWayOut) -> Order:
    """The order for the next try, after this error. Raises it again if the kernel may not start
    without a way to the internet."""
    if order.walls is None or not _may_fall_back(order.walls):
        raise error
    return replace(order, walls=_without_way(order.walls, error))


def _may_fall_back(walls: Walls) -> bool:
    network = walls.network
    return network is not None and network.fallback and network.reach is Reach.INTERNET


def _without_way(walls: Walls, error: NoWayOut) -> Walls:
    network = walls.network and walls.network.without_way(error.strerror or str(error))
    return replace(walls, network=network)
