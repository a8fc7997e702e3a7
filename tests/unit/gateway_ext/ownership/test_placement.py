"""Which gateway gets a new kernel, and which kernel is handed over to even the loads."""

import random

import pytest

from gateway_ext.ownership.placement import (
    LARGEST_LEAD,
    OwnKernel,
    kernel_to_move,
    order_for_start,
    share_of_pools,
    targets_for_handover,
)
from gateway_ext.ownership.records import Member


def member(name: str, kernels: int, *, draining: bool = False) -> Member:
    return Member(name, f"http://{name}", draining, kernels)


def idle(name: str, seconds: float = 60.0, connections: int = 0) -> OwnKernel:
    return OwnKernel(name, seconds, connections)


def test_a_new_kernel_goes_where_the_fewest_are() -> None:
    members = [member("a", 2), member("b", 1), member("c", 1), member("d", 0, draining=True)]
    assert [one.name for one in order_for_start(members, {})] == ["b", "c", "a"]
    assert order_for_start([member("a", 0, draining=True)], {}) == []
    assert [one.name for one in order_for_start([member("a", 0), member("b", 0)], {"b": 1})] == [
        "a",
        "b",
    ]
    # Nothing starts at "a": what it has counts alone.
    assert order_for_start([member("a", 1), member("b", 0)], {"b": 2})[0].name == "a"


def test_a_burst_is_spread_though_nothing_of_it_is_counted_yet() -> None:
    members = [member("a", 0), member("b", 4), member("c", 0)]
    in_flight: dict[str, int] = {}
    for _ in range(30):
        chosen = order_for_start(members, in_flight)[0].name
        in_flight[chosen] = in_flight.get(chosen, 0) + 1
    assert in_flight == {"a": 12, "b": 7, "c": 11}


def test_only_the_fullest_gives_and_only_to_the_emptiest() -> None:
    members = [member("a", 4), member("b", 4), member("c", 1), member("d", 2)]
    kernels = [idle("k")]
    assert kernel_to_move("a", members, kernels, idle_seconds=5) == ("k", members[2])
    for here in ("b", "c", "d"):
        assert kernel_to_move(here, members, kernels, idle_seconds=5) is None


def test_what_is_busy_or_in_use_stays() -> None:
    members = [member("a", 5), member("b", 0)]
    kernels = [OwnKernel("busy", None, 0), idle("fresh", 1.0)]
    assert kernel_to_move("a", members, kernels, idle_seconds=5) is None
    assert kernel_to_move("a", members, [idle("ripe", 5.0)], idle_seconds=5) is not None
    kernels += [idle("watched", 900, connections=1), idle("short", 20), idle("long", 90)]
    move = kernel_to_move("a", members, kernels, idle_seconds=5)
    assert move is not None
    assert move[0] == "long"


@pytest.mark.parametrize(
    "members",
    [
        [member("a", 9)],
        [member("a", 9), member("b", 8)],
        [member("a", 9), member("b", 0, draining=True)],
        [member("a", 9), member("b", 0), member("c", 0, draining=True)],
    ],
)
def test_nothing_moves_between_even_gateways_or_while_one_drains(members: list[Member]) -> None:
    assert kernel_to_move("a", members, [idle("k")], idle_seconds=5) is None


@pytest.mark.parametrize("seed", range(50))
def test_no_kernel_moves_twice_and_the_loads_end_up_even(seed: int) -> None:
    chance = random.Random(seed)
    owned = {
        name: [f"{name}{number}" for number in range(chance.randrange(12))] for name in "abcde"
    }
    moved = []
    for _ in range(100):
        members = [member(name, len(kernels)) for name, kernels in owned.items()]
        moves = {
            name: kernel_to_move(name, members, map(idle, kernels), idle_seconds=5)
            for name, kernels in owned.items()
        }
        made = {name: move for name, move in moves.items() if move is not None}
        if not made:
            break
        ((giver, (kernel, target)),) = made.items()
        owned[giver].remove(kernel)
        owned[target.name].append(kernel)
        moved.append(kernel)
    loads = [len(kernels) for kernels in owned.values()]
    assert max(loads) - min(loads) <= 1
    assert len(moved) == len(set(moved))


def test_loads_end_up_even() -> None:
    members = [member("a", 7), member("b", 3), member("c", 0), member("d", 0, draining=True)]
    targets = targets_for_handover(7, members, "a")
    first = [urls[0] for urls in targets]
    assert first.count("http://b") == 2
    assert first.count("http://c") == 5
    # The second choice is the other one that stays: neither the leaving one nor one that drains.
    assert all(sorted(urls) == ["http://b", "http://c"] for urls in targets)


def test_nobody_stays() -> None:
    members = [member("a", 2), member("b", 0, draining=True)]
    assert targets_for_handover(2, members, "a") == [[], []]


def test_a_new_kernel_goes_where_one_is_ready() -> None:
    members = [member("a", 0), member("b", 1), member("c", 2), member("d", 1, draining=True)]
    order = order_for_start(members, {}, {"b", "c", "d", "gone"})
    assert [one.name for one in order] == ["b", "c", "a"]


def test_a_gateway_with_a_kernel_ready_that_has_far_more_than_others_is_not_preferred() -> None:
    members = [member("a", 0), member("b", LARGEST_LEAD), member("c", LARGEST_LEAD - 1)]
    order = order_for_start(members, {}, {"b", "c"})
    assert [one.name for one in order] == ["c", "a", "b"]
    # Starts that are not counted yet count here.
    order = order_for_start(members, {"c": 1}, {"b", "c"})
    assert [one.name for one in order] == ["a", "b", "c"]


def test_starts_that_all_find_a_kernel_ready_at_one_gateway_leave_the_others_no_emptier() -> None:
    members = [member("a", 0), member("b", 0), member("c", 0)]
    in_flight: dict[str, int] = {}
    for _ in range(60):
        chosen = order_for_start(members, in_flight, {"b"})[0].name
        in_flight[chosen] = in_flight.get(chosen, 0) + 1
    assert max(in_flight.values()) - min(in_flight.values()) <= LARGEST_LEAD
    assert in_flight["b"] == max(in_flight.values())


def test_kernels_of_pools_are_started_by_the_gateways_with_the_fewest() -> None:
    def waiting(name: str, kernels: int, pooled: int, *, draining: bool = False) -> Member:
        return Member(name, f"http://{name}", draining, kernels, pooled)

    members = [waiting("a", 1, 2), waiting("b", 1, 0), waiting("c", 0, 0, draining=True)]
    assert share_of_pools("a", members) == 0
    assert share_of_pools("b", members) == 3
    assert share_of_pools("a", [waiting("a", 4, 4)]) is None
    assert share_of_pools("a", [waiting("a", 0, 0), waiting("b", 0, 0)]) == 1
