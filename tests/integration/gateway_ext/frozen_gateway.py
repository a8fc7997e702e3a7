"""Freezes a gateway where it holds nothing that others need."""

import signal
import sqlite3
from contextlib import closing
from urllib.parse import urlsplit

from tests.integration.gateway_ext.fleet_of_gateways import Gateways

_LOCK_SECONDS = 30.0


def freeze(gateways: Gateways, number: int) -> None:
    """Stop a gateway's process until it gets SIGCONT.

    SQLite has one lock for all who write: a process that is stopped in a transaction would keep it,
    and everybody else would fail. MariaDB would undo the transaction of a host that froze.
    """
    process = gateways.processes[number]
    url = urlsplit(gateways.database_url)
    if url.scheme != "sqlite":
        process.signal(signal.SIGSTOP)
        return
    with closing(sqlite3.connect(url.path.removeprefix("/"), timeout=_LOCK_SECONDS)) as database:
        database.isolation_level = None
        database.execute("BEGIN IMMEDIATE")
        process.signal(signal.SIGSTOP)
        database.execute("ROLLBACK")
