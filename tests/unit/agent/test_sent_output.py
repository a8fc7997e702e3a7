"""What of a kernel's output has come, as its stream messages say it to the agent alone."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_ext.agent.sent_output import WRITTEN, SentOutput


def heard(sent: SentOutput, metadata: bytes, message_type: str = "stream") -> bytes:
    """What is left of the metadata of a message."""
    parts = [b"", b"", metadata, b""]
    sent.heard(message_type, parts)
    return parts[2]


def mark(*said: Any) -> bytes:
    return json.dumps({WRITTEN: list(said)}).encode()


def test_what_comes_is_counted_for_each_request() -> None:
    sent = SentOutput()
    heard(sent, mark("stdout", 0, 10, "a"))
    stdout = sent.of("stdout")
    assert (stdout.has("a"), stdout.has("b")) == (10, 0)
    heard(sent, mark("stdout", 0, 10, "b"))
    assert (stdout.has("a"), stdout.has("b")) == (10, 10)
    # What came before has come, or was sent before the agent listened.
    heard(sent, mark("stdout", 15, 20, "c"))
    assert (stdout.has("a"), stdout.has("b"), stdout.has("c")) == (15, 15, 20)
    assert sent.of("stderr").has("a") == 0


@pytest.mark.parametrize(
    ("metadata", "left"),
    [
        (b"{}", b"{}"),
        (mark("stdout", 0, 5, "a"), b"{}"),
        (b'{"own": 1, "fleet_written": ["stdout", 0, 5, "a"]}', b'{"own": 1}'),
        (b'{"own": 1, "fleet_written": {"stdout": 5}}', b'{"own": 1}'),
        (b'{"own": 1, "fleet_written": null}', b'{"own": 1}'),
        (b'{"fleet_writte\\u006e": 5}', b"{}"),
        (b'{"own": 1}', b'{"own": 1}'),
        (b'{"own": "\\u00e4"}', b'{"own": "\\u00e4"}'),
        (b"[1]", b"[1]"),
        (b'["fleet_written"]', b'["fleet_written"]'),
        (b"no", b"no"),
        (b'{"fleet_written": ' + b"1" * 5000 + b"}", b"{}"),
        (b'{"fleet_written": ' + b"[" * 200_000 + b"]" * 200_000 + b"}", b"{}"),
    ],
)
@pytest.mark.parametrize("message_type", ["stream", "display_data"])
def test_what_messages_say_to_the_agent_never_reaches_clients(
    metadata: bytes, left: bytes, message_type: str
) -> None:
    assert heard(SentOutput(), metadata, message_type) == left


WORDS = st.one_of(
    st.integers(),
    st.floats(),
    st.booleans(),
    st.none(),
    st.text(),
    st.sampled_from(["stdout", "stderr", -1, 2**64, 2**63, 10**400]),
    st.lists(st.integers(), max_size=2),
)


@given(said=st.lists(st.lists(WORDS, max_size=5) | WORDS, max_size=10))
def test_marks_that_no_kernel_of_ours_makes_count_nothing_or_something_sensible(
    said: list[Any],
) -> None:
    sent = SentOutput()
    for one in said:
        assert WRITTEN.encode() not in heard(sent, json.dumps({WRITTEN: one}).encode())
        for stream in ("stdout", "stderr"):
            has = sent.of(stream)
            assert 0 <= has.before <= has.up_to < 2**63


def test_another_kind_of_message_counts_nothing() -> None:
    sent = SentOutput()
    heard(sent, mark("stdout", 0, 5, "a"), "display_data")
    assert sent.of("stdout").has("a") == 0


def test_forged_marks_do_not_grow_the_agent() -> None:
    sent = SentOutput()
    tracemalloc.start()
    try:
        for number in range(5000):
            heard(sent, mark("stdout", 0, 5, f"{number}" + "x" * 20_000))
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert grown < 2**20
