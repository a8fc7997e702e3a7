"""The tables of kept journals."""

from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Index, String, Table

from jupyter_ext.database.metadata import lab_metadata
from jupyter_ext.database.types import ByteString, UtcDateTime

KERNEL_BYTES = 64
PROJECT_BYTES = 63
PATH_BYTES = 4096
USER_BYTES = 1020
KERNEL_NAME_BYTES = 255
REASON_BYTES = 2000

_INNODB: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4"}

kernel_journal = Table(
    "fleet_kernel_journal",
    lab_metadata,
    Column("kernel_id", ByteString(KERNEL_BYTES), primary_key=True),
    # One for each agent: a kernel that was launched again has another one.
    Column("journal", String(32), primary_key=True),
    Column("project", ByteString(PROJECT_BYTES), nullable=False),
    Column("path", ByteString(PATH_BYTES), nullable=False),
    # The sha256 of the path, because a whole path is too long for an index.
    Column("document", String(64), nullable=False),
    Column("username", ByteString(USER_BYTES), nullable=False),
    Column("kernel_name", ByteString(KERNEL_NAME_BYTES), nullable=False),
    Column("created", UtcDateTime, nullable=False),
    # When its last part came.
    Column("changed", UtcDateTime, nullable=False),
    # When the kernel was last known to live: it is kept for some days after that.
    Column("alive", UtcDateTime, nullable=False),
    # The highest number in it.
    Column("last", BigInteger, nullable=False),
    # What its objects have together.
    Column("bytes", BigInteger, nullable=False),
    # Its objects that were not merged yet.
    Column("parts", BigInteger, nullable=False),
    # What the agent said last of the kernel's process, and whether that was its last word.
    Column("process", String(32), nullable=False),
    Column("reason", ByteString(REASON_BYTES), nullable=False),
    Column("complete", Boolean, nullable=False),
    # The highest one whose owner's ticket a part came with: parts of earlier owners are refused. 0
    # while all of them came through gateways of the version before.
    Column("epoch", BigInteger, nullable=False, server_default="0"),
    Index(None, "document"),
    Index(None, "alive"),
    **_INNODB,
)

journal_object = Table(
    "fleet_journal_object",
    lab_metadata,
    Column("kernel_id", ByteString(KERNEL_BYTES), primary_key=True),
    Column("journal", String(32), primary_key=True),
    # The numbers that it is about.
    Column("first", BigInteger, primary_key=True, autoincrement=False),
    Column("last", BigInteger, primary_key=True, autoincrement=False),
    Column("bytes", BigInteger, nullable=False),
    # Whether it is several parts in one object.
    Column("merged", Boolean, nullable=False),
    # Of the object's bytes: a part that comes again must be the same.
    Column("sha256", String(64), nullable=False),
    **_INNODB,
)
