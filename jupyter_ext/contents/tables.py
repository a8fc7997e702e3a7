"""The tables of names, versions and uploads."""

from typing import Any

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, String, Table
from sqlalchemy import UniqueConstraint as Unique

from jupyter_ext.contents.paths import MAX_NAME_BYTES, MAX_PATH_BYTES
from jupyter_ext.database.metadata import lab_metadata
from jupyter_ext.database.types import ByteString, UtcDateTime

ROOT_ID = "root"
"""The one node without a parent; its entries are the projects' folders."""
TRASH_ID = "trash"
"""The parent of every deleted node. Its entries are named by their ids."""

ID_BYTES = 32
USER_BYTES = 1020

_INNODB: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4"}

node = Table(
    "fleet_node",
    lab_metadata,
    Column("id", ByteString(ID_BYTES), primary_key=True),
    # RESTRICT: no entry can be left without the folder that it was put in.
    Column("parent_id", ByteString(ID_BYTES), ForeignKey("fleet_node.id", ondelete="RESTRICT")),
    Column("name", ByteString(MAX_NAME_BYTES), nullable=False),
    # directory or file; the name says whether a file is a notebook, as in Jupyter.
    Column("type", String(9), nullable=False),
    # The current version of a file. No foreign key, because it would be circular.
    Column("version_id", ByteString(ID_BYTES)),
    Column("created", UtcDateTime, nullable=False),
    Column("modified", UtcDateTime, nullable=False),
    Unique("parent_id", "name"),
    **_INNODB,
)

version = Table(
    "fleet_version",
    lab_metadata,
    Column("id", ByteString(ID_BYTES), primary_key=True),
    Column(
        "node_id",
        ByteString(ID_BYTES),
        ForeignKey("fleet_node.id", ondelete="RESTRICT"),
        nullable=False,
    ),
    Column("base_id", ByteString(ID_BYTES)),  # the version that it replaced
    Column("object_key", ByteString(255), nullable=False, unique=True),
    Column("size", BigInteger, nullable=False),
    Column("hash", String(64), nullable=False),  # sha256 of the body, hex
    Column("author", ByteString(USER_BYTES), nullable=False),
    Column("created", UtcDateTime, nullable=False),
    Column("checkpointed", UtcDateTime),  # when somebody made it a checkpoint
    Index(None, "node_id", "created"),
    **_INNODB,
)

deletion = Table(
    "fleet_deletion",
    lab_metadata,
    Column(
        "node_id",
        ByteString(ID_BYTES),
        ForeignKey("fleet_node.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("path", ByteString(MAX_PATH_BYTES), nullable=False),
    Column("deleted", UtcDateTime, nullable=False),
    Column("author", ByteString(USER_BYTES), nullable=False),
    **_INNODB,
)

upload = Table(
    "fleet_upload",
    lab_metadata,
    Column("id", ByteString(ID_BYTES), primary_key=True),
    # sha256 of user and path: a longer key would exceed what InnoDB can index.
    Column("slot", String(64), nullable=False, unique=True),
    Column("next_chunk", Integer, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("started", UtcDateTime, nullable=False),
    Column("changed", UtcDateTime, nullable=False, index=True),
    **_INNODB,
)

upload_part = Table(
    "fleet_upload_part",
    lab_metadata,
    Column(
        "upload_id",
        ByteString(ID_BYTES),
        ForeignKey("fleet_upload.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("object_key", ByteString(255), nullable=False),
    **_INNODB,
)
