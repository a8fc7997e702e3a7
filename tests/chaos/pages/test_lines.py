"""What counts as wrong in a run whose lines are all there."""

from collections import Counter
from pathlib import Path

import pytest

from tests.chaos.pages.lines import CONFLICT, FULL, SHORT, Outcome, Size, broken_promises

DIALOG = Path(__file__).parents[3] / "labextension" / "src" / "contents" / "conflictDialog.ts"


def outcome(faults: int, **dialogs: int) -> Outcome:
    return Outcome("seed", Counter({"kill a lab": faults}), dialogs=Counter(dialogs))


@pytest.mark.parametrize("size", [SHORT, FULL])
def test_a_run_with_too_few_faults_is_wrong(size: Size) -> None:
    few = broken_promises(outcome(size.faults - 1), size, asks_of_conflicts=False)
    assert few == [f"only {size.faults - 1} of {size.faults} faults"]
    assert broken_promises(outcome(size.faults), size, asks_of_conflicts=False) == []


def test_a_conflict_is_wrong_where_nobody_may_be_asked() -> None:
    asked = outcome(SHORT.faults, **{CONFLICT: 2})
    wrong = ["asked 2 times which version to keep"]
    assert broken_promises(asked, SHORT, asks_of_conflicts=False) == wrong
    assert broken_promises(asked, SHORT, asks_of_conflicts=True) == []
    other = outcome(SHORT.faults, **{"Server Connection Error": 2})
    assert broken_promises(other, SHORT, asks_of_conflicts=False) == []
    assert f"title: trans.__('{CONFLICT}')" in DIALOG.read_text()


def test_faults_are_due_before_the_cell_ends() -> None:
    assert FULL.due(0) == 0
    assert FULL.due(0.8 * FULL.seconds) == pytest.approx(FULL.faults)
