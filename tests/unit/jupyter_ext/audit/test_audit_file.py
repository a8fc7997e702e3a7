"""The file of events on a disk that is full for a while."""

import contextlib
import json
import logging
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_ext.audit import sink_failures
from jupyter_ext.audit.audit_file import AuditFile

LOG = logging.getLogger("test")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


def opened(file: Path) -> AuditFile:
    made = AuditFile(file, LOG)
    made.setFormatter(logging.Formatter('{"name": "%(message)s"}'))
    return made


def write(to: AuditFile, *names: str) -> None:
    for name in names:
        to.handle(logging.LogRecord("x", logging.INFO, "", 0, name, None, None))


@contextlib.contextmanager
def room(file: Path, left: int) -> Iterator[None]:
    """No file of this process becomes larger than this one with `left` more bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file.stat().st_size + left, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def names(lines: list[str]) -> list[str]:
    return [json.loads(line)["name"] for line in lines]


def test_an_event_after_one_that_was_cut_is_a_line_of_its_own(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sink = opened(file)
    write(sink, "before")
    with room(file, left=10):
        write(sink, "cut", "not written")
    write(sink, "after", "last")
    sink.close()
    first, cut, *after = file.read_text().splitlines()
    assert (names([first]), cut, names(after)) == (["before"], '{"name": "', ["after", "last"])
    assert "1 events are lost: 10 of 16 bytes were written" in caplog.text


def test_a_server_that_starts_again_goes_on_behind_what_was_cut(file: Path) -> None:
    sink = opened(file)
    write(sink, "before")
    with room(file, left=10):
        write(sink, "cut")
    sink.close()
    sink = opened(file)
    write(sink, "after")
    sink.close()
    assert names(file.read_text().splitlines()[2:]) == ["after"]


def test_a_file_in_the_place_of_one_that_was_cut_begins_with_an_event(file: Path) -> None:
    sink = opened(file)
    write(sink, "before")
    with room(file, left=10):
        write(sink, "cut")
    file.rename(file.with_suffix(".1"))
    write(sink, "after")
    sink.close()
    assert names(file.read_text().splitlines()) == ["after"]


def test_all_that_were_lost_are_counted_when_the_disk_has_room_again(
    file: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = opened(file)
    with room(file, left=0):
        write(sink, "a", "b", "c")
    monkeypatch.setattr(sink_failures, "SAY_SECONDS", 0)
    write(sink, "after", "later")
    sink.close()
    counts = [record.args[1] for record in caplog.records if isinstance(record.args, tuple)]
    assert counts == [1, 2]
    assert names(file.read_text().splitlines()) == ["after", "later"]
