"""Which worker has which shards."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway_ext.xgb_ray.training.assignment import gain, host, spread

rows = st.lists(st.integers(1, 1000), min_size=1, max_size=60)


@given(rows, st.integers(1, 8))
def test_spread_is_even_and_gives_everyone_something(rows: list[int], workers: int) -> None:
    homes = spread(rows, workers)
    load = [sum(r for r, h in zip(rows, homes, strict=True) if h == w) for w in range(workers)]
    assert max(load) - min(load) <= max(rows)
    if len(rows) >= workers:
        assert set(homes) == set(range(workers))


def test_the_largest_come_first() -> None:
    assert spread([1, 1, 2], 2) == [1, 1, 0]
    assert host([5, 5, 1, 4], [0, 1]) == {0: [0, 3], 1: [1, 2]}


@given(rows.filter(lambda r: len(r) <= 8), st.data())
def test_every_portion_has_one_host_and_stays_at_home(rows: list[int], data: st.DataObject) -> None:
    everyone = range(len(rows))
    members = data.draw(st.sets(st.sampled_from(everyone), min_size=1))
    hosts = host(rows, members)
    assert set(hosts) == members
    assert sorted(p for mine in hosts.values() for p in mine) == list(everyone)
    for member, mine in hosts.items():
        assert mine[0] == member
    assert host(rows, set(everyone)) == {p: [p] for p in everyone}


def test_the_absent_are_spread_over_those_with_least() -> None:
    assert host([4, 4, 4, 4], [0, 2]) == {0: [0, 1], 2: [2, 3]}
    assert host([9, 1, 5, 5], [0, 1]) == {0: [0], 1: [1, 2, 3]}


def test_a_round_takes_as_long_as_the_one_with_most_rows() -> None:
    assert gain([5, 5, 5, 5], [0, 1, 2], [0, 1, 2, 3]) == 0.5
    assert gain([5, 5, 5, 5], [0, 1], [0, 1, 2]) == 0  # somebody has two either way
    assert gain([5, 5], [0], [0, 1]) == 0.5
    assert gain([1, 0], [0], [0, 1]) == 0
