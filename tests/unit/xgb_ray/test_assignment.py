"""Which worker has which shards."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway_ext.xgb_ray.assignment import assign, spread

rows = st.lists(st.integers(1, 1000), min_size=1, max_size=60)


@given(rows, st.integers(1, 8))
def test_spread_is_even_and_gives_everyone_something(rows: list[int], workers: int) -> None:
    homes = spread(rows, workers)
    load = [sum(r for r, h in zip(rows, homes, strict=True) if h == w) for w in range(workers)]
    assert max(load) - min(load) <= max(rows)
    if len(rows) >= workers:
        assert set(homes) == set(range(workers))


@given(rows, st.integers(1, 8), st.data())
def test_every_shard_has_one_member_and_stays_at_home(
    rows: list[int], workers: int, data: st.DataObject
) -> None:
    homes = spread(rows, workers)
    members = data.draw(st.sets(st.integers(0, workers - 1), min_size=1).map(sorted))
    shares = assign(rows, homes, members)
    assert sorted(i for mine in shares.values() for i in mine) == list(range(len(rows)))
    for shard, home in enumerate(homes):
        if home in members:
            assert shard in shares[home]
