"""A minute of faults on each of two fleets. `make chaos` makes more of them."""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.chaos.agent_logs import violations
from tests.chaos.left_over import left_over
from tests.chaos.network import can_be_cut

BATCHES = 2
"""Side by side: in each most of the time goes by while something is frozen, cut off or away."""
SECONDS = 60
"""Of each batch; with its fleet's start and end it takes half a minute longer."""
KERNELS = 6


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "tests.chaos", *map(str, arguments)]


@pytest.mark.timeout(600)
def test_no_fault_loses_or_doubles_a_kernel(tmp_path: Path) -> None:
    seed = os.environ.get("FLEET_CHAOS_SEED") or uuid.uuid4().hex[:8]
    print(f"FLEET_CHAOS_SEED={seed}")

    def make(batch: int) -> tuple[subprocess.CompletedProcess[str], Path]:
        state = tmp_path / f"state-{batch}.json"
        arguments = ("--seed", seed, "--state", state, "--only", batch)
        size = ("--seconds", SECONDS, "--kernels", KERNELS)
        made = command(*arguments, *size)
        return subprocess.run(made, capture_output=True, text=True, check=False), state

    with ThreadPoolExecutor(BATCHES) as threads:
        batches = list(threads.map(make, range(BATCHES)))
    for number, (done, state) in enumerate(batches):
        assert done.returncode == 0, done.stdout + done.stderr
        (batch,) = json.loads(state.read_text()).items()
        assert batch[0] == str(number)
        assert batch[1]["violations"] == []
        assert sum(batch[1]["faults"].values()) >= 3, done.stdout
        assert ("NOT DONE" in done.stdout) is not can_be_cut()


@pytest.mark.skipif(not can_be_cut(), reason="no namespaces can be made here")
def test_nothing_outlives_a_run_that_is_killed(tmp_path: Path) -> None:
    arguments = ("--state", tmp_path / "state.json", "--kernels", 1, "--gateways", 1, "--labs", 1)
    mark = uuid.uuid4().hex
    run = subprocess.Popen(
        command(*arguments, "--seed", mark),
        stdout=subprocess.PIPE,
        env={**os.environ, "CHAOS_MARK": mark},
    )

    def marked() -> int:
        count = 0
        for process in Path("/proc").glob("[0-9]*/environ"):
            try:
                count += mark.encode() in process.read_bytes()
            except OSError:
                continue
        return count

    def wait_until_marked(enough: int, most: int) -> None:
        deadline = time.monotonic() + 60
        while not enough <= marked() <= most:
            assert time.monotonic() < deadline, marked()
            time.sleep(0.2)

    # The run, unshare, its shell, the run inside, store, database, gateway.
    wait_until_marked(7, 100)
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    wait_until_marked(0, 0)


def test_the_logs_tell_of_two_owners() -> None:
    good = [
        "t INFO gateway http://a, epoch 1",
        "t INFO epoch 1: interrupt",
        "t INFO gateway http://a: connection ended",
        "t INFO gateway http://b, epoch 3",
    ]
    assert violations(good) == []
    assert violations([*good, "t INFO gateway http://a, epoch 4"])
    assert violations([*good, "t INFO epoch 1: restart"])
    ended = [*good, "t INFO gateway http://b: connection ended"]
    assert violations(ended) == []
    assert violations([*ended, "t INFO gateway http://a, epoch 3"])
    assert violations([*ended, "t INFO epoch 3: restart"])


def test_processes_that_are_nobodys() -> None:
    # The first one; a run with a gateway, which started an agent; an agent whose gateway has gone.
    parents = {1: 0, 2: 1, 10: 2, 11: 10, 12: 11, 13: 12, 20: 1, 21: 20}
    servers, agents = {2, 10}, {11: True, 20: True}
    assert left_over(parents, servers, agents) == []
    # A kernel whose agent has gone, with a child; a second kernel of an agent, which may be either;
    # a process of a gateway.
    more = {30: 1, 31: 30, 32: 20, 33: 32, 34: 2}
    assert left_over(parents | more, servers, agents) == [21, 30, 31, 32, 33]
    # The process of an agent whose kernel nobody knows.
    assert left_over(parents, servers, {11: True, 20: False}) == [21]
