"""What is hidden, shown and read-only within walls, by the words of those who ask for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway_ext.agent.walls.places import Walls, layers, leads_out, outermost
from gateway_ext.agent.walls.probe import advice
from gateway_ext.agent.walls.read_only import mounted


def test_paths_that_are_hidden_are_shown_as_far_as_nothing_hidden_comes_back() -> None:
    hidden = ["/data", "/tmp"]
    shown = ["/data/k/mine", "/usr/lib", "/tmp/env", "/tmp/env/lib", "/data"]
    changes = [("/data", False), ("/data/k/mine", True), ("/tmp", False), ("/tmp/env", True)]
    assert layers(hidden, shown) == changes
    # The folder around a hidden one does not bring it back.
    hidden = ["/home/ann", "/home/ann/code/data", "/home/ann/.ssh"]
    shown = ["/home/ann/code", "/home/ann/code/data/k/mine", "/home/ann/code/lib"]
    assert layers(hidden, shown) == [
        ("/home/ann", False),
        ("/home/ann/code", True),
        ("/home/ann/code/data", False),
        ("/home/ann/code/data/k/mine", True),
    ]
    assert layers(["/a"], ["/a", "/a-b", "/"]) == [("/a", False)]
    assert outermost(["/b/c", "/b", "/bc", "/b/c/d"]) == ["/b", "/bc"]


def test_what_a_link_in_a_folder_of_kernels_leads_to_is_not_shown(tmp_path: Path) -> None:
    shared, secret = tmp_path / "shared", tmp_path / "secret"
    for folder in (shared / "libraries", secret):
        folder.mkdir(parents=True)
    (shared / "inner").symlink_to("libraries")
    (shared / "out").symlink_to(secret)
    (tmp_path / "linked").symlink_to(shared)
    for writable in (str(shared), f"{tmp_path}/linked"):
        assert not leads_out(writable, [writable])
        assert not leads_out(f"{writable}/libraries", [writable])
        assert not leads_out(f"{writable}/inner", [writable])
        assert leads_out(f"{writable}/out", [writable, f"{writable}/out"])
    assert not leads_out(str(secret), [str(shared)])


@pytest.mark.parametrize("raw", [[], {"hidden": "/x"}, {"shown": ["relative"]}, {"hidden": [1]}])
def test_walls_that_cannot_be_meant_are_refused(raw: Any) -> None:
    with pytest.raises(ValueError, match="must be"):
        Walls.from_json(raw)


def test_the_setting_that_refuses_walls_is_named() -> None:
    restricted = {
        "user.max_user_namespaces": "63000",
        "kernel.apparmor_restrict_unprivileged_userns": "1",
    }
    assert "apparmor_restrict_unprivileged_userns" in advice(restricted)
    assert "max_user_namespaces" not in advice(restricted)
    assert "user.max_user_namespaces" in advice({"user.max_user_namespaces": "0"})
    assert "seccomp profile" in advice({"user.max_user_namespaces": "63000"})


def test_places_are_read_from_the_table_of_mounts() -> None:
    table = (
        "22 21 0:20 / /sys rw,nosuid shared:7 - sysfs sysfs rw\n"
        "26 25 0:24 /a /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
        "27 25 0:25 / /mnt/with\\040space rw - ext4 /dev/sda rw\n"
    )
    assert mounted(table) == ["/sys", "/sys/fs/cgroup/memory", "/mnt/with space"]
