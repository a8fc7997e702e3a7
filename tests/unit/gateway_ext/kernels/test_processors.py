import pytest

from gateway_ext.kernels.processors import within_quota


@pytest.mark.parametrize(
    ("quota", "count"),
    [
        ("max 100000\n", 64),
        ("200000 100000\n", 2),
        ("150000 100000\n", 2),
        ("10000 100000\n", 1),
        ("9900000 100000\n", 64),
        ("max", 64),
    ],
)
def test_a_container_with_less_time_has_fewer_processors(quota: str, count: int) -> None:
    assert within_quota(64, quota) == count
