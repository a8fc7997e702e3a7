"""How much of what memory holds may not have been read."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway_ext.agent.unread import Unread

STEP = 2**16


@given(sizes=st.lists(st.integers(0, 3 * STEP), min_size=1), reads=st.lists(st.floats(0, 1)))
def test_it_counts_what_was_not_read_within_a_step(sizes: list[int], reads: list[float]) -> None:
    unread, read = Unread(), 0
    for number, size in enumerate(sizes, 1):
        unread.append(number, size, held=sum(sizes))
    for share in reads:
        number = int(share * len(sizes))
        read = max(read, number)
        unread.read(number)
        truly = sum(sizes[read:])
        # Never too little, or what somebody lacks would be dropped.
        assert truly <= unread.bytes <= truly + STEP + max(sizes)
    unread.read(len(sizes))
    assert unread.bytes == 0


@given(sizes=st.lists(st.integers(1, 3 * STEP), min_size=1), wanted=st.integers(1, 10 * STEP))
def test_reading_what_is_next_comes_to_the_end(sizes: list[int], wanted: int) -> None:
    unread = Unread()
    for number, size in enumerate(sizes, 1):
        unread.append(number, size, held=sum(sizes))
    steps = 0
    while before := unread.bytes:
        unread.read(unread.next(wanted))
        assert unread.bytes < before
        steps += 1
    assert steps <= sum(sizes) / max(1, wanted - max(sizes) - STEP) + len(sizes)


@given(sizes=st.lists(st.integers(0, 3 * STEP)), held=st.integers(0, 10 * STEP))
def test_what_is_not_held_is_not_waited_for(sizes: list[int], held: int) -> None:
    unread = Unread()
    for number, size in enumerate(sizes, 1):
        unread.append(number, size, held)
        assert unread.bytes <= held
    assert len(unread._marks) <= held // STEP + 2
