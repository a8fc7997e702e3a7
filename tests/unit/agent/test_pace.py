"""How fast the agent works for the kernel's code."""

from __future__ import annotations

import pytest

from gateway_ext.agent.pace import Pace


def test_work_above_the_rate_waits_for_its_turn() -> None:
    pace = Pace(per_second=10, burst=20)
    assert pace.wait(20, 100.0) == 0
    assert pace.wait(5, 100.0) == pytest.approx(0.5)
    assert pace.wait(5, 100.0) == pytest.approx(1.0)
    # Half of it is over.
    assert pace.wait(1, 100.5) == pytest.approx(0.6)


def test_a_quiet_time_allows_one_burst_and_not_more() -> None:
    pace = Pace(per_second=10, burst=20)
    pace.wait(20, 0.0)
    assert pace.wait(20, 1000.0) == 0
    assert pace.wait(10, 1000.0) == pytest.approx(1.0)
