"""Files on a disk or in a bucket: where a path or URI leads."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from gateway_ext.xgb_ray.errors import DataError, ParameterError

if TYPE_CHECKING:
    import pyarrow.fs as pafs
    import xgboost as xgb


def locate(path: str) -> tuple[pafs.FileSystem, str]:
    """The file system of a path or URI, and the path in it.

    Raises:
        DataError: pyarrow cannot reach this kind of URI.
    """
    import pyarrow as pa
    import pyarrow.fs as pafs

    if "://" not in path:
        return pafs.LocalFileSystem(), os.path.abspath(os.path.expanduser(path))
    try:
        filesystem, inner = pafs.FileSystem.from_uri(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"{path} cannot be used: {error}") from error
    return filesystem, inner.rstrip("/")


def within(folder: str, name: str) -> str:
    """The path or URI of something in a folder; the options of a URI stay at its end."""
    base, mark, options = folder.partition("?") if "://" in folder else (folder, "", "")
    return f"{base.rstrip('/')}/{name}{mark}{options}"


def write_file(filesystem: pafs.FileSystem, target: str, content: bytes) -> None:
    """Write a file that is seen whole or not at all, in place of one of the same name.

    Raises:
        OSError: the disk or store does not take it.
    """
    import pyarrow.fs as pafs

    # A store shows an object whole or not at all; a local file is written beside and moved.
    local = isinstance(filesystem, pafs.LocalFileSystem)
    if local:
        filesystem.create_dir(target.rsplit("/", 1)[0], recursive=True)
    part = f"{target}.part" if local else target
    with filesystem.open_output_stream(part) as stream:
        stream.write(content)
    if local:
        filesystem.move(part, target)


class Folder:
    """A folder of small files, each of which is seen whole or not at all.

    Methods raise `OSError` when the disk or store does not answer.
    """

    def __init__(self, uri: str) -> None:
        self.uri = uri.rstrip("/")
        self._filesystem, self._inner = locate(self.uri)

    def path(self, name: str) -> str:
        """The path or URI of a file in it."""
        return within(self.uri, name)

    def read(self, name: str) -> bytes | None:
        """The content of a file, or None if there is none."""
        try:
            with self._filesystem.open_input_stream(f"{self._inner}/{name}") as stream:
                return bytes(stream.read())
        except FileNotFoundError:
            return None

    def write(self, name: str, content: bytes) -> None:
        """Write a file, in place of one of the same name."""
        write_file(self._filesystem, f"{self._inner}/{name}", content)


def read_booster(path: str) -> xgb.Booster:
    """The model in a file, on a disk or in a bucket.

    Raises:
        ParameterError: there is none, or it is no model.
    """
    import xgboost as xgb

    filesystem, inner = locate(path)
    try:
        with filesystem.open_input_stream(inner) as stream:
            raw = bytearray(stream.read())
        if not raw:
            # XGBoost ends the process over an empty buffer.
            raise OSError("it is empty")
        return xgb.Booster(model_file=raw)
    except (OSError, xgb.core.XGBoostError) as error:
        raise ParameterError(f"the model {path} cannot be read") from error
