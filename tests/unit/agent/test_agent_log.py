"""The agent's log, whose folder the kernel's code may remove."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import pytest

from gateway_ext.agent import agent_log
from gateway_ext.agent.agent_log import AgentLog


def say(log: AgentLog, words: str) -> None:
    log.emit(logging.LogRecord("fleet.agent", logging.INFO, "", 0, words, None, None))


def test_it_goes_on_in_a_new_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(agent_log, "_BYTES", 200)
    folder = tmp_path / "k"
    folder.mkdir()
    log = AgentLog(folder / "agent.log")
    say(log, "one")
    shutil.rmtree(folder)
    say(log, "two" * 100)
    say(log, "three")
    folder.mkdir()
    say(log, "four")
    assert (folder / "agent.log").read_text().endswith("four\n")
    say(log, "five" * 100)
    say(log, "six")
    assert (folder / "agent.log.1").exists()
    log.close()
    assert capfd.readouterr().err == ""


def test_it_writes_through_no_link_that_the_kernels_code_has_put_there(tmp_path: Path) -> None:
    other, path = tmp_path / "other", tmp_path / "agent.log"
    other.write_text("kept")
    log = AgentLog(path)
    say(log, "one")
    path.unlink()
    path.symlink_to(other)
    say(log, "two")
    log.close()
    assert other.read_text() == "kept"
    assert path.read_text().endswith("two\n")
    assert not path.is_symlink()
