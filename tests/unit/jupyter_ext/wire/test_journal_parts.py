"""Parts of a journal: what is packed is what is read, and nothing that users send is believed."""

import json
import struct
import zlib
from dataclasses import replace

import pytest

from jupyter_ext.wire.journal_parts import (
    MOST_MESSAGES,
    MOST_RAW_BYTES,
    PartError,
    PartHeader,
    check_part,
    messages_of,
    pack_part,
    parts_in,
)

JOURNAL = "0123456789abcdef" * 2
HEADER = PartHeader(
    JOURNAL,
    5,
    9,
    missing=[(6, 7)],
    requests=[{"request": "r"}],
    process="dead",
    reason="it ran out of memory",
    complete=True,
)
MESSAGES = [(5, b"five"), (8, b""), (9, b"nine" * 1000)]


def unpack_parts(data: bytes) -> list[tuple[PartHeader, list[tuple[int, bytes]]]]:
    return [(part.header, messages_of(data, part)) for part in parts_in(data)]


def with_header(**changes: object) -> bytes:
    part = pack_part(HEADER, MESSAGES)
    length, stored = struct.unpack_from(">II", part, 8)
    header = json.dumps({**json.loads(part[16 : 16 + length]), **changes}).encode()
    return part[:8] + struct.pack(">II", len(header), stored) + header + part[16 + length :]


def test_a_part_has_what_was_packed() -> None:
    part = pack_part(HEADER, MESSAGES)
    assert check_part(part) == HEADER
    assert unpack_parts(part) == [(HEADER, MESSAGES)]


def test_a_number_that_is_infinite_is_refused() -> None:
    with pytest.raises(PartError):
        check_part(with_header(missing=[[float("inf"), 2]]))


def test_a_number_that_python_reads_as_infinity_is_refused() -> None:
    part = pack_part(replace(HEADER, requests=[{"count": 1.25e99}]), MESSAGES)
    assert check_part(part).requests == [{"count": 1.25e99}]
    with pytest.raises(PartError, match=r"1\.25e999"):
        check_part(part.replace(b"1.25e+99", b"1.25e999"))


def test_halves_of_characters_do_not_reach_a_database() -> None:
    header = check_part(with_header(process="\ud800", reason="a\udfffb"))
    assert (header.process, header.reason) == ("?", "a?b")


def test_parts_one_after_the_other_are_read_up_to_the_first_damage() -> None:
    part = pack_part(HEADER, MESSAGES)
    assert len(unpack_parts(part + part)) == 2
    assert len(unpack_parts(part + part[:-1])) == 1
    damaged = bytearray(part)
    damaged[-10] ^= 255
    with pytest.raises(PartError):
        unpack_parts(bytes(damaged))


@pytest.mark.parametrize(
    "changes",
    [
        {"journal": "../../other"},
        {"journal": JOURNAL + "\n"},
        {"first": 0},
        {"first": 10},
        {"last": 2**63},
        {"last": True},
        {"raw": MOST_RAW_BYTES + 1},
        {"requests": None},
        {"requests": [{"count": float("nan")}]},
        {"missing": [[1]]},
    ],
)
def test_a_header_that_no_agent_writes_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(PartError):
        check_part(with_header(**changes))


@pytest.mark.parametrize("data", [b"", b"fltpart1", b"x" * 100, pack_part(HEADER, []) + b"more"])
def test_bytes_that_are_not_one_part_are_refused(data: bytes) -> None:
    with pytest.raises(PartError):
        check_part(data)


def test_a_bomb_is_not_decompressed_beyond_what_it_says() -> None:
    part = with_header(raw=10)
    with pytest.raises(PartError):
        unpack_parts(part)
    header = part[: 16 + struct.unpack_from(">I", part, 8)[0]]
    bomb = zlib.compress(bytes(200 * 2**20))
    data = header[:12] + struct.pack(">I", len(bomb)) + header[16:] + bomb
    assert check_part(data).first == 5
    with pytest.raises(PartError):
        unpack_parts(data)


def test_records_outside_of_the_part_are_not_read() -> None:
    for messages in ([(4, b"")], [(10, b"")], [(6, b""), (6, b"")], [(7, b""), (6, b"")]):
        with pytest.raises(PartError):
            unpack_parts(pack_part(HEADER, messages))


def test_a_part_of_empty_messages_does_not_fill_the_memory() -> None:
    header = PartHeader(JOURNAL, 1, MOST_MESSAGES + 1)
    messages = [(number, b"") for number in range(1, MOST_MESSAGES + 2)]
    assert len(unpack_parts(pack_part(header, messages[:-1]))[0][1]) == MOST_MESSAGES
    with pytest.raises(PartError):
        unpack_parts(pack_part(header, messages))
