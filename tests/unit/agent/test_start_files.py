"""Where a kernel's program looks for files that it reads when it starts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gateway_ext.agent.start_files import start_file_variables, without_start_files


def test_all_of_them_are_in_the_kernels_own_folder() -> None:
    variables = start_file_variables(Path("/k/one"))
    assert {"IPYTHONDIR", "JUPYTER_CONFIG_DIR", "R_ENVIRON_USER"} <= set(variables)
    assert all(value.startswith("/k/one/settings") for value in variables.values())


@pytest.mark.parametrize(
    ("argv", "wanted"),
    [
        (
            ["/usr/bin/R", "--slave", "-e", "IRkernel::main()"],
            ["/usr/bin/R", "--no-init-file", "--no-restore-data", "--slave"],
        ),
        (
            ["julia", "-i", "--startup-file=yes", "kernel.jl"],
            ["julia", "--startup-file=no", "-i", "kernel.jl"],
        ),
        (["python", "-m", "ipykernel_launcher"], ["python", "-m", "ipykernel_launcher"]),
    ],
    ids=["R", "Julia", "others"],
)
def test_r_and_julia_run_no_file_of_the_home(argv: list[str], wanted: list[str]) -> None:
    assert without_start_files(argv)[: len(wanted)] == wanted
    assert without_start_files(argv)[-1] == argv[-1]


@pytest.mark.parametrize(("option", "value"), [("-s", "1"), ("-b", "None")])
def test_a_kernel_has_no_packages_of_its_home_if_its_agent_has_none(
    option: str, value: str
) -> None:
    code = (
        "from gateway_ext.agent.kernel_process import kernel_environment\n"
        "from tests.unit.agent.test_agent_process_unit import document\n"
        "print(kernel_environment(document(), {}, 7).get('PYTHONNOUSERSITE'))\n"
    )
    done = subprocess.run(
        [sys.executable, option, "-c", code],
        env={},
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == value
