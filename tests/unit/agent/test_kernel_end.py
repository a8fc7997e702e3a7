"""Why a kernel's process has ended."""

import signal

import pytest

from gateway_ext.agent.kernel_end import why_ended

KILLED = -signal.SIGKILL


def test_an_end_in_words() -> None:
    assert why_ended(3, out_of_memory=None) == "the kernel ended with exit code 3"
    crashed = why_ended(-signal.SIGSEGV, out_of_memory=None)
    assert crashed == "the kernel was ended by SIGSEGV (segmentation fault)"
    assert "signal 63" in why_ended(-63, out_of_memory=None)
    # A process of the kernel's was ended before: that is not why it crashed.
    assert "SIGSEGV" in why_ended(-signal.SIGSEGV, out_of_memory=True)
    assert why_ended(1, out_of_memory=True) == "the kernel ended with exit code 1"


@pytest.mark.parametrize("exit_code", [KILLED, 137])
def test_a_kill_for_memory_is_told_apart_from_others(exit_code: int) -> None:
    for_memory = why_ended(exit_code, out_of_memory=True)
    by_others = why_ended(exit_code, out_of_memory=False)
    assert for_memory.startswith("out of memory: the kernel's machine or container had none left")
    assert by_others.startswith("the kernel was ended by SIGKILL, and not because the system")
    assert "\n" not in for_memory + by_others


def test_where_nobody_counts_both_are_possible() -> None:
    assert why_ended(KILLED, out_of_memory=None) == (
        "the kernel was ended by SIGKILL (often: out of memory)"
    )
    assert why_ended(137, out_of_memory=None) == "the kernel ended with exit code 137"


def test_the_limit_that_was_reached_is_named() -> None:
    of_container = why_ended(KILLED, out_of_memory=True, container_bytes=200 * 2**20)
    assert "container, which may use 200 MB" in of_container
    # A limit of the kernel's own is more exact.
    reached = "out of memory: the kernel needed more than the 100 MB that it may use"
    both = why_ended(KILLED, out_of_memory=True, reached=reached, container_bytes=2**30)
    assert both == reached
