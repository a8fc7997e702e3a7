"""Everybody gets what the tables say, at labs and gateways, whoever they are and whatever they
ask.

`make test` tries the callers who would notice a wall that is missing; `make test-long` all of them,
also on calls that no table has, and prints what it found.
"""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.jupyter_ext.auth import lab_routes
from tests.integration.jupyter_ext.kernels.access_matrix import (
    CALLERS,
    METHODS,
    SOCKET,
    Line,
    Matrix,
    differences,
    is_refused,
    read_table,
    same_as_get,
    shown,
    templated,
)
from tests.integration.jupyter_ext.kernels.fleet_of_labs import Fleet
from tests.unit.gateway_ext.kernels.handlers import gateway_paths

pytestmark = pytest.mark.timeout(900)

SAMPLE = ("nobody", "o-owner", "viewer")
PATHS = {"lab": lab_routes.PATHS, "gateway": gateway_paths.PATHS}
servers = pytest.mark.parametrize("server", ["lab", "gateway"])


@pytest.fixture
def matrix_of(fleet: Fleet) -> Callable[[str], Matrix]:
    def made(server: str) -> Matrix:
        urls = {"lab": fleet.urls[0], "gateway": fleet.gateways.urls[0]}
        matrix = Matrix(fleet, urls[server])
        matrix.restore()
        return matrix

    return made


@servers
def test_who_is_told_apart(matrix_of: Callable[[str], Matrix], server: str) -> None:
    lines = read_table(f"{server}_access.txt")
    assert differences(lines, matrix_of(server).status, SAMPLE) == []


@pytest.mark.long
@servers
def test_everybody_gets_what_the_table_says(
    matrix_of: Callable[[str], Matrix], server: str, capsys: pytest.CaptureFixture[str]
) -> None:
    matrix, table = matrix_of(server), read_table(f"{server}_access.txt")
    known = {(line.method, line.path) for line in table}
    paths = [templated(path, lab_routes.UNKNOWN) for path in PATHS[server]]
    calls = [(method, path) for path in paths for method in METHODS]
    calls += [call for call in sorted(known) if call not in calls]
    found = [
        Line(method, path, {one: matrix.status(method, path, one) for one in CALLERS})
        for method, path in calls
    ]
    by_call = {(line.method, line.path): line for line in found}
    wrong = differences(table, lambda method, path, caller: by_call[method, path].statuses[caller])
    for line in found:
        for caller, status in line.statuses.items():
            case = f"{line.method} {line.path} {caller}: {status}"
            if line.method in ("HEAD", "OPTIONS"):
                if not same_as_get(line, caller, by_call["GET", line.path]):
                    wrong.append(f"{case}, unlike GET")
            elif (line.method, line.path) not in known and not is_refused(caller, status):
                wrong.append(f"{case}, and no line of the table has it")
    text = shown(found)
    with capsys.disabled():
        print(f"\n{server}: {len(found) * len(CALLERS)} cases\n{text}")
    if folder := os.environ.get("ACCESS_MATRIX"):
        (Path(folder) / f"{server}.txt").write_text(text + "\n")
    assert wrong == []
    assert len(found) * len(CALLERS) > 1_500
    assert any(line.method == SOCKET for line in found)
