"""Whom a kernel's agent is sent to."""

from gateway_ext.ownership.resolution import Member, targets_for_handover


def member(name: str, kernels: int, *, draining: bool = False) -> Member:
    return Member(name, f"http://{name}", draining, kernels)


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
