"""What is found of a numbered cell in a notebook's outputs."""

from pathlib import Path
from typing import Any

import pytest

from tests.chaos.pages.numbered_cell import LINE_END, Found, NumberedCell, find_numbers


def line(number: int) -> str:
    return f"{number:06d} {LINE_END}\n"


def stream(*numbers: int) -> dict[str, Any]:
    return {"output_type": "stream", "name": "stdout", "text": "".join(map(line, numbers))}


def shown(number: int) -> dict[str, Any]:
    return {"output_type": "display_data", "data": {"text/plain": line(number).strip()}}


def test_the_cell_says_what_is_looked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = NumberedCell(6, 2, 0.0, tmp_path)
    assert (cell.runs, cell.ended, cell.kernel_lost) == ([], False, False)
    displayed: list[dict[str, str]] = []
    source = cell.source.replace("from IPython.display import display", "")
    exec(source, {"display": lambda data, raw: displayed.append(data)})
    printed = [int(word) for word in capsys.readouterr().out.split()[::2]]
    assert printed == [1, 2, 3, 5, 6, 7]
    assert [int(data["text/plain"].split()[0]) for data in displayed] == [4, 8]
    outputs = [stream(1, 2, 3), shown(4), stream(5, 6, 7), shown(8)]
    assert find_numbers(outputs, cell.total).right
    assert (len(cell.runs), cell.ended, cell.kernel_lost) == (1, True, False)


def test_a_line_may_be_spread_over_two_outputs() -> None:
    whole = line(2)
    outputs = [
        {"output_type": "stream", "name": "stdout", "text": line(1) + whole[:30]},
        {"output_type": "stream", "name": "stdout", "text": [whole[30:], line(3)]},
    ]
    assert find_numbers(outputs, 3).right


@pytest.mark.parametrize(
    ("outputs", "expected"),
    [
        ([], Found(3, [1, 2, 3], [], 0, [])),
        ([stream(1, 3)], Found(3, [2], [], 0, [])),
        ([stream(1, 2, 2, 3)], Found(3, [], [2], 0, [])),
        ([stream(1, 2, 3, 1, 2, 3)], Found(3, [], [1, 2, 3], 1, [])),
        ([stream(2), shown(1), stream(3)], Found(3, [], [], 1, [])),
        (
            [stream(1, 2, 3), {"output_type": "stream", "name": "stderr", "text": "2 missing"}],
            Found(3, [], [], 0, ["2 missing"]),
        ),
    ],
    ids=["nothing", "lost", "doubled", "all doubled", "out of order", "other text"],
)
def test_what_is_wrong_is_named(outputs: list[dict[str, Any]], expected: Found) -> None:
    found = find_numbers(outputs, 3)
    assert found == expected
    assert not found.right
    assert str(found) != str(Found(3, [], [], 0, []))


def test_numbers_are_shown_as_ranges() -> None:
    assert str(find_numbers([stream(4)], 7)) == "lost 6 (1-3, 5-7)"
