"""Which objects of a journal are deleted, merged and read."""

from hypothesis import given
from hypothesis import strategies as st

from jupyter_ext.journals.kept import MERGED_BYTES, newest, oldest_surplus, to_merge
from jupyter_ext.journals.rows import Piece


def pieces(*sizes: int, merged: int = 0) -> list[Piece]:
    return [Piece(n, n, size, n <= merged, "") for n, size in enumerate(sizes, 1)]


def numbers(found: list[Piece]) -> list[int]:
    return [piece.first for piece in found]


def test_the_oldest_go_until_the_others_fit() -> None:
    assert numbers(oldest_surplus(pieces(5, 5, 5), 10)) == [1]
    assert numbers(oldest_surplus(pieces(5, 5, 5), 15)) == []
    assert numbers(oldest_surplus(pieces(5, 50), 10)) == [1]


def test_small_objects_become_one_and_the_newest_stays() -> None:
    assert numbers(to_merge(pieces(1, 1, 1, 1))) == [1, 2, 3]
    assert numbers(to_merge(pieces(1, 1, 1, 1, merged=1))) == [2, 3]
    assert to_merge(pieces(1, merged=0)) == []


def test_a_big_object_is_left_alone() -> None:
    half = MERGED_BYTES // 2 + 1
    assert numbers(to_merge(pieces(MERGED_BYTES + 1, 1, 1, 1))) == [2, 3]
    assert numbers(to_merge(pieces(half, half, 1, 1))) == [2, 3]


@given(st.lists(st.integers(1, MERGED_BYTES + 5), max_size=30), st.integers(0, 5))
def test_what_is_merged_follows_each_other_and_fits(sizes: list[int], merged: int) -> None:
    found = pieces(*sizes, merged=merged)
    some = to_merge(found)
    if some:
        first = found.index(some[0])
        assert found[first : first + len(some)] == some
        assert found[-1] not in some
        assert not any(piece.merged for piece in some)
    if len(some) > 1:
        assert sum(piece.bytes for piece in some) <= MERGED_BYTES


def test_the_newest_are_read() -> None:
    assert numbers(newest(pieces(5, 5, 5), 10)) == [2, 3]
    assert numbers(newest(pieces(5, 50), 10)) == [2]
    assert newest([], 10) == []
