"""Entries, and the segments that tests make of them."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from pathlib import Path

from hypothesis import strategies as st

from gateway_ext.agent.entry import Audience, Entry, Reach
from gateway_ext.agent.segments.codec import ZLIB, codec_named
from gateway_ext.agent.segments.disk import JournalDisk
from gateway_ext.agent.segments.format import (
    BLOCK_BYTES,
    entries_of,
    unpack_header,
)
from gateway_ext.agent.segments.writer import SegmentWriter

EVERYBODY = Audience(Reach.EVERYBODY)
PAGE = Audience(Reach.SESSION, "page")
AUDIENCES = st.builds(Audience, st.sampled_from(Reach), st.text(max_size=8))
MESSAGES = st.binary(max_size=200) | st.integers(0, 3 * BLOCK_BYTES).map(lambda n: b"x" * n)


def numbered(messages: Sequence[tuple[Audience, bytes]], first: int = 1) -> list[Entry]:
    return [Entry(n, audience, message) for n, (audience, message) in enumerate(messages, first)]


def noise(count: int, size: int = 40_000, first: int = 1) -> list[Entry]:
    """Messages that do not shrink."""
    made = random.Random(first)
    return numbered([(EVERYBODY, made.randbytes(size)) for _ in range(count)], first)


def losses(disk: JournalDisk) -> dict[Audience, int]:
    """What the disk says from now on that it has lost."""
    lost: dict[Audience, int] = {}
    disk.on_lost = lost.__setitem__
    return lost


def writer(folder: Path, most_bytes: int = 2**30) -> SegmentWriter:
    return SegmentWriter(folder, "journal", "kernel", ZLIB, most_bytes)


def files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def stored_bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in files(folder))


def read(file: Path) -> list[Entry]:
    data = file.read_bytes()
    header, start = unpack_header(data)
    return list(entries_of(data, codec_named(header.codec), start))


def disk_bytes(folder: Path) -> int:
    """What the files take on a disk of blocks of 4096 bytes."""
    return sum(-(-file.stat().st_size // 4096) * 4096 for file in files(folder))


def fifo(path: Path) -> None:
    os.mkfifo(path)
