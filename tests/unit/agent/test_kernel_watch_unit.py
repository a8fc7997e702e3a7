"""What an agent concludes from /proc and from cgroups about its kernel's processes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gateway_ext.agent.cgroup import MemoryCgroup, find_memory_cgroup, oom_kills
from gateway_ext.agent.leases import is_leased
from gateway_ext.agent.memory_limit import MemoryMeter
from gateway_ext.agent.process_tree import (
    Process,
    ProcessTree,
    is_daemon,
    proportional_bytes,
    resident_bytes,
)
from gateway_ext.agent.work_meter import WorkMeter


def process(cpu_seconds: float, *, pid: int = 1, daemon: bool = False) -> Process:
    return Process(pid, 7, 0, cpu_seconds, daemon)


def worked(shares: list[float], *, daemon: bool = False) -> list[bool]:
    """Looks every 5 s at a process that uses these shares of a core, one after the other."""
    meter, cpu, answers = WorkMeter(), 100.0, []
    meter.look(0.0, [process(cpu, daemon=daemon)])
    for number, share in enumerate(shares, 1):
        cpu += share * 5
        answers.append(meter.look(number * 5.0, [process(cpu, daemon=daemon)]))
    return answers


def test_a_thread_that_computes_is_work_and_heartbeats_are_none() -> None:
    assert all(worked([1.0] * 100))
    assert all(worked([0.04] * 100))
    assert not any(worked([0.02] * 100))


def test_one_short_burst_in_five_minutes_is_no_work() -> None:
    # A garbage collection of 0.4 s: 8 % of its stretch, less than 3 % of the window.
    assert not any(worked([0.0] * 60 + [0.08] + [0.0] * 60))


def test_work_ends_with_its_last_stretch_and_not_five_minutes_later() -> None:
    answers = worked([1.0] * 20 + [0.0] * 60)
    assert answers == [True] * 20 + [False] * 60


def test_daemons_are_no_work_unless_they_compute() -> None:
    assert not any(worked([0.1] * 100, daemon=True))
    assert all(worked([0.5] * 100, daemon=True))


def test_a_process_that_came_since_the_last_look_counts_from_its_start() -> None:
    meter = WorkMeter()
    meter.look(0.0, [process(10.0)])
    assert meter.look(5.0, [process(10.0), process(4.0, pid=2)])
    # Its number was given to another one.
    assert not meter.look(10.0, [process(10.0), Process(2, 9, 0, 0.0, False)])


@pytest.mark.parametrize(
    ("command", "daemon"),
    [
        ("/envs/kernel/ray/core/src/ray/raylet/raylet --node", True),
        ("/envs/x/gcs_server --port=1", True),
        ("python -u /envs/x/site-packages/ray/dashboard/dashboard.py", True),
        ("python /envs/x/site-packages/ray/_private/log_monitor.py", True),
        ("ray::IDLE", True),
        ("ray::Worker.train", False),
        ("java -cp /x org.apache.spark.deploy.SparkSubmit pyspark-shell", True),
        ("python -m pyspark.daemon", True),
        ("python -m ipykernel_launcher -f x", False),
        ("", False),
    ],
)
def test_daemons_of_ray_and_spark_are_known(command: str, daemon: bool) -> None:
    assert is_daemon(command.split(" ")) is daemon


def test_the_tree_has_children_of_children_and_what_lost_its_parent() -> None:
    sleeps = "import subprocess, time; d = subprocess.DEVNULL;"
    sleeps += "print(subprocess.Popen(['sleep', '60'], stdout=d, stderr=d).pid, flush=True)"
    # Leaves its child behind before anybody has looked.
    environment = {**os.environ, "KERNEL_ID": "an-id"}
    orphan = int(subprocess.check_output([sys.executable, "-c", sleeps], env=environment))
    parent = subprocess.Popen(
        [sys.executable, "-c", f"{sleeps}; time.sleep(60)"], stdout=subprocess.PIPE
    )
    try:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        tree = ProcessTree("an-id")
        assert {one.pid for one in tree.look(parent.pid)} == {parent.pid, child, orphan}
        parent.kill()
        parent.wait()
        # A child that was seen stays known without its parent.
        assert {one.pid for one in tree.look(parent.pid)} == {child, orphan}
    finally:
        parent.kill()
        for pid in (orphan, child):
            os.kill(pid, 9)


def test_proportional_is_never_more_than_resident() -> None:
    assert 0 < proportional_bytes(os.getpid()) <= resident_bytes(os.getpid()) * 1.05
    assert proportional_bytes(2**22 + 1) == resident_bytes(2**22 + 1) == 0


def test_memory_is_measured_exactly_only_when_it_may_be_too_much() -> None:
    meter = MemoryMeter(100)
    assert not meter.is_suspicious(0.0, 100)
    assert meter.is_suspicious(0.0, 150)
    # Half of it is shared: 50 more are harmless.
    assert not meter.measured(0.0, 150, 75)
    assert not meter.is_suspicious(1.0, 175)
    assert meter.is_suspicious(1.0, 176)
    assert meter.measured(1.0, 176, 101)
    # What was shared may become each one's own without any more being resident.
    assert meter.is_suspicious(3.5, 150)


V1 = "36 32 0:30 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory"
V2 = "30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate"
POD = "30 24 0:26 /kubepods/pod1 /sys/fs/cgroup ro - cgroup2 cgroup rw"


@pytest.mark.parametrize(
    ("cgroups", "mounts", "found"),
    [
        ("4:memory:/a/b\n0::/c", f"{V2}\n{V1}", ("/sys/fs/cgroup/memory/a/b", 1)),
        ("0::/a/b", V2, ("/sys/fs/cgroup/a/b", 2)),
        ("0::/kubepods/pod1", POD, ("/sys/fs/cgroup", 2)),
        ("0::/elsewhere", POD, None),
        ("3:cpu:/x", V1, None),
    ],
)
def test_the_cgroup_of_a_process_is_found(
    cgroups: str, mounts: str, found: tuple[str, int] | None
) -> None:
    expected = None if found is None else MemoryCgroup(Path(found[0]), found[1])
    assert find_memory_cgroup(cgroups, mounts) == expected


def test_the_dead_of_a_cgroup_are_counted(tmp_path: Path) -> None:
    assert oom_kills(tmp_path) is None
    (tmp_path / "memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 3\n")
    assert oom_kills(tmp_path) == 3
    (tmp_path / "memory.events").write_text("low 0\nmax 9\noom 2\noom_kill 1\noom_group_kill 0\n")
    assert oom_kills(tmp_path) == 1


def test_a_lease_holds_until_it_expires(tmp_path: Path) -> None:
    now = time.time()
    assert not is_leased(tmp_path / "missing", now)
    lease = tmp_path / "training"
    lease.touch()
    os.utime(lease, (now + 60, now + 60))
    assert is_leased(tmp_path, now)
    assert not is_leased(tmp_path, now + 61)
