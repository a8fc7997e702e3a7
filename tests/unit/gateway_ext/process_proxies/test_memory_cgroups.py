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


def test_only_a_cgroup_that_was_made_for_a_kernel_is_touched(tmp_path: Path) -> None:
    assert end_cgroup(str(tmp_path), 0.0)
    assert tmp_path.is_dir()
