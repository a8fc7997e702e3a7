"""Where rows come from: Parquet files, Arrow, pandas and Ray Datasets, cut into pieces.

A piece is what one worker reads in one go (some row groups of one file, or a table in the object
store) and becomes one or more shards. Only footers are read by the driver, never rows.
"""

from __future__ import annotations

import fnmatch
import itertools
import math
import os
import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway_ext.xgb_ray.data.columns import Columns
from gateway_ext.xgb_ray.data.storage import locate
from gateway_ext.xgb_ray.errors import DataError, ParameterError

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.fs as pafs
    import pyarrow.parquet as pq

MAX_SHARD_ROWS = 1 << 20
_OPTIONS = re.compile(r"\?(?=\w+=)")


@dataclass(frozen=True)
class Unit:
    """The smallest thing that can be read alone: a row group of a file, or a table."""

    rows: int
    path: str = ""
    row_group: int = -1
    ref: Any = None


@dataclass(frozen=True)
class Piece:
    """Units of one file (or one table) to be read together and cut into `parts` shards."""

    rows: int
    parts: int
    where: str
    path: str = ""
    row_groups: tuple[int, ...] = ()
    ref: Any = None

    def bounds(self) -> list[tuple[int, int]]:
        """The [start, stop) rows of each part; parts differ by at most one row."""
        edges = [self.rows * i // self.parts for i in range(self.parts + 1)]
        return list(itertools.pairwise(edges))


@dataclass(frozen=True)
class Source:
    """A data set that can be read in pieces."""

    schema: pa.Schema
    units: tuple[Unit, ...]
    name: str
    filesystem: pafs.FileSystem | None = None
    schemas: tuple[tuple[str, pa.Schema], ...] = ()

    @property
    def rows(self) -> int:
        return sum(u.rows for u in self.units)

    def resolve(self, columns: Columns) -> Columns:
        """`columns` checked against the schema of every file.

        Raises:
            DataError: a column is missing or of a wrong type in some file.
        """
        resolved = columns.resolve(self.schema, self.name)
        for path, schema in self.schemas:
            if schema.equals(self.schema):
                continue
            other = columns.resolve(schema, path)
            if other != resolved:
                here, there = set(resolved.needed), set(other.needed)
                differ = ", ".join(sorted(here ^ there)[:5]) or "the order of columns"
                raise DataError(
                    f"{path} and {self.schemas[0][0]} do not have the same columns ({differ}): "
                    "name the ones to use with features=[…]"
                )
        return resolved


def open_source(
    data: Any, name: str, filesystem: pafs.FileSystem | None = None, slices: int = 1
) -> Source:
    """Find out what `data` holds.

    Args:
        data: a path, URI or glob of Parquet (or a list of them), a pyarrow Dataset or Table, a
            pandas DataFrame, or a Ray Dataset.
        name: what to call it in errors, such as "the training data".
        filesystem: the pyarrow file system of the paths; taken from the URI if absent.
        slices: into how many parts to put a table that is in memory.

    Raises:
        DataError: nothing is there, or it cannot be read as Parquet.
    """
    import pyarrow as pa
    import pyarrow.dataset as pads

    if isinstance(data, str | os.PathLike):
        return _open_paths([os.fspath(data)], filesystem)
    if (
        isinstance(data, list | tuple)
        and data
        and all(isinstance(d, str | os.PathLike) for d in data)
    ):
        return _open_paths([os.fspath(d) for d in data], filesystem)
    if isinstance(data, pa.Table):
        return _open_table(data, name, slices)
    if isinstance(data, pads.FileSystemDataset):
        if data.format.default_extname != "parquet":
            raise DataError(f"{name} is a Dataset of {data.format.default_extname}, not of Parquet")
        source = _open_files(data.files, data.filesystem)
        if _is_all_of(data, source):
            return source
    if isinstance(data, pads.Dataset):
        return _open_table(data.to_table(), name, slices)
    module = type(data).__module__.split(".")[0]
    if module == "pandas" and hasattr(data, "columns"):
        return _open_table(_from_pandas(data, name), name, slices)
    if module == "ray" and hasattr(data, "to_arrow_refs"):
        return _open_ray_dataset(data, name)
    raise DataError(
        f"{name} is a {type(data).__name__}: give Parquet paths, a pyarrow Table or Dataset, "
        "a pandas DataFrame or a Ray Dataset"
    )


def _is_all_of(dataset: Any, source: Source) -> bool:
    """Whether a Dataset is neither more nor less than its files: it may have a filter, leave
    columns out, or take some from the names of folders."""
    filtered = getattr(dataset, "_scan_options", None)
    return not filtered and dataset.schema.names == source.schema.names


def _from_pandas(frame: Any, name: str) -> pa.Table:
    import pyarrow as pa

    try:
        return pa.Table.from_pandas(frame, preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise DataError(f"{name} has a column that is not a number: {error}") from error


def _open_table(table: pa.Table, name: str, slices: int) -> Source:
    import ray

    rows = table.num_rows
    if rows == 0:
        raise DataError(f"{name} has no rows")
    slices = max(1, min(rows, max(slices, math.ceil(rows / MAX_SHARD_ROWS))))
    edges = [rows * i // slices for i in range(slices + 1)]
    units = tuple(
        Unit(b - a, f"{name}, rows {a} to {b - 1}", ref=ray.put(table.slice(a, b - a)))
        for a, b in itertools.pairwise(edges)
    )
    return Source(table.schema, units, name)


def _open_ray_dataset(data: Any, name: str) -> Source:
    import ray

    refs = data.to_arrow_refs()

    @ray.remote(num_cpus=0)
    def look(table: pa.Table) -> tuple[int, pa.Schema]:
        return table.num_rows, table.schema

    seen = ray.get([look.remote(r) for r in refs])
    units = tuple(
        Unit(rows, f"{name}, block {i}", ref=ref)
        for i, (ref, (rows, _)) in enumerate(zip(refs, seen, strict=True))
        if rows
    )
    if not units:
        raise DataError(f"{name} has no rows")
    return Source(next(s for rows, s in seen if rows), units, name)


def _open_paths(paths: Sequence[str], filesystem: pafs.FileSystem | None) -> Source:
    import pyarrow.fs as pafs

    files: list[str] = []
    store: pafs.FileSystem | None = filesystem
    for path in paths:
        if not path:
            raise DataError("the path of the data is empty: name a Parquet file or a folder")
        here, inner = (filesystem, path) if filesystem is not None else _locate_pattern(path)
        store = store or here
        if here.type_name != store.type_name:
            raise DataError(
                f"{paths[0]} and {path} are in different stores: the files of one data set must "
                "be in the same"
            )
        files += _list_files(here, inner, path)
    return _open_files(files, store or pafs.LocalFileSystem())


def _locate_pattern(path: str) -> tuple[pafs.FileSystem, str]:
    """The file system of a path, URI or glob, and the path or glob in it."""
    if "://" not in path:
        return locate(path)
    # A URI may have options at its end (`?endpoint_override=…`), and `?` in it be a wildcard.
    pattern, *options = _OPTIONS.split(path, maxsplit=1)
    fixed = pattern
    if any(c in pattern for c in "*?["):
        fixed = pattern[: min(pattern.index(c) for c in "*?[" if c in pattern)].rsplit("/", 1)[0]
    store, inner = locate("?".join([fixed, *options]))
    return store, inner + pattern[len(fixed) :].rstrip("/")


def _list_files(filesystem: pafs.FileSystem, path: str, shown: str) -> list[str]:
    import pyarrow.fs as pafs

    try:
        if any(c in path for c in "*?["):
            fixed = path[: min(path.index(c) for c in "*?[" if c in path)].rsplit("/", 1)[0]
            selector = pafs.FileSelector(fixed or "/", recursive=True, allow_not_found=True)
            infos = filesystem.get_file_info(selector)
            found = [i.path for i in infos if i.is_file and fnmatch.fnmatch(i.path, path)]
        else:
            info = filesystem.get_file_info(path)
            if info.is_file:
                found = [path]
            elif info.type == pafs.FileType.Directory:
                selector = pafs.FileSelector(path, recursive=True)
                found = [
                    i.path
                    for i in filesystem.get_file_info(selector)
                    if i.is_file and i.base_name[0] not in "._" and i.extension == "parquet"
                ]
            else:
                found = []
    except OSError as error:
        raise DataError(f"cannot list {shown}: {error}") from error
    if not found:
        raise DataError(f"no Parquet file is found at {shown}")
    return sorted(found)


def _open_files(files: Sequence[str], filesystem: pafs.FileSystem) -> Source:
    import pyarrow as pa
    import pyarrow.parquet as pq

    def footer(path: str) -> tuple[pq.FileMetaData, pa.Schema]:
        try:
            with pq.ParquetFile(path, filesystem=filesystem) as file:
                return file.metadata, file.schema_arrow
        except (pa.ArrowInvalid, OSError) as error:
            raise DataError(f"{path} cannot be read as Parquet: {error}") from error

    with ThreadPoolExecutor(max_workers=min(16, len(files))) as pool:
        footers = list(pool.map(footer, files))
    units = []
    for path, (metadata, _) in zip(files, footers, strict=True):
        for group in range(metadata.num_row_groups):
            rows = metadata.row_group(group).num_rows
            if rows:
                units.append(Unit(rows, path, group))
    if not units:
        raise DataError(f"{files[0]} has no rows")
    schemas = tuple((p, s) for p, (_, s) in zip(files, footers, strict=True))
    name = files[0] if len(files) == 1 else f"{files[0]} (with {len(files) - 1} more)"
    return Source(footers[0][1], tuple(units), name, filesystem, schemas)


def plan_pieces(units: Iterable[Unit], workers: int, shards_per_worker: int = 4) -> list[Piece]:
    """How to read units so that every worker has some shards of about the same size.

    Small row groups of a file are read together, large ones are cut. The shards are what moves
    between workers when their number changes, so each worker should have a few.
    """
    units = list(units)
    total = sum(u.rows for u in units)
    target = min(MAX_SHARD_ROWS, max(1, math.ceil(total / (workers * shards_per_worker))))
    pieces: list[Piece] = []
    run: list[Unit] = []

    def close() -> None:
        if not run:
            return
        rows = sum(u.rows for u in run)
        parts = max(1, round(rows / target))
        if run[0].ref is not None:
            pieces.append(Piece(rows, parts, run[0].path, ref=run[0].ref))
        else:
            groups = tuple(u.row_group for u in run)
            pieces.append(Piece(rows, parts, run[0].path, run[0].path, groups))
        run.clear()

    for unit in units:
        grown = sum(u.rows for u in run) + unit.rows
        if run and (unit.ref is not None or unit.path != run[0].path or grown > target):
            close()
        run.append(unit)
    close()
    return _give_each_worker_one(pieces, workers)


def _give_each_worker_one(pieces: list[Piece], workers: int) -> list[Piece]:
    """Cut the largest parts further until there are as many shards as workers (if rows allow)."""
    pieces = list(pieces)
    while sum(p.parts for p in pieces) < workers:
        largest = max(range(len(pieces)), key=lambda i: pieces[i].rows / pieces[i].parts)
        piece = pieces[largest]
        if piece.parts >= piece.rows:
            break
        pieces[largest] = Piece(
            piece.rows, piece.parts + 1, piece.where, piece.path, piece.row_groups, piece.ref
        )
    return pieces


def read_piece(
    piece: Piece,
    columns: Columns,
    filesystem: pafs.FileSystem | None,
    threads: int,
    keep: Sequence[str] = (),
) -> pa.Table:
    """The needed columns of a piece, and those to `keep`. Runs on the worker.

    Raises:
        DataError: the file is gone, or has changed since the plan was made.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    wanted = list(dict.fromkeys((*columns.needed, *keep)))
    if piece.ref is not None:
        import ray

        table = ray.get(piece.ref)
        return table.select(wanted)
    pa.set_cpu_count(max(1, threads))
    try:
        with pq.ParquetFile(piece.path, filesystem=filesystem, pre_buffer=True) as file:
            table = file.read_row_groups(
                list(piece.row_groups), columns=wanted, use_threads=threads > 1
            )
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"{piece.where} cannot be read: {error}") from error
    if table.num_rows != piece.rows:
        raise DataError(f"{piece.where} has changed while it was being read")
    return table


def same_data(a: Any, b: Any) -> bool:
    """Whether two data arguments are the same data, so that it need be read only once."""
    if a is b:
        return True
    if isinstance(a, str | os.PathLike) and isinstance(b, str | os.PathLike):
        return os.fspath(a) == os.fspath(b)
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(same_data(x, y) for x, y in zip(a, b, strict=True))
    return False


def check_workers(source: Source, workers: int) -> None:
    """Raises `ParameterError` if some worker would have no row to train on."""
    if source.rows < workers:
        raise ParameterError(
            f"{source.name} has {source.rows} rows, fewer than the {workers} workers: "
            f"use workers={source.rows} or fewer"
        )
