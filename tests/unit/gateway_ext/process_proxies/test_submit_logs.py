"""What is kept of a spark-submit that failed."""

import os
from pathlib import Path

import pytest

from gateway_ext.process_proxies import submit_logs
from gateway_ext.process_proxies.submit_logs import keep_log


def test_the_end_of_a_log_is_kept_for_its_user_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submit_logs, "LONGEST_BYTES", 10)
    log = tmp_path / "spark-submit.log"
    log.write_text("the beginning\nthe end\n")
    kept = keep_log(tmp_path / "logs", "k1", log)
    assert kept == tmp_path / "logs" / "k1.log"
    assert kept.read_text() == "g\nthe end\n"
    assert kept.stat().st_mode & 0o777 == 0o600
    # The next one of the same kernel takes its place.
    log.write_text("again")
    keep_log(tmp_path / "logs", "k1", log)
    assert [one.read_text() for one in (tmp_path / "logs").iterdir()] == ["again"]


def test_the_oldest_go_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submit_logs, "MOST_FILES", 2)
    log = tmp_path / "spark-submit.log"
    log.write_text("x")
    for age, name in enumerate(("old", "older", "oldest")):
        kept = keep_log(tmp_path / "logs", name, log)
        assert kept is not None
        os.utime(kept, (1000 - age, 1000 - age))
    keep_log(tmp_path / "logs", "new", log)
    assert {one.stem for one in (tmp_path / "logs").iterdir()} == {"new", "old"}


def test_a_log_that_cannot_be_kept_is_no_error(tmp_path: Path) -> None:
    assert keep_log(tmp_path / "logs", "k1", tmp_path / "nothing") is None
    log = tmp_path / "file"
    log.write_text("x")
    assert keep_log(log / "logs", "k1", log) is None
