"""What a process writes down of what it prints, wherever it ends or is interrupted."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway_ext.agent import written_file, written_region
from gateway_ext.agent.sent_output import SentOutput
from gateway_ext.agent.written_file import WrittenFile
from gateway_ext.agent.written_region import (
    NAME_BYTES,
    NAME_HEAD,
    WrittenRegion,
    mapped_by_kernel,
    short_header,
)

REQUESTS = {name: {"msg_id": name} for name in "aä€😀bcdef"}
"""Each prints only the character that is its name."""
PRINTS = st.tuples(st.sampled_from(list(REQUESTS)), st.integers(1, 20))
STEPS = st.lists(st.one_of(PRINTS, PRINTS, PRINTS, st.none()), max_size=60)
"""`None` is an instant in which iopub takes what was printed."""
_MISSING = re.compile(r"\[(\d+) bytes that were printed just before are missing\]\n")


@contextmanager
def small(names: int, spans: int, kept: int) -> Iterator[None]:
    """The file has room for less, so that a short test reaches its limits."""
    with pytest.MonkeyPatch.context() as patched:
        for module in (written_region, written_file):
            patched.setattr(module, "NAMES", names)
            patched.setattr(module, "SPANS", spans)
        patched.setattr(written_region, "_PIECE", 8)
        patched.setitem(written_region.TEXT_BYTES, "stdout", kept)
        patched.setitem(written_region.RING_BYTES, "stdout", kept + 4 * 8)
        yield


class Stopped(BaseException):
    """Raised between two statements of `written_region`."""


@contextmanager
def stopped_after(lines: int) -> Iterator[None]:
    """Stop the writer after so many lines of its code."""
    left = lines

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal left
        if frame.f_code.co_filename != written_region.__file__:
            return None
        if event == "line":
            left -= 1
            if left < 0:
                sys.settrace(None)
                raise Stopped
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)


class Model:
    """A process that prints, and an agent that has got some of the messages."""

    def __init__(self, folder: Path) -> None:
        self.file = WrittenFile(folder / "written")
        mapped = mapped_by_kernel(folder / "written")
        assert mapped is not None
        self.region = WrittenRegion(mapped, "stdout")
        self.sent = SentOutput()
        self.buffered: dict[str, int] = {}
        """What each request has printed since the last flush, in characters."""
        self.taken = 0

    def print(self, request: str, times: int) -> None:
        self.region.write(REQUESTS[request], request * times)
        self.buffered[request] = self.buffered.get(request, 0) + times

    def flush(self, arriving: int | None = None) -> None:
        """The first ones of the messages arrive, or all."""
        before, self.taken = self.taken, self.region.written
        for request in list(self.buffered)[:arriving]:
            mark = ["stdout", before, self.taken, request]
            metadata = json.dumps({"fleet_written": mark}).encode()
            self.sent.heard("stream", [b"", b"", metadata, b""])
            del self.buffered[request]

    def take(self, step: tuple[str, int] | None) -> None:
        if step is None:
            self.flush()
        else:
            self.print(*step)

    def check(self, may_lack: bool, torn: str = "") -> None:
        """All that has not arrived is in the file, each for its request, or is said to be
        missing. Of the `torn` request something may have been written and not counted here."""
        found: Counter[str] = Counter()
        lost = 0
        for one in self.file.unsent(self.sent):
            request = json.loads(one.parent)["msg_id"]
            lost += sum(map(int, _MISSING.findall(one.text)))
            text = _MISSING.sub("", one.text)
            # The ring may begin within a character.
            assert set(text) <= {request, "�"}, (request, text)
            found[request] += text.count(request)
        assert may_lack or not lost
        assert set(found - Counter(self.buffered)) <= {torn}
        assert lost or not Counter(self.buffered) - found
        unsent = sum(len(name.encode()) * n for name, n in self.buffered.items())
        had = sum(len(name.encode()) * n for name, n in found.items())
        # A character that is cut in two is neither.
        assert had + lost >= unsent - 3


@settings(max_examples=400, deadline=None)
@given(
    steps=STEPS,
    arriving=st.integers(0, 5),
    is_small=st.booleans(),
    lines=st.none() | st.integers(0, 400),
    goes_on=st.booleans(),
)
def test_no_text_is_lost_without_a_word_or_given_to_another_request(
    steps: list[tuple[str, int] | None],
    arriving: int,
    is_small: bool,
    lines: int | None,
    goes_on: bool,
) -> None:
    """The process is stopped anywhere in its code: it ends there, or was interrupted and goes
    on."""
    sizes = (4, 8, 128) if is_small else (64, 4096, 2**16)
    # A file of each example would be much for a disk.
    with small(*sizes), TemporaryDirectory() as folder:
        model = Model(Path(folder))
        coming = iter(steps)
        torn = ""
        try:
            with stopped_after(10**9 if lines is None else lines):
                for step in coming:
                    torn = step[0] if step else ""
                    model.take(step)
            torn = ""
        except Stopped:
            if goes_on:
                for step in coming:
                    model.take(step)
        model.flush(arriving)
        model.check(is_small, torn)


@pytest.mark.parametrize(
    "parent",
    [
        {"msg_id": "m" * 500, "session": "s" * 500, "username": "u" * 5000, "more": "x"},
        {"msg_id": "m" * 1500, "session": "\0" * 1500, "date": datetime(2026, 1, 2, tzinfo=UTC)},
        {"msg_id": "m", "session": "s", "subshell_id": "x" * 3000, "version": "5.4"},
    ],
)
def test_a_long_header_keeps_what_a_reply_needs(parent: dict[str, Any]) -> None:
    packed = short_header(parent)
    assert len(packed) <= NAME_BYTES - NAME_HEAD
    header = json.loads(packed)
    assert header["msg_id"] == parent["msg_id"]
    assert parent["session"].startswith(header["session"])
    assert header.get("version") == parent.get("version")
    assert ("date" in header) == ("date" in parent)


@given(
    header=st.dictionaries(
        st.sampled_from(["msg_id", "session", "username", "date", "version", "x" * 900]),
        st.integers(0, 3000).map("\0😀\ud800".__mul__) | st.floats() | st.none(),
    )
)
def test_any_header_has_room(header: dict[str, Any]) -> None:
    packed = short_header(header)
    assert len(packed) <= NAME_BYTES - NAME_HEAD
    assert json.loads(packed.decode()).keys() <= header.keys()


def test_a_header_keeps_its_date() -> None:
    date = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
    packed = short_header({"msg_id": "1", "date": date})
    assert json.loads(packed) == {"msg_id": "1", "date": "2026-01-02T03:04:05.000006+00:00"}
