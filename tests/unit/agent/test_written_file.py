"""What a process has printed last, as its agent reads it after the end."""

from __future__ import annotations

import json
import struct
from collections import defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway_ext.agent.sent_output import Sent, SentOutput
from gateway_ext.agent.written_file import WrittenFile, open_written, rests
from gateway_ext.agent.written_region import (
    NAMES,
    RING_BYTES,
    SPANS,
    TEXT_AT,
    TEXT_BYTES,
    WrittenRegion,
    mapped_by_kernel,
)

STDOUT = TEXT_BYTES["stdout"]
STEPS = st.lists(
    st.tuples(st.sampled_from("abc"), st.text(max_size=20), st.sampled_from([1, 1, 1, 30_000])),
    max_size=30,
)


class Written:
    """A file with its two ends."""

    def __init__(self, folder: Path) -> None:
        self.file = WrittenFile(folder / "written")
        mapped = mapped_by_kernel(folder / "written")
        assert mapped is not None
        self.regions = {stream: WrittenRegion(mapped, stream) for stream in TEXT_BYTES}
        self.sent = SentOutput()

    def texts(self) -> list[tuple[str, str, str]]:
        """Stream, request and text of what was not sent."""
        found: dict[tuple[str, str], str] = defaultdict(str)
        for one in self.file.unsent(self.sent):
            found[one.stream, json.loads(one.parent).get("msg_id", "")] += one.text
        return [(*key, text) for key, text in found.items()]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    return Written(tmp_path)


def named(request: str) -> dict[str, str]:
    return {"msg_id": request}


def test_each_text_has_its_stream_and_its_request(written: Written) -> None:
    written.regions["stdout"].write(named("1"), "äb")
    written.regions["stdout"].write(named("1"), "c")
    written.regions["stderr"].write(named("1"), "wrong")
    written.regions["stdout"].write(named("2"), "d")
    assert written.texts() == [
        ("stdout", "1", "äbc"),
        ("stdout", "2", "d"),
        ("stderr", "1", "wrong"),
    ]
    written.sent.of("stdout").heard(0, 3, "1")
    written.sent.of("stderr").heard(0, 5, "1")
    assert written.texts() == [("stdout", "1", "c"), ("stdout", "2", "d")]
    written.sent.of("stdout").heard(3, 5, "1")
    assert written.texts() == [("stdout", "2", "d")]
    written.sent.of("stdout").heard(3, 5, "2")
    assert written.texts() == []


def test_of_requests_that_print_alternately_those_that_were_sent_do_not_come_again(
    written: Written,
) -> None:
    for number in range(6):
        written.regions["stdout"].write(named("ab"[number % 2]), str(number))
    written.sent.of("stdout").heard(0, 4, "b")
    assert written.texts() == [("stdout", "a", "024"), ("stdout", "b", "5")]


def test_thousands_of_changes_between_requests_leave_each_text_to_its_own(written: Written) -> None:
    for number in range(SPANS):
        written.regions["stdout"].write(named(str(number % NAMES % 60)), f"{number} ")
    assert {request: text for _, request, text in written.texts()} == {
        str(request): "".join(f"{n} " for n in range(SPANS) if n % NAMES % 60 == request)
        for request in range(60)
    }


def test_what_was_printed_before_the_changes_that_are_kept_is_missing(written: Written) -> None:
    for number in range(SPANS + 100):
        written.regions["stdout"].write(named("ab"[number % 2]), "ab"[number % 2])
    (_, first, lacking), (_, second, text) = written.texts()
    assert (first, second, text) == ("a", "b", "b" * (SPANS // 2))
    words = "[100 bytes that were printed just before are missing]\n"
    assert lacking == words + "a" * (SPANS // 2)


def test_texts_of_more_requests_than_are_known_are_missing(written: Written) -> None:
    for number in range(100):
        written.regions["stdout"].write(named(str(number)), "x")
    texts = written.texts()
    assert [request for _, request, _ in texts] == [str(number) for number in range(36, 100)]
    assert texts[0][2] == "[36 bytes that were printed just before are missing]\nx"


def test_a_request_that_prints_all_the_time_is_known_however_many_others_print(
    written: Written,
) -> None:
    region, first = written.regions["stdout"], named("first")
    for number in range(3 * NAMES):
        region.write(first, "f")
        region.write(named(str(number)), "x")
        written.sent.of("stdout").heard(region.written - 2, region.written, str(number))
    assert [text for _, request, text in written.texts() if request == "first"] == ["f"]


def test_a_process_that_prints_more_than_is_kept_says_how_much_is_missing(written: Written) -> None:
    for _ in range(3):
        written.regions["stdout"].write(named("1"), "x" * 5_000_000)
    written.regions["stdout"].write(named("1"), "end")
    written.sent.of("stdout").heard(0, 700_000, "1")
    ((_, _, text),) = written.texts()
    missing, rest = text.split("\n", 1)
    assert rest == "x" * (STDOUT - 3) + "end"
    lost = 15_000_003 - 700_000 - STDOUT
    assert missing == f"[{lost} bytes that were printed just before are missing]"


def test_a_request_of_which_nothing_is_kept_is_told_so(written: Written) -> None:
    written.regions["stdout"].write(named("a"), "x" * 1000)
    written.regions["stdout"].write(named("b"), "y" * STDOUT)
    written.sent.of("stdout").heard(0, STDOUT + 1000, "b")
    words = "[1000 bytes that were printed just before are missing]\n"
    assert written.texts() == [("stdout", "a", words)]


def test_a_long_text_comes_in_messages_that_are_not_too_long(written: Written) -> None:
    text = "äöü" * 1_000_000
    written.regions["stdout"].write(named("a"), text)
    found = [one.text for one in written.file.unsent(written.sent)]
    assert "".join(found) == text
    assert max(map(len, found)) < 1_000_000


@settings(max_examples=200, deadline=None)
@given(steps=STEPS, part=st.floats(0, 1))
def test_what_is_not_sent_is_the_end_of_what_each_request_has_printed(
    steps: list[tuple[str, str, int]], part: float
) -> None:
    """`part` of the steps was sent."""
    # A file of each example would be much for a disk.
    with TemporaryDirectory() as folder:
        written = Written(Path(folder))
    parents = {request: named(request) for request in "abc"}
    region, expected = written.regions["stdout"], dict.fromkeys("abc", "")
    sent = int(len(steps) * part)
    for number, (request, text, times) in enumerate(steps):
        region.write(parents[request], text * times)
        if number < sent:
            written.sent.of("stdout").heard(region.written, region.written, request)
        else:
            expected[request] += text * times
    readable = {
        request: text.encode(errors="replace").decode() for request, text in expected.items()
    }
    found = {request: text for _, request, text in written.texts()}
    assert found == {request: text for request, text in readable.items() if text}


WORDS = st.one_of(st.integers(0, 200), st.integers(0, 2**64 - 1))


@settings(max_examples=300, deadline=None)
@given(
    words=st.lists(st.tuples(st.integers(0, TEXT_AT // 8 - 1), WORDS), max_size=40),
    begin=st.tuples(WORDS, WORDS),
    header=st.sampled_from(
        [b"{}", b'{"msg_id": NaN}', b"[" * 2000, b"\xff\xfe{\0}\0", b'{"msg_id": [1]}', b"1" * 1000]
    ),
    sent=st.tuples(WORDS, WORDS),
)
def test_whatever_is_in_the_file_the_agent_reads_it(
    words: list[tuple[int, int]],
    begin: tuple[int, int],
    header: bytes,
    sent: tuple[int, int],
) -> None:
    table = bytearray(TEXT_AT)
    struct.pack_into("=QQ", table, 0, *begin)
    for at, word in words:
        struct.pack_into("=Q", table, at * 8, word)
    for slot in range(5):
        struct.pack_into("=QQ", table, 16 + slot * 2048, slot, len(header))
        table[32 + slot * 2048 : 32 + slot * 2048 + len(header)] = header
    for kept in TEXT_BYTES.values():
        found = rests(bytes(table), kept, Sent(min(sent), max(sent), {"": None}))
        assert all(isinstance(json.loads(rest.parent), dict) for rest in found)
        assert b"NaN" not in b"".join(rest.parent for rest in found)
        ranges = [one for rest in found for one in rest.ranges]
        assert sum(high - low for _, low, high in ranges) <= kept
        assert len(ranges) <= SPANS + 1


def test_an_interrupt_while_a_header_is_written_leaves_no_text_to_another_request(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> str:
        raise KeyboardInterrupt

    region, second = written.regions["stdout"], named("2")
    region.write(named("1"), "a")
    with monkeypatch.context() as patched:
        patched.setattr("json.dumps", interrupt)
        with pytest.raises(KeyboardInterrupt):
            region.write(second, "b")
    region.write(second, "c")
    assert written.texts() == [("stdout", "1", "a"), ("stdout", "2", "c")]


def test_a_file_that_was_cut_off_is_no_error(written: Written, tmp_path: Path) -> None:
    written.regions["stdout"].write(named("1"), "a")
    written.regions["stderr"].write(named("1"), "b")
    with (tmp_path / "written").open("r+b") as file:
        file.truncate(TEXT_AT + RING_BYTES["stdout"] + 100)
    assert written.texts() == [("stdout", "1", "a")]


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

    written.regions["stdout"].write(named("1"), "a")
    monkeypatch.setattr("os.pread", broken)
    assert written.texts() == []
