"""Whom a kernel's agent is sent to."""

from datetime import UTC, datetime, timedelta

from gateway_ext.ownership.records import (
    KernelRecord,
    Member,
    in_order_of,
    is_lost,
    living_owner,
)
from tests.unit.gateway_ext.sample_record import sample_record

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def record(owner: str | None) -> KernelRecord:
    return sample_record(owner=owner)


def member(name: str, kernels: int, *, draining: bool = False) -> Member:
    return Member(name, f"http://{name}", draining, kernels)


def test_an_owner_that_is_not_alive_is_none() -> None:
    members = [member("a", 1), member("b", 1)]
    assert living_owner(record("b"), members) == members[1]
    assert living_owner(record("c"), members) is None
    assert living_owner(record(None), members) is None


def test_a_kernel_is_lost_after_a_while() -> None:
    lost = timedelta(seconds=30)
    assert not is_lost(record(None), NOW + timedelta(seconds=30), lost)
    assert is_lost(record(None), NOW + timedelta(seconds=31), lost)


def test_each_kernel_has_its_own_next_gateway() -> None:
    urls = [f"http://{name}" for name in "abc"]
    kernels = [str(number) for number in range(300)]
    first = [in_order_of(kernel_id, urls)[0] for kernel_id in kernels]
    assert all(70 < first.count(url) < 130 for url in urls)
    assert first == [in_order_of(kernel_id, reversed(urls))[0] for kernel_id in kernels]
    # One gateway less: only its own kernels go elsewhere, and to both of the others.
    left = [in_order_of(kernel_id, urls[:2])[0] for kernel_id in kernels]
    moved = [(old, new) for old, new in zip(first, left, strict=True) if old != new]
    assert {old for old, _ in moved} == {"http://c"}
    assert {new for _, new in moved} == {"http://a", "http://b"}
