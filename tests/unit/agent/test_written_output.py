"""What a stream of the kernel is given: each text is sent with its request, and is in the file."""

from __future__ import annotations

import json
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import pytest
import zmq
from hypothesis import given, settings
from hypothesis import strategies as st
from ipykernel.iostream import IOPubThread, OutStream
from jupyter_client.session import Session

from gateway_ext.agent.written_file import WrittenFile, WrittenRegion, mapped_by_kernel
from gateway_ext.agent.written_output import record

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
        self.stream = OutStream(Session(key=b"key"), thread, "stdout", watchfd=False)
        record(self.stream, WrittenRegion(mapped, "stdout"))
        self.taken: Texts = []

    def write(self, request: str, text: str) -> None:
        self.stream.parent_header = REQUESTS[request]
        assert self.stream.write(text) == len(text)

    def take(self) -> None:
        self.taken += [(parent["msg_id"], text) for parent, text in self.stream._flush_buffers()]

    def in_file(self) -> Texts:
        return [(json.loads(one.parent)["msg_id"], one.text) for one in self._file.unsent({})]

    def close(self) -> None:
        self._context.destroy(linger=0)


@settings(max_examples=200, deadline=None)
@given(
    steps=st.lists(st.none() | st.tuples(st.sampled_from("abc"), st.text(max_size=3)), max_size=40)
)
def test_each_text_is_sent_with_its_request_and_is_in_the_file(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str] | None]
) -> None:
    """`None` is an instant in which iopub takes what was printed."""
    recorded = Recorded(tmp_path_factory.mktemp("recorded"))
    printed: Texts = []
    for step in [*steps, None]:
        if step is None:
            recorded.take()
        else:
            recorded.write(*step)
            printed.append(step)
    recorded.close()
    assert by_request(recorded.taken) == by_request(printed)
    readable = [(request, text.encode(errors="replace").decode()) for request, text in printed]
    assert in_order(recorded.in_file()) == in_order(readable)


def by_request(texts: Texts) -> Texts:
    return in_order(sorted(texts, key=itemgetter(0)))


def in_order(texts: Texts) -> Texts:
    """One text for what was printed during a request without another one in between."""
    said = ((request, text) for request, text in texts if text)
    return [
        (request, "".join(text for _, text in group))
        for request, group in groupby(said, key=itemgetter(0))
    ]


def test_a_closed_stream_takes_nothing(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    recorded.write("a", "1")
    recorded.stream.close()
    with pytest.raises(ValueError, match="I/O operation on"):
        recorded.stream.write("2")
    assert recorded.in_file() == [("a", "1")]
    recorded.close()
