"""What an agent concludes from /proc and from cgroups about its kernel's processes."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway_ext.agent.cgroup import (
    MemoryCgroup,
    find_memory_cgroup,
    memory_limit_of,
    oom_kills,
)
from gateway_ext.agent.leases import is_leased
from gateway_ext.agent.memory_limit import MemoryMeter
from gateway_ext.agent.process_identity import started_at
from gateway_ext.agent.process_tree import (
    Process,
    bytes_not_of_files,
    descendants,
    end_all,
    is_daemon,
    proportional_bytes,
    resident_bytes,
)
from gateway_ext.agent.work_meter import WorkMeter
from tests.hopping_processes import HOPPING


def process(cpu_seconds: float, *, pid: int = 1, daemon: bool = False) -> Process:
    return Process(pid, 7, 0, cpu_seconds, daemon)


def worked(shares: list[float], *, daemon: bool = False) -> list[bool]:
    """Looks every 5 s at a process that uses these shares of a core, one after the other."""
    meter, cpu, answers = WorkMeter(), 100.0, []
    assert meter.look(1000.0, [process(cpu, daemon=daemon)])
    for number, share in enumerate(shares, 1):
        cpu += share * 5
        answers.append(meter.look(1000.0 + number * 5.0, [process(cpu, daemon=daemon)]))
    return answers


def test_a_thread_that_computes_is_work_and_heartbeats_are_none() -> None:
    assert all(worked([1.0] * 100))
    assert all(worked([0.04] * 100))
    assert not any(worked([0.02] * 100))


def test_one_short_burst_in_five_minutes_is_no_work() -> None:
    # A garbage collection of 0.4 s: 8 % of its stretch, less than 3 % of the window.
    assert not any(worked([0.0] * 60 + [0.08] + [0.0] * 60))


def test_processes_are_work_together() -> None:
    meter = WorkMeter()
    meter.look(0.0, [process(10.0), process(10.0, pid=2)])
    assert meter.look(5.0, [process(10.1), process(10.1, pid=2)])


def test_little_after_much_is_no_work() -> None:
    assert worked([1.0] * 20 + [0.02]) == [True] * 20 + [False]


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


ADOPTS = """
import os, sys
from gateway_ext.agent.orphans import adopt_orphans, reap_orphans
adopt_orphans()
own = os.fork()
if own == 0:
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.execve("/bin/sleep", ["sleep", "60"], {})
    os._exit(7)
print(own, flush=True)
sys.stdin.readline()
reap_orphans({own})
print(os.waitstatus_to_exitcode(os.waitpid(own, os.WNOHANG)[1]), flush=True)
sys.stdin.readline()
reap_orphans({own})
print(flush=True)
sys.stdin.readline()
"""

KILLS = """
import sys
from gateway_ext.agent.orphans import kill_orphans, reap_orphans
own = os.fork()
if own == 0:
    time.sleep(60)
time.sleep(0.1)
deadline = end - 1
while kill_orphans({own}) and time.monotonic() < deadline:
    time.sleep(0.001)
    reap_orphans({own})
print(time.monotonic() < deadline)
os.kill(own, 9)
print(os.waitstatus_to_exitcode(os.waitpid(own, 0)[1]))
try:
    os.waitpid(-1, 0)
except ChildProcessError:
    print("nothing is left")
"""


def test_processes_that_pass_on_to_their_children_all_the_time_are_ended() -> None:
    told = subprocess.check_output(
        [sys.executable, "-c", HOPPING + KILLS],
        text=True,
        timeout=60,
        cwd=Path(__file__).parents[3],
    )
    assert told == "True\n-9\nnothing is left\n"


def test_what_left_session_parents_and_environment_stays_below_the_agent_and_is_collected() -> None:
    agent = subprocess.Popen(
        [sys.executable, "-c", ADOPTS],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    assert agent.stdin is not None
    assert agent.stdout is not None

    def goes_on() -> str:
        assert agent.stdin is not None
        assert agent.stdout is not None
        print(file=agent.stdin, flush=True)
        return agent.stdout.readline()

    with agent:
        try:
            agent.stdout.readline()
            until(lambda: [read_command(one.pid) for one in descendants(agent.pid)] == ["sleep"])
            escaped = descendants(agent.pid)
            assert [one.parent for one in escaped] == [agent.pid]
            # The exit code of a process that is waited for elsewhere is not taken away.
            assert goes_on() == "7\n"
            assert descendants(agent.pid) == escaped
            end_all(escaped)
            until(lambda: not descendants(agent.pid, escaped))
            assert Path(f"/proc/{escaped[0].pid}").exists()
            goes_on()
            assert not Path(f"/proc/{escaped[0].pid}").exists()
        finally:
            agent.kill()


def test_a_process_that_was_seen_is_found_where_it_went() -> None:
    sleeper = subprocess.Popen(["/bin/sleep", "60"])
    try:
        seen = [one for one in descendants(os.getpid()) if one.pid == sleeper.pid]
        assert descendants(2**22 + 1, seen) == seen
        # Another process that got its number is not the same.
        other = [Process(sleeper.pid, 1, 0, 0.0, False)]
        assert descendants(2**22 + 1, other) == []
        end_all(other)
        assert sleeper.poll() is None
    finally:
        sleeper.kill()
        sleeper.wait()


WITHOUT_FIRST_THREAD = """
import ctypes, threading, time
held = bytearray(b"x" * 50_000_000)
threading.Thread(target=time.sleep, args=(60,)).start()
print(flush=True)
ctypes.CDLL(None).syscall(60, 0)
"""


@pytest.mark.skipif(platform.machine() != "x86_64", reason="calls exit(2) by its number")
def test_a_process_whose_first_thread_has_ended_lives_and_its_memory_counts() -> None:
    process = subprocess.Popen([sys.executable, "-c", WITHOUT_FIRST_THREAD], stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process:
        try:
            process.stdout.readline()
            stat = Path(f"/proc/{process.pid}/stat")
            until(lambda: stat.read_text().rpartition(")")[2].split()[0] == "Z")
            assert started_at(process.pid) is not None
            assert resident_bytes(process.pid) > 50_000_000
            assert proportional_bytes(process.pid) > 50_000_000
            end_all([one for one in descendants(os.getpid()) if one.pid == process.pid])
            assert process.wait(10) == -signal.SIGKILL
        finally:
            process.kill()


def until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def read_command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def test_proportional_is_never_more_than_resident() -> None:
    assert 0 < proportional_bytes(os.getpid()) <= resident_bytes(os.getpid()) * 1.05
    assert proportional_bytes(2**22 + 1) == resident_bytes(2**22 + 1) == 0


def test_a_process_whose_pages_cannot_be_read_hides_nothing_in_shared_memory() -> None:
    status = (
        "Name:\tsleep\nVmRSS:\t 900 kB\nRssAnon:\t 100 kB\nRssFile:\t 500 kB\nRssShmem:\t 300 kB\n"
    )
    assert bytes_not_of_files(status) == 400 * 1024
    own = bytes_not_of_files(Path("/proc/self/status").read_text())
    assert 0 < own < resident_bytes(os.getpid()) * 1.05


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


def test_a_lease_that_need_not_be_renewed_within_the_hour_is_none(tmp_path: Path) -> None:
    now = time.time()
    lease = tmp_path / "for-ever"
    lease.touch()
    os.utime(lease, (now + 70 * 365 * 86400, now + 70 * 365 * 86400))
    assert not is_leased(tmp_path, now)
    os.utime(lease, (now + 3590, now + 3590))
    assert is_leased(tmp_path, now)


@pytest.mark.parametrize(
    ("file", "text", "limit"),
    [
        ("memory.max", "536870912\n", 2**29),
        ("memory.max", "max\n", None),
        ("memory.limit_in_bytes", "536870912\n", 2**29),
        # What version 1 shows where nothing limits it.
        ("memory.limit_in_bytes", "9223372036854771712\n", None),
    ],
)
def test_the_limit_of_a_memory_cgroup(
    tmp_path: Path, file: str, text: str, limit: int | None
) -> None:
    assert memory_limit_of(tmp_path) is None
    (tmp_path / file).write_text(text)
    assert memory_limit_of(tmp_path) == limit
