"""The journal: what it keeps, what it drops and whom it tells."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway_ext.agent.entry import EVERYBODY, Audience
from gateway_ext.agent.journal import SHORT_BYTES, Journal

PAGE, OTHER = Audience.of_session("page"), Audience.of_session("other")


def test_numbers_grow_from_one_and_messages_are_found_by_them() -> None:
    journal = Journal(100)
    assert journal.last == 0
    journal.append(EVERYBODY, b"a")
    journal.append(PAGE, b"b")
    assert journal.last == 2
    entry = journal.get(2)
    assert entry is not None
    assert (entry.audience, entry.message) == (PAGE, b"b")
    assert entry.concerns("page")
    assert not entry.concerns("other")
    assert journal.get(3) is None


def test_the_oldest_go_first_and_a_huge_newest_message_stays() -> None:
    journal = Journal(10)
    for _ in range(4):
        journal.append(EVERYBODY, b"12345")
    assert [journal.get(n) is not None for n in range(1, 5)] == [False, True, True, True]
    journal.append(EVERYBODY, b"x" * 1000)
    assert journal.get(5) is not None
    assert journal.get(4) is not None
    journal.append(EVERYBODY, b"y")
    assert journal.get(5) is None
    assert journal.get(6) is not None


def test_what_is_short_outlives_what_is_long() -> None:
    journal = Journal(10 * SHORT_BYTES)
    journal.append(PAGE, b"reply")
    journal.append(EVERYBODY, b"idle")
    for _ in range(100):
        journal.append(EVERYBODY, b"x" * (SHORT_BYTES + 1))
    assert journal.get(1) is not None
    assert journal.get(2) is not None
    assert journal.get(50) is None
    # But no more than half of the room is theirs alone.
    for _ in range(100):
        journal.append(EVERYBODY, b"y" * SHORT_BYTES)
    long_one = journal.append(EVERYBODY, b"x" * (SHORT_BYTES + 1))
    journal.append(EVERYBODY, b"z")
    assert journal.get(long_one.sequence) is not None
    assert journal.get(1) is None


def test_a_gap_is_only_what_concerned_the_session() -> None:
    journal = Journal(0)
    journal.append(PAGE, b"1")
    journal.append(OTHER, b"2")
    journal.append(OTHER, b"3")
    journal.append(OTHER, b"4")
    assert journal.gap("page", 0) == (1, 1)
    assert journal.gap("page", 1) is None
    assert journal.gap("other", 1) == (2, 3)
    assert journal.gap("stranger", 0) is None
    journal.append(EVERYBODY, b"5")
    journal.append(EVERYBODY, b"6")
    # What is not for a client is no part of its gap, nor is what is here below the first loss.
    assert journal.gap("stranger", 0) == (5, 5)
    assert journal.gap("page", 0) == (1, 5)
    assert journal.gap("stranger", 5) is None


@given(
    st.integers(0, 50),
    st.lists(st.tuples(st.sampled_from([None, "a", "b"]), st.integers(0, 20)), max_size=60),
)
def test_what_is_not_here_is_in_the_gap(limit: int, messages: list[tuple[str | None, int]]) -> None:
    journal = Journal(limit)
    for session, size in messages:
        journal.append(Audience.of_session(session), b"x" * size)
    kept = [n for n in range(1, journal.last + 1) if journal.get(n)]
    assert not kept or kept[-1] == journal.last
    assert sum(messages[n - 1][1] for n in kept[:-1]) <= limit
    for reader in ("a", "b"):
        lost = [
            n
            for n, (session, _) in enumerate(messages, 1)
            if n not in kept and session in (None, reader)
        ]
        for after in range(journal.last + 1):
            gone = [n for n in lost if n > after]
            gap = journal.gap(reader, after)
            assert (gap is None) == (not gone)
            if gap is not None:
                assert (after < gap[0] <= gone[0], gap[1]) == (True, gone[-1])
            if gap is not None and gone == lost:
                assert gap[0] == gone[0]
