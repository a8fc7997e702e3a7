"""What a process has printed last, as its agent reads it after the end."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway_ext.agent.written_file import (
    FILE_BYTES,
    STREAMS,
    TEXT_BYTES,
    WRITTEN,
    SentOutput,
    WrittenFile,
    WrittenRegion,
    mapped_by_kernel,
    open_written,
    unsent,
)

TEXTS = st.lists(
    st.tuples(st.sampled_from("abc"), st.text(max_size=20), st.sampled_from([1, 1, 30_000])),
    max_size=30,
)


class Written:
    """A file with its two ends."""

    def __init__(self, folder: Path) -> None:
        self.file = WrittenFile(folder / "written")
        mapped = mapped_by_kernel(folder / "written")
        assert mapped is not None
        self.regions = {stream: WrittenRegion(mapped, stream) for stream in STREAMS}

    def texts(self, **sent: int) -> list[tuple[str, str, str]]:
        """Stream, request and text of what was not sent."""
        return [
            (one.stream, json.loads(one.parent).get("msg_id", ""), one.text)
            for one in self.file.unsent(sent)
        ]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    return Written(tmp_path)


def test_each_text_has_its_stream_and_its_request(written: Written) -> None:
    first, second = {"msg_id": "1"}, {"msg_id": "2"}
    written.regions["stdout"].write(first, "äb")
    written.regions["stdout"].write(first, "c")
    written.regions["stderr"].write(first, "wrong")
    written.regions["stdout"].write(second, "d")
    assert written.texts() == [
        ("stdout", "1", "äbc"),
        ("stdout", "2", "d"),
        ("stderr", "1", "wrong"),
    ]
    assert written.texts(stdout=3, stderr=5) == [("stdout", "1", "c"), ("stdout", "2", "d")]
    assert written.texts(stdout=5, stderr=5) == []


def test_a_process_that_prints_more_than_is_kept_says_how_much_is_missing(written: Written) -> None:
    parent = {"msg_id": "1"}
    for _ in range(3):
        written.regions["stdout"].write(parent, "x" * 600_000)
    written.regions["stdout"].write(parent, "end")
    ((_, _, text),) = written.texts(stdout=700_000)
    missing, rest = text.split("\n", 1)
    assert rest == "x" * (TEXT_BYTES - 3) + "end"
    lost = 1_800_003 - 700_000 - TEXT_BYTES
    assert missing == f"[{lost} bytes that were printed just before are missing]"


def test_texts_of_more_requests_than_are_known_are_missing(written: Written) -> None:
    for number in range(100):
        written.regions["stdout"].write({"msg_id": str(number)}, "x")
    texts = written.texts()
    assert [request for _, request, _ in texts] == [str(number) for number in range(36, 100)]
    assert texts[0][2] == "[36 bytes that were printed just before are missing]\nx"


def test_a_text_above_what_is_kept_leaves_its_end(written: Written) -> None:
    written.regions["stdout"].write({}, "ab")
    written.regions["stdout"].write({}, "x" * TEXT_BYTES + "end")
    (*_, (_, _, text)) = written.texts()
    assert text.endswith("xxend")
    assert len(text.split("\n", 1)[1]) == TEXT_BYTES


@settings(max_examples=200, deadline=None)
@given(texts=TEXTS, part=st.floats(0, 1))
def test_what_is_not_sent_is_the_end_of_what_was_written(
    tmp_path_factory: pytest.TempPathFactory, texts: list[tuple[str, str, int]], part: float
) -> None:
    written = Written(tmp_path_factory.mktemp("written"))
    parents = {name: {"msg_id": name} for name in "abc"}
    said, names = "", ""
    for name, text, times in texts:
        written.regions["stdout"].write(parents[name], text * times)
        said += text * times
        names += name * len((text * times).encode(errors="replace"))
    data = said.encode(errors="replace")
    sent = int(len(data) * part)
    rest = written.texts(stdout=sent)
    found = "".join(text for _, _, text in rest)
    if len(data) - sent <= TEXT_BYTES:
        requests = [request for request, _ in groupby(name for _, name, _ in rest)]
        assert requests == [name for name, _ in groupby(names[sent:])]
        assert found == data[sent:].decode(errors="replace")
    else:
        assert found.split("\n", 1)[1] == data[-TEXT_BYTES:].decode(errors="replace")


@settings(max_examples=300, deadline=None)
@given(begin=st.binary(max_size=1200), sent=st.integers(0, 2**64 - 1))
def test_whatever_is_in_the_file_the_agent_reads_it(begin: bytes, sent: int) -> None:
    region = begin.ljust(FILE_BYTES // len(STREAMS), b"\xff")
    found = unsent(region, "stdout", sent)
    assert sum(len(one.text) for one in found) <= TEXT_BYTES + 100
    assert all(isinstance(json.loads(one.parent), dict) for one in found)


def test_an_interrupt_while_a_header_is_written_leaves_no_text_to_another_request(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> str:
        raise KeyboardInterrupt

    region, second = written.regions["stdout"], {"msg_id": "2"}
    region.write({"msg_id": "1"}, "a")
    with monkeypatch.context() as patched:
        patched.setattr("json.dumps", interrupt)
        with pytest.raises(KeyboardInterrupt):
            region.write(second, "b")
    region.write(second, "c")
    assert written.texts() == [("stdout", "1", "a"), ("stdout", "2", "c")]


def test_a_header_keeps_its_date(written: Written) -> None:
    date = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
    written.regions["stdout"].write({"msg_id": "1", "date": date}, "a")
    (one,) = written.file.unsent({})
    assert json.loads(one.parent) == {"msg_id": "1", "date": "2026-01-02T03:04:05.000006+00:00"}


def test_a_header_that_is_too_long_is_left_out(written: Written) -> None:
    written.regions["stdout"].write({"msg_id": "x" * 600}, "a")
    assert written.texts() == [("stdout", "", "a")]


def test_a_folder_without_room_for_the_file_gives_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full)
    assert open_written(tmp_path / "written") is None
    assert mapped_by_kernel(tmp_path / "written") is None


def test_a_file_that_cannot_be_read_is_no_error(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: int) -> bytes:
        raise OSError(5, "Input/output error")

    written.regions["stdout"].write({"msg_id": "1"}, "a")
    monkeypatch.setattr("os.pread", broken)
    assert written.texts() == []


def test_what_messages_say_to_the_agent_is_taken_out_of_them() -> None:
    sent = SentOutput()
    for metadata, left in (
        (b"{}", b"{}"),
        (json.dumps({WRITTEN: ["stdout", 5]}).encode(), b"{}"),
        (json.dumps({"own": 1, WRITTEN: ["stdout", 3]}).encode(), b'{"own": 1}'),
        (json.dumps({"own": 1}).encode(), b'{"own": 1}'),
        (b"[1]", b"[1]"),
        (b"no", b"no"),
        (json.dumps({WRITTEN: ["other", 3]}).encode(), b"{}"),
    ):
        parts = [b"", b"", metadata, b""]
        sent.heard(parts)
        assert parts[2] == left
    assert sent.bytes == {"stdout": 5}
