"""Which kernels are forked from the agent."""

import subprocess
import sys

import pytest

from gateway_ext.agent.forked_kernel import is_forkable


@pytest.mark.parametrize(
    "argv",
    [
        ["python", "-m", "gateway_ext.agent.python_kernel", "-f", "{connection_file}"],
        ["python3", "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        ["/opt/k/bin/python", "-m", "ipykernel_launcher", "-f", "{connection_file}"],
    ],
)
def test_ipykernel_in_the_agents_own_python_is_forked(argv: list[str]) -> None:
    assert is_forkable(argv, "/opt/k/bin/python")


@pytest.mark.parametrize(
    "argv",
    [
        ["/other/bin/python", "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        ["python", "-X", "dev", "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        ["python", "-m", "bash_kernel", "-f", "{connection_file}"],
        ["R", "--slave"],
        ["python"],
    ],
)
def test_everything_else_is_a_program_of_its_own(argv: list[str]) -> None:
    assert not is_forkable(argv, "/opt/k/bin/python")


def test_what_is_imported_for_forks_starts_no_thread_and_warns_of_nothing() -> None:
    code = (
        "import sys, threading\n"
        "from gateway_ext.agent.forked_kernel import import_what_kernels_import\n"
        "import_what_kernels_import()\n"
        "assert 'ipykernel.kernelapp' in sys.modules\n"
        "assert threading.active_count() == 1\n"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
