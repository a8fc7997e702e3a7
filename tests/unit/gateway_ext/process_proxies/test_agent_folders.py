"""The folders of an agent on this machine."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

from gateway_ext.process_proxies.agent_folders import make_folders, remove_directory
from gateway_ext.process_proxies.agent_process import AgentStart


def start_of(kernel_id: str) -> AgentStart:
    """Another launch of the same kernel with each call."""
    return AgentStart(
        kernel_id=kernel_id,
        project="demo",
        holder="demo",
        uid=os.geteuid(),
        agent_key=os.urandom(32),
        gateways=[],
        kernel_name="python3",
        kernelspec={},
        resource_dir="",
    )


def test_the_end_of_one_agent_removes_its_folder_and_not_that_of_the_next_one(
    tmp_path: Path,
) -> None:
    kernel_id = str(uuid.uuid4())
    _, first, _, _ = make_folders(tmp_path, start_of(kernel_id))
    again = start_of(kernel_id)
    # The next one is launched before the first one's end is done, and has written nothing yet.
    _, second, _, _ = make_folders(tmp_path, again)
    assert first != second
    assert remove_directory(first, kernel_id)
    assert (first.exists(), second.exists()) == (False, True)
    # Made once more, it is left as it is.
    (second / "file").touch()
    assert make_folders(tmp_path, again)[1] == second
    assert (second / "file").exists()
    assert second.stat().st_mode & 0o777 == 0o700


def test_what_earlier_agents_have_emptied_goes_too(tmp_path: Path) -> None:
    kernel_id = str(uuid.uuid4())
    _, first, _, _ = make_folders(tmp_path, start_of(kernel_id))
    for file in first.iterdir():
        file.unlink()
    _, second, _, _ = make_folders(tmp_path, start_of(kernel_id))
    assert remove_directory(second, kernel_id)
    assert list(second.parent.iterdir()) == []


def test_no_other_folder_is_removed(tmp_path: Path) -> None:
    _, folder, _, _ = make_folders(tmp_path, start_of(str(uuid.uuid4())))
    assert remove_directory(folder, str(uuid.uuid4()))
    assert folder.exists()
