"""Which kernels are forked from the agent."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from jupyter_client.connect import write_connection_file

from gateway_ext.agent.forked_kernel import can_be_forked, fork_kernel, is_forkable
from gateway_ext.agent.own_code import keeps_own_code, on_pythonpath
from gateway_ext.agent.start_document import StartDocument, needs_new_process
from tests.unit.agent.test_agent_process_unit import document

IPYKERNEL = ["python", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
CONTAINER = {"PATH": "/bin", "PYTHONPATH": "/agent.zip", "LANG": "C.UTF-8"}


def of(
    kernelspec: dict[str, str] | None = None, environment: dict[str, str] | None = None
) -> StartDocument:
    """A kernel with the kernelspec's `env`, and with what goes over it."""
    return document(
        kernelspec={"argv": IPYKERNEL, "env": kernelspec or {}}, environment=environment or {}
    )


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
        "from gateway_ext.agent.late_folders import import_what_kernels_import\n"
        "import_what_kernels_import()\n"
        "assert 'ipykernel.kernelapp' in sys.modules\n"
        "assert threading.active_count() == 1\n"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


UNTIL_READY = """
import json, os, sys
from gateway_ext.agent import late_folders
late_folders.import_what_kernels_import()
from ipykernel.kernelapp import IPKernelApp
before = set(sys.modules)
def start(app):
    print(json.dumps(sorted(set(sys.modules) - before)), file=sys.__stdout__, flush=True)
    os._exit(0)
IPKernelApp.start = start
sys.argv = ["kernel", "-f", sys.argv[1]]
late_folders.run_kernel("gateway_ext.agent.python_kernel")
"""


def test_a_fork_imports_nothing_until_it_is_ready(tmp_path: Path) -> None:
    file = str(tmp_path / "connection.json")
    write_connection_file(file, transport="ipc", ip=str(tmp_path / "k"), key=b"key")
    command = [sys.executable, "-c", UNTIL_READY, file]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(done.stdout.splitlines()[-1]) == []


@pytest.mark.parametrize(
    "variables",
    [
        {"PYTHONHASHSEED": "0"},
        {"PYTHONPATH": "${PYTHONPATH}:/more"},
        {"LD_PRELOAD": "x.so"},
        {"LANG": "de_DE.UTF-8"},
        {"LC_ALL": "C"},
        {"TZ": "Asia/Shanghai"},
        {"MALLOC_ARENA_MAX": "2"},
        {"GLIBC_TUNABLES": "glibc.malloc.check=3"},
    ],
)
def test_variables_that_are_read_at_a_start_need_a_new_process_whoever_sets_them(
    variables: dict[str, str],
) -> None:
    assert needs_new_process(of(kernelspec=variables), CONTAINER)
    assert needs_new_process(of(environment=variables), CONTAINER)
    assert not can_be_forked(of(kernelspec=variables), sys.executable, CONTAINER)
    assert can_be_forked(of(), sys.executable, CONTAINER)


def test_what_the_agent_was_started_with_and_all_other_variables_need_none() -> None:
    same = {"PYTHONPATH": "/agent.zip", "LANG": "C.UTF-8", "MINE": "yes", "PATH": "/x:${PATH}"}
    assert not needs_new_process(of(), CONTAINER)
    assert not needs_new_process(of(kernelspec=same), CONTAINER)
    assert not needs_new_process(of(environment=same), CONTAINER)
    assert not needs_new_process(of(kernelspec={"PYTHONPATH": "${PYTHONPATH}"}), CONTAINER)


def test_a_process_that_no_kernel_needs_is_ended_even_if_it_was_stopped() -> None:
    waiting = fork_kernel(release=lambda: None)
    os.kill(waiting.pid, signal.SIGSTOP)
    waiting.dismiss()
    with pytest.raises(ChildProcessError):
        os.waitpid(waiting.pid, 0)


def test_a_kernel_that_is_told_where_modules_are_still_finds_the_agents_code(
    tmp_path: Path,
) -> None:
    bundle = tmp_path / "agent.zip"
    assert on_pythonpath({"PYTHONPATH": f"/x:{bundle}"}, bundle)
    assert not on_pythonpath({"PYTHONPATH": "/x"}, bundle)
    assert not on_pythonpath({}, bundle)
    told = {"PYTHONPATH": "/of-spec", "A": "1"}
    kept = keeps_own_code(told, bundle, needed=True)
    assert kept == {"PYTHONPATH": f"{bundle}:/of-spec", "A": "1"}
    assert keeps_own_code(kept, bundle, needed=True) == kept
    assert keeps_own_code({}, bundle, needed=True) == {"PYTHONPATH": str(bundle)}
    # As on a machine, where the agent is installed.
    assert keeps_own_code(told, bundle, needed=False) == told
