"""Save, open and list: ours against jupyter_server's own file manager and s3contents."""

import json
import os
import sys
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import requests

from tests.bench.bench import Bench, Measure, milliseconds_of
from tests.bench.peer_environment import NotAvailable, python_with
from tests.bench.table import Table
from tests.servers.mariadb import start_mariadb
from tests.servers.ports import free_ports
from tests.servers.process import ServerProcess
from tests.servers.seaweedfs import SeaweedFS, start_seaweedfs

REPOSITORY = Path(__file__).parents[3]
OURS, OURS_MARIADB, DISK, S3CONTENTS = (
    "ours, SQLite",
    "ours, MariaDB",
    "AsyncLargeFileManager",
    "s3contents 0.13",
)
S3CONTENTS_PACKAGES = ["s3contents==0.13.0", "jupyter_server>=2.21,<3"]
SIZES = {"10 KB": 10_000, "1 MB": 1_000_000}
ENTRIES = 1000
FOLDER = "demo"


class Contestant:
    """A Jupyter server of its own and a connection to it."""

    def __init__(self, bench: Bench, name: str, python: str, kind: str, **settings: Any) -> None:
        directory = bench.directory / uuid.uuid4().hex
        directory.mkdir()
        (port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{port}"
        environment = {
            **os.environ,
            "PYTHONPATH": str(REPOSITORY),
            "HOME": str(directory),
            "JUPYTER_CONFIG_DIR": str(directory),
            "JUPYTER_DATA_DIR": str(directory),
            "JUPYTER_RUNTIME_DIR": str(directory),
        }
        script = REPOSITORY / "tests" / "bench" / "contents_server.py"
        process = ServerProcess(
            [python, str(script), kind, json.dumps({"port": port, **settings})],
            directory / f"{kind}.log",
            environment=environment,
            directory=directory,
        )
        bench.stack.callback(process.stop)
        self.name = name
        self.session = requests.Session()
        process.wait_until(self._answers)
        self.call("PUT", FOLDER, {"type": "directory"})

    def _answers(self) -> bool:
        try:
            return self.session.get(f"{self.url}/api", timeout=5).ok
        except requests.ConnectionError:
            return False

    def call(self, method: str, path: str, model: Any = None, query: str = "") -> Any:
        """One request of the contents API; raises requests.HTTPError."""
        answer = self.session.request(
            method, f"{self.url}/api/contents/{path}{query}", json=model, timeout=120
        )
        answer.raise_for_status()
        return answer

    def measure(self, act: Callable[[], object]) -> tuple[float, Mapping[str, float]]:
        """Milliseconds, S3 requests and the longest pause of the event loop (ms)."""
        self.session.get(f"{self.url}/bench/figures", timeout=30)
        milliseconds = milliseconds_of(act)
        return milliseconds, self.session.get(f"{self.url}/bench/figures", timeout=30).json()


def notebook(size: int, salt: str) -> dict[str, Any]:
    """The model of a notebook of about `size` bytes, half of it output."""
    line = "0123456789 abcdefghijklmnopqrstuvwxyz " * 2
    cells = [
        {
            "cell_type": "code",
            "id": f"c{number}",
            "execution_count": number,
            "metadata": {},
            "source": f"# {salt}\n" + "\n".join([line] * 20),
            "outputs": [{"output_type": "stream", "name": "stdout", "text": (line + "\n") * 20}],
        }
        for number in range(max(1, size // 3300))
    ]
    content = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}
    return {"type": "notebook", "format": "json", "content": content}


def run(bench: Bench) -> Table:
    """Starts every contestant that this machine can run and measures them in turns."""
    table = Table(
        "Contents: save, open, list",
        [OURS, OURS_MARIADB, DISK, S3CONTENTS],
        OURS,
        "median ms (lowest), S3 requests, longest pause of the event loop in ms",
    )
    contestants = _start(bench, table)
    for contestant in contestants:
        _fill(contestant)
    lines: dict[str, dict[str, Measure]] = {}
    for size, count in SIZES.items():
        for contestant in contestants:
            path = f"{FOLDER}/{size.replace(' ', '')}.ipynb"
            contestant.call("PUT", path, notebook(count, "first"))
            save = partial(_save, contestant, path, count)
            open_ = partial(contestant.call, "GET", path)
            stat = partial(contestant.call, "GET", path, None, "?content=0&hash=1")
            for line, act in (("save", save), ("open", open_), ("stat and hash", stat)):
                lines.setdefault(f"{line} {size}", {})[contestant.name] = partial(
                    contestant.measure, act
                )
    for contestant in contestants:
        act = partial(contestant.call, "GET", f"{FOLDER}/many")
        lines.setdefault(f"list {ENTRIES}", {})[contestant.name] = partial(contestant.measure, act)
    bench.interleave(table, lines)
    return table


def _start(bench: Bench, table: Table) -> list[Contestant]:
    sql, s3 = bench.directory / "sql", bench.directory / "s3"
    for directory in (sql, s3):
        directory.mkdir()
    mariadb, store = start_mariadb(sql), start_seaweedfs(s3)
    bench.stack.callback(mariadb.stop)
    bench.stack.callback(store.stop)
    os.environ["AWS_SHARED_CREDENTIALS_FILE"] = str(store.credentials_file)
    disk = bench.directory / "disk"
    disk.mkdir()
    contestants = [
        Contestant(
            bench,
            name,
            sys.executable,
            "fleet",
            database_url=database_url,
            bucket_url=_make_bucket(store, bucket),
        )
        for name, database_url, bucket in (
            (OURS, f"sqlite:///{bench.directory / 'lab.sqlite'}", "one"),
            (OURS_MARIADB, mariadb.url, "two"),
        )
    ]
    contestants.append(Contestant(bench, DISK, sys.executable, "disk", directory=str(disk)))
    try:
        python = python_with("s3contents", (3, 12), S3CONTENTS_PACKAGES)
    except NotAvailable as error:
        table.absent[S3CONTENTS] = str(error)
        return contestants
    _make_bucket(store, "three")
    settings = {
        "endpoint": store.endpoint,
        "access_key": store.access_key,
        "secret_key": store.secret_key,
        "bucket": "three",
    }
    contestants.append(Contestant(bench, S3CONTENTS, python, "s3contents", **settings))
    return contestants


def _make_bucket(store: SeaweedFS, bucket: str) -> str:
    # Here, not at the top: another row may run where boto3 is not installed.
    from jupyter_ext.contents.bucket import check

    url = store.bucket_url(bucket)
    check(url)
    return url


def _fill(contestant: Contestant) -> None:
    contestant.call("PUT", f"{FOLDER}/many", {"type": "directory"})
    model = {"type": "file", "format": "text", "content": "x"}
    with ThreadPoolExecutor(4) as threads:
        # A session is for one thread at a time.
        list(
            threads.map(
                lambda number: requests.put(
                    f"{contestant.url}/api/contents/{FOLDER}/many/{number}.txt",
                    json=model,
                    timeout=120,
                ).raise_for_status(),
                range(ENTRIES),
            )
        )


def _save(contestant: Contestant, path: str, size: int) -> None:
    # Never the same bytes twice: nobody may skip the work.
    contestant.call("PUT", path, notebook(size, uuid.uuid4().hex))
