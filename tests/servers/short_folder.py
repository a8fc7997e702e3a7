"""A folder for servers: its path is short because Unix sockets in it allow 107 bytes."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

LINES = 40


@contextmanager
def short_folder(prefix: str) -> Iterator[Path]:
    """A new folder below /tmp, removed at the end; if that is an error, the last lines of the logs
    in it are printed."""
    # A server that is just ending may still write into it.
    with TemporaryDirectory(prefix=prefix, dir="/tmp", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        try:
            yield folder
        except Exception:
            for log in sorted(folder.glob("*.log")):
                print(log, *log.read_text(errors="replace").splitlines()[-LINES:], sep="\n")
            raise
