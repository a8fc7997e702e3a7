"""When code that prints waits, and the number that says so."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from gateway_ext.agent.credit_file import CreditFile, open_credit
from gateway_ext.agent.output_credit import (
    MOST_BUFFERED,
    MOST_OWED,
    Credit,
    credit_from_environment,
    must_wait,
)


@pytest.mark.parametrize(
    ("published", "taken", "buffered", "waits"),
    [
        (0, 0, 0, False),
        (MOST_OWED, 0, 0, False),
        (MOST_OWED + 1, 0, 0, True),
        (MOST_OWED + 1, 1, 0, False),
        (MOST_OWED, 0, 1, True),
        (0, 0, MOST_BUFFERED, False),
        (0, 0, MOST_BUFFERED + 1, True),
        # It has heard what was not counted, or the process has ended.
        (0, 5000, 0, False),
        (MOST_OWED * 2, 2**64 - 1, 0, False),
    ],
)
def test_code_waits_while_too_much_is_owed_or_buffered(
    published: int, taken: int, buffered: int, waits: bool
) -> None:
    assert must_wait(published, taken, buffered) is waits


def test_credit_comes_through_the_file(tmp_path: Path) -> None:
    file = CreditFile(tmp_path / "credit")
    assert (tmp_path / "credit").stat().st_mode & 0o777 == 0o600
    credit = Credit(file.path, os.getpid())
    credit.publish(MOST_OWED + 1000)
    waiting = threading.Thread(target=credit.wait, args=[lambda: 0])
    waiting.start()
    file.taken(999)
    waiting.join(0.1)
    assert waiting.is_alive()
    file.taken(1000)
    waiting.join(10)
    assert not waiting.is_alive()


def test_what_was_published_before_somebody_listened_is_not_owed(tmp_path: Path) -> None:
    credit = Credit(CreditFile(tmp_path / "credit").path, os.getpid())
    credit.publish(MOST_OWED * 2)
    credit.listened()
    credit.wait(lambda: 0)


def test_each_process_has_a_file_of_its_own_and_one_that_has_ended_waits_no_more(
    tmp_path: Path,
) -> None:
    first = CreditFile(tmp_path / "credit")
    left_behind = Credit(first.path, os.getpid())
    left_behind.publish(MOST_OWED * 2)
    second = CreditFile(tmp_path / "credit")
    assert int.from_bytes((tmp_path / "credit").read_bytes(), "little") == 0
    first.release()
    left_behind.wait(lambda: 0)
    second.taken(7)
    assert int.from_bytes((tmp_path / "credit").read_bytes(), "little") == 7


def test_a_file_that_the_kernel_has_truncated_ends_nobody(tmp_path: Path) -> None:
    # In a process of its own: the signal would end this one.
    code = (
        "import os, sys, pathlib; from gateway_ext.agent.credit_file import CreditFile;"
        "file = CreditFile(pathlib.Path(sys.argv[1])); os.truncate(sys.argv[1], 0); file.taken(5);"
        "print(int.from_bytes(pathlib.Path(sys.argv[1]).read_bytes(), sys.byteorder))"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "credit")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "5\n"), done.stderr


def test_where_no_file_can_be_made_there_is_no_credit(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert open_credit(tmp_path / "nowhere" / "credit") is None
    assert "is not slowed down" in caplog.text


@pytest.mark.parametrize("agent", ["", "not a number", str(2**22 + 1)])
def test_a_kernel_without_a_file_or_an_agent_has_no_credit(
    agent: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JPY_PARENT_PID", agent)
    monkeypatch.setenv("FLEET_CREDIT", str(CreditFile(tmp_path / "credit").path))
    assert credit_from_environment() is None
    assert "FLEET_CREDIT" not in os.environ
    monkeypatch.setenv("JPY_PARENT_PID", str(os.getpid()))
    assert credit_from_environment() is None
    monkeypatch.setenv("FLEET_CREDIT", str(tmp_path / "nowhere"))
    assert credit_from_environment() is None
