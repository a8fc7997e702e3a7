"""Ending what is left in a kernel's memory cgroup."""

import os
import subprocess
import uuid
from pathlib import Path

import pytest

from gateway_ext.agent.cgroup import enter, memory_cgroup_of
from gateway_ext.process_proxies.memory_cgroups import PREFIX, end_cgroup


def test_what_a_kernel_left_in_its_cgroup_is_ended_and_the_cgroup_removed() -> None:
    own = memory_cgroup_of(os.getpid())
    if own is None or own.version != 1 or not os.access(own.path, os.W_OK):
        pytest.skip("no memory cgroup can be made here")
    folder = own.path / f"{PREFIX}test-{uuid.uuid4().hex[:8]}"
    folder.mkdir()
    left = subprocess.Popen(["/bin/sleep", "60"], start_new_session=True)
    try:
        enter(folder, left.pid)
        assert end_cgroup(str(folder), 5.0)
        assert left.wait(5) == -9
        assert not folder.exists()
        assert end_cgroup(str(folder), 0.0)
    finally:
        left.kill()
        left.wait()


def test_of_version_2_the_kernel_s_part_is_killed_as_a_whole_and_not_the_agent(
    tmp_path: Path,
) -> None:
    folder = tmp_path / f"{PREFIX}kernel"
    for part in ("kernel", "agent"):
        (folder / part).mkdir(parents=True)
        (folder / part / "cgroup.procs").touch()
    assert not end_cgroup(str(folder), 0.0)
    assert (folder / "kernel" / "cgroup.kill").read_text() == "1"
    assert not (folder / "agent" / "cgroup.kill").exists()
    assert not (folder / "cgroup.kill").exists()


def test_where_a_part_cannot_be_killed_as_a_whole_each_process_is_but_none_that_is_out_of_sight(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = tmp_path / f"{PREFIX}kernel" / "kernel"
    # As before Linux 5.14: nothing of this name can be written.
    (kernel / "cgroup.kill").mkdir(parents=True)
    # 0 stands for a process of another pid namespace; for kill it is the gateway's own group.
    (kernel / "cgroup.procs").write_text("0\n123456789\n")
    killed: list[int] = []
    monkeypatch.setattr(os, "kill", lambda pid, _signal: killed.append(pid))
    assert not end_cgroup(str(kernel.parent), 0.0)
    assert killed == [123456789]


def test_only_a_cgroup_that_was_made_for_a_kernel_is_touched(tmp_path: Path) -> None:
    assert end_cgroup(str(tmp_path), 0.0)
    assert tmp_path.is_dir()
