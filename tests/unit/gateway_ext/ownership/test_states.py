"""The life of a kernel record."""

from itertools import product

import pytest

from gateway_ext.ownership.states import (
    LEGAL_TRANSITIONS,
    IllegalTransition,
    KernelState,
    can_be_canceled,
    check_transition,
    state_from_process,
)


def is_legal(source: KernelState, target: KernelState) -> bool:
    try:
        check_transition(source, target)
    except IllegalTransition:
        return False
    return True


def test_every_state_has_its_transitions() -> None:
    assert set(LEGAL_TRANSITIONS) == set(KernelState)


@pytest.mark.parametrize(("source", "target"), product(KernelState, KernelState))
def test_what_is_legal(source: KernelState, target: KernelState) -> None:
    if source is KernelState.DELETED:
        # For good, and only once.
        expected = False
    elif target is KernelState.LAUNCHING:
        # A new agent is started only where the old one is known to be gone.
        expected = source in (KernelState.DEAD, KernelState.LAUNCHING)
    else:
        expected = True
    assert is_legal(source, target) is expected


@pytest.mark.parametrize(
    ("process", "state"),
    [
        ("starting", None),
        ("restarting", KernelState.RESTARTING),
        ("running", KernelState.RUNNING),
        ("dead", KernelState.DEAD),
        ("something new", None),
    ],
)
def test_state_from_what_an_agent_says(process: str, state: KernelState | None) -> None:
    assert state_from_process(process) is state


@pytest.mark.parametrize("state", KernelState)
@pytest.mark.parametrize("process", [None, "starting", "restarting", "running", "dead", "new"])
@pytest.mark.parametrize("not_run", [True, False])
def test_whoever_cancels_a_launch_ends_no_kernel_that_ran(
    state: KernelState, process: str | None, not_run: bool
) -> None:
    nothing_to_lose = {
        KernelState.LAUNCHING: True,
        KernelState.DEAD: True,
        KernelState.RESTARTING: not_run,
        KernelState.RUNNING: False,
        KernelState.DELETED: False,
    }[state]
    # The agent knows first.
    expected = nothing_to_lose and process != "running"
    assert can_be_canceled(state, process, not_run=not_run) is expected
