"""What spark-submit printed, of which operators find what failed."""

import os
from pathlib import Path

LONGEST_BYTES = 256 * 1024
MOST_FILES = 100


def end_of(log: Path, most: int = 64_000) -> str:
    """The last bytes of a log as text, empty if it cannot be read. Blocks."""
    try:
        return _end(log, most).decode(errors="replace")
    except OSError:
        return ""


def _end(log: Path, most: int) -> bytes:
    with log.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - most))
        return file.read()


def keep_log(folder: Path, kernel_id: str, log: Path) -> Path | None:
    """Keeps the end of a log as the kernel's file in the folder, instead of an earlier one, and
    removes the oldest files if there are too many. None if it cannot be kept. Blocks."""
    kept = folder / f"{kernel_id}.log"
    new = folder / f"{kernel_id}.{os.getpid()}.new"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        content = _end(log, LONGEST_BYTES)
        new.touch(mode=0o600)
        new.write_bytes(content)
        new.replace(kept)
        oldest_first = sorted(folder.glob("*.log"), key=lambda one: one.stat().st_mtime_ns)
        for file_of_another in oldest_first[:-MOST_FILES]:
            file_of_another.unlink(missing_ok=True)
    except OSError:
        return None
    return kept
