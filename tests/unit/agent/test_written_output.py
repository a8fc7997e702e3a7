"""What a stream of the kernel is given: each text is sent with its request, and is in the file."""

from __future__ import annotations

import json
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import zmq
from hypothesis import given, settings
from hypothesis import strategies as st
from ipykernel.iostream import IOPubThread, OutStream
from jupyter_client.session import Session

from gateway_ext.agent.sent_output import SentOutput
from gateway_ext.agent.written_file import WrittenFile
from gateway_ext.agent.written_output import record
from gateway_ext.agent.written_region import SPANS, WrittenRegion, mapped_by_kernel

REQUESTS = {name: {"msg_id": name} for name in "abc"}
Texts = list[tuple[str, str]]
"""Requests with what was printed during them."""


class Recorded:
    """A stream that is recorded, and what iopub took from it."""

    def __init__(self, folder: Path) -> None:
        self._file = WrittenFile(folder / "written")
        mapped = mapped_by_kernel(folder / "written")
        assert mapped is not None
        self._context = zmq.Context()
        thread = IOPubThread(self._context.socket(zmq.PUB))
        # The test takes what was printed, in the instant that it wants.
        thread.schedule = lambda _: None  # type: ignore[method-assign]
        session = Session(key=b"key")
        session.send = lambda _, message, ident: self.messages.append(message)  # type: ignore[method-assign, assignment, return-value]
        self.stream = OutStream(session, thread, "stdout", watchfd=False)
        record(self.stream, WrittenRegion(mapped, "stdout"))
        self.messages: list[dict[str, Any]] = []

    def write(self, request: str, text: str) -> None:
        self.stream.parent_header = REQUESTS[request]
        assert self.stream.write(text) == len(text)

    def take(self) -> None:
        self.stream._flush()

    def came(self, number: int) -> tuple[Texts, Texts]:
        """What the first messages have brought, and what the file says has not come then."""
        sent = SentOutput()
        texts = []
        for message in self.messages[:number]:
            parts = [b"", b"", json.dumps(message["metadata"]).encode(), b""]
            sent.heard("stream", parts)
            texts.append((message["parent_header"]["msg_id"], message["content"]["text"]))
        rest = self._file.unsent(sent)
        return texts, [(json.loads(one.parent)["msg_id"], one.text) for one in rest]

    def close(self) -> None:
        self._context.destroy(linger=0)


@settings(max_examples=200, deadline=None)
@given(
    steps=st.lists(st.none() | st.tuples(st.sampled_from("abc"), st.text(max_size=3)), max_size=40),
    number=st.integers(0, 40),
)
def test_each_text_comes_with_its_request_or_is_in_the_file(
    steps: list[tuple[str, str] | None], number: int
) -> None:
    """`None` is an instant in which iopub takes what was printed. The process ends after it has
    sent so many messages."""
    # A file of each example would be much for a disk.
    with TemporaryDirectory() as folder:
        recorded = Recorded(Path(folder))
    printed: Texts = []
    for step in steps:
        if step is None:
            recorded.take()
        else:
            recorded.write(*step)
            printed.append(step)
    recorded.close()
    came, rest = recorded.came(len(recorded.messages))
    assert by_request(readable(came) + rest) == by_request(readable(printed))
    came, rest = recorded.came(number)
    assert by_request(readable(came) + rest) == by_request(readable(printed))


def readable(texts: Texts) -> Texts:
    return [(request, text.encode(errors="replace").decode()) for request, text in texts]


def by_request(texts: Texts) -> Texts:
    return in_order(sorted(texts, key=itemgetter(0)))


def in_order(texts: Texts) -> Texts:
    """One text for what was printed during a request without another one in between."""
    said = ((request, text) for request, text in texts if text)
    return [
        (request, "".join(text for _, text in group))
        for request, group in groupby(said, key=itemgetter(0))
    ]


def test_when_all_has_come_nothing_is_missing_however_often_the_request_changed(
    tmp_path: Path,
) -> None:
    recorded = Recorded(tmp_path)
    for number in range(SPANS + 100):
        recorded.write("ab"[number % 2], "x")
    recorded.take()
    recorded.close()
    first, rest = recorded.came(1)
    assert len(first) == 1
    ((request, text),) = rest
    assert request != first[0][0]
    assert "are missing" in text
    assert recorded.came(2)[1] == []


def test_a_closed_stream_takes_nothing(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    recorded.write("a", "1")
    recorded.stream.close()
    with pytest.raises(ValueError, match="I/O operation on"):
        recorded.stream.write("2")
    assert recorded.came(0) == ([], [("a", "1")])
    recorded.close()
