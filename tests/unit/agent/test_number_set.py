"""Numbers that are in a set, and those around them."""

from __future__ import annotations

import sys

from hypothesis import given
from hypothesis import strategies as st

from gateway_ext.agent.number_set import NumberSet

NUMBERS = st.integers(0, 60) | st.integers(4080, 4110) | st.integers(8180, 8200)
RUNS = st.lists(st.tuples(NUMBERS, NUMBERS).map(lambda pair: sorted(pair)), max_size=3)


@given(st.sets(NUMBERS), st.integers(0, 3), NUMBERS, RUNS)
def test_it_answers_as_a_set_does(
    numbers: set[int], full: int, number: int, runs: list[list[int]]
) -> None:
    # With all of some chunks of 4096 in it as well.
    whole = set(range(4096 * full)) | numbers
    found = NumberSet(whole)
    assert (number in found) == (number in whole)
    following = found.next_outside(number)
    assert following >= number
    assert following not in whole
    assert all(one in whole for one in range(number, following))
    for run in runs:
        left = [n for first, last in found.without([run]) for n in range(first, last + 1)]
        assert left == [n for n in range(run[0], run[1] + 1) if n not in whole]
    assert list(found.without(runs)) == [one for run in runs for one in found.without([run])]


def test_millions_of_numbers_take_little_memory_and_are_passed_at_once() -> None:
    found = NumberSet(range(1, 2_000_000))
    assert found.next_outside(1) == 2_000_000
    assert list(found.without([[1, 10**9]])) == [[2_000_000, 10**9]]
    assert memory(found) < 2**17
    # As many, with something between any two of them.
    assert memory(NumberSet(range(1, 2_000_000, 2))) < 2**19


def memory(found: NumberSet) -> int:
    masks = {id(mask): mask for mask in found._masks.values()}.values()
    return sys.getsizeof(found._masks) + sum(map(sys.getsizeof, masks))
