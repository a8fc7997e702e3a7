"""How fast a gateway takes kernels over."""

from gateway_ext.kernels.agents.claim_pace import ClaimPace


def test_a_herd_is_spread_and_its_end_sent_away() -> None:
    pace = ClaimPace(claims_per_second=4, longest_wait=1.0)
    waits = [pace.wait(100.0) for _ in range(8)]
    assert waits == [0.0, 0.25, 0.5, 0.75, 1.0, None, None, None]
    # Half a second later there is room for two more; those sent away took no turn.
    assert [pace.wait(100.5) for _ in range(3)] == [0.75, 1.0, None]


def test_who_comes_alone_does_not_wait() -> None:
    pace = ClaimPace(claims_per_second=4, longest_wait=1.0)
    assert [pace.wait(now) for now in (5.0, 6.0, 7.0)] == [0.0, 0.0, 0.0]
