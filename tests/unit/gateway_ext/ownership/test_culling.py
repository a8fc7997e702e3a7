"""When idle kernels are ended."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway_ext.ownership.culling import CullRules, cull_time

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("connections", "execution_state", "rules", "seconds"),
    [
        (0, "idle", CullRules(60, connected=False, busy=False), 60),
        (1, "idle", CullRules(60, connected=False, busy=False), None),
        (0, "busy", CullRules(60, connected=False, busy=False), None),
        (0, "dead", CullRules(60, connected=False, busy=False), 60),
        (1, "idle", CullRules(60, connected=True, busy=False), 60),
        (0, "busy", CullRules(60, connected=False, busy=True), 60),
        (0, "idle", CullRules(0, connected=True, busy=True), None),
    ],
)
def test_when_a_kernel_is_culled(
    connections: int, execution_state: str, rules: CullRules, seconds: float | None
) -> None:
    expected = None if seconds is None else NOW + timedelta(seconds=seconds)
    assert cull_time(NOW, connections, execution_state, rules) == expected


def test_nobody_s_kernel_is_culled_without_a_warning() -> None:
    # Gateways that were away while kernels were idle.
    begun = NOW + timedelta(hours=5)
    rules = CullRules(3600, connected=True, busy=False, warning_seconds=600, begun=begun)
    assert cull_time(NOW, 1, "idle", rules) == begun + timedelta(minutes=10)
    assert cull_time(NOW, 0, "idle", rules) == NOW + timedelta(hours=1)
    assert cull_time(begun, 1, "idle", rules) == begun + timedelta(hours=1)
    assert replace(rules, idle_seconds=60).warning == timedelta(seconds=30)
