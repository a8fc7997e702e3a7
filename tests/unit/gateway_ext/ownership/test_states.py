"""The life of a kernel record."""

import pytest

from gateway_ext.ownership.states import (
    LEGAL_TRANSITIONS,
    KernelState,
    sources_of,
    state_from_process,
)


def test_every_state_has_its_transitions() -> None:
    assert set(LEGAL_TRANSITIONS) == set(KernelState)


def test_deleted_is_final_and_reachable_from_everywhere() -> None:
    assert LEGAL_TRANSITIONS[KernelState.DELETED] == frozenset()
    assert sources_of(KernelState.DELETED) == set(KernelState) - {KernelState.DELETED}


def test_only_a_dead_kernel_is_launched_again() -> None:
    assert sources_of(KernelState.LAUNCHING) == {KernelState.DEAD}


def test_what_is_reported_twice_is_no_transition() -> None:
    assert KernelState.RUNNING in sources_of(KernelState.RUNNING)
    assert KernelState.DEAD in sources_of(KernelState.DEAD)


@pytest.mark.parametrize(
    ("process", "state"),
    [
        ("starting", None),
        ("restarting", None),
        ("running", KernelState.RUNNING),
        ("dead", KernelState.DEAD),
        ("something new", None),
    ],
)
def test_state_from_what_an_agent_says(process: str, state: KernelState | None) -> None:
    assert state_from_process(process) is state
