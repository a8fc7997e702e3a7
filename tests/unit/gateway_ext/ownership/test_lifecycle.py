"""Whether a gateway keeps its kernels."""

import pytest

from gateway_ext.ownership.lifecycle import GatewayPhase, Lifecycle


def test_an_operator_may_change_their_mind() -> None:
    lifecycle = Lifecycle()
    assert not lifecycle.sends_kernels_away
    lifecycle.drain()
    assert lifecycle.sends_kernels_away
    lifecycle.serve()
    assert lifecycle.phase is GatewayPhase.SERVING


def test_a_gateway_that_leaves_stays_on_its_way() -> None:
    lifecycle = Lifecycle()
    lifecycle.leave()
    lifecycle.drain()
    lifecycle.serve()
    assert lifecycle.leaving
    assert lifecycle.sends_kernels_away


@pytest.mark.parametrize(
    ("phase", "beside_others", "alone"),
    [
        (GatewayPhase.SERVING, True, True),
        # Rather here than nowhere, as this gateway stays.
        (GatewayPhase.DRAINING, False, True),
        (GatewayPhase.LEAVING, False, False),
    ],
)
def test_kernels_are_taken(phase: GatewayPhase, beside_others: bool, alone: bool) -> None:
    lifecycle = Lifecycle()
    lifecycle.phase = phase
    assert lifecycle.takes_kernels(others_take_them=True) is beside_others
    assert lifecycle.takes_kernels(others_take_them=False) is alone
