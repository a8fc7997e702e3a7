"""Kernels that start late and are counted, and what counts as wrong."""

import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.chaos.pages.first import CELLS, Notebook, Outcome
from tests.chaos.pages.late_kernel import LateKernel

RIGHT = Notebook(0, list(range(CELLS)), kernels=1, starts=1, shown=True)


def test_each_start_is_counted_and_comes_late(tmp_path: Path) -> None:
    late = LateKernel(tmp_path / "late")
    assert late.starts == 0
    for number in (1, 2):
        done = subprocess.run(
            [*late.command('echo "$1"'), "an argument"], capture_output=True, text=True, check=True
        )
        assert (done.stdout, late.starts) == ("an argument\n", number)
    late.delay(0.5)
    began = time.monotonic()
    subprocess.run(late.command("true"), check=True)
    assert time.monotonic() - began >= 0.5
    assert late.starts == 3


@pytest.mark.parametrize(
    "change",
    [
        {"ran": [0, 1, 2]},
        {"ran": [0, 1, 2, 3, 3]},
        {"ran": [1, 0, 2, 3]},
        {"kernels": 0},
        {"kernels": 2},
        {"starts": 2},
        {"shown": False},
    ],
    ids=str,
)
def test_a_notebook_is_right_if_each_cell_ran_once_in_one_kernel(change: dict[str, object]) -> None:
    wrong = replace(RIGHT, **change)  # type: ignore[arg-type]
    assert RIGHT.right
    assert not wrong.right
    assert str(wrong) != str(RIGHT)
    assert Outcome("s", 2, [RIGHT, RIGHT]).right
    assert not Outcome("s", 2, [RIGHT, wrong]).right
    assert not Outcome("s", 2, [RIGHT]).right
    assert str(wrong) in str(Outcome("s", 2, [RIGHT, wrong]))
