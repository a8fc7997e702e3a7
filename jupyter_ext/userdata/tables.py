"""The tables of settings, workspaces and signatures of trusted notebooks."""

from typing import Any

from sqlalchemy import Column, String, Table, Text
from sqlalchemy.dialects import mysql

from jupyter_ext.database.metadata import lab_metadata
from jupyter_ext.database.types import ByteString, UtcDateTime

USER_BYTES = 1020
NAME_BYTES = 1020

_INNODB: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4"}
_LongText = Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")

setting = Table(
    "fleet_user_setting",
    lab_metadata,
    Column("username", ByteString(USER_BYTES), primary_key=True),
    Column("schema_name", ByteString(NAME_BYTES), primary_key=True),
    # As the user wrote it: JSON with comments.
    Column("raw", _LongText, nullable=False),
    Column("created", UtcDateTime, nullable=False),
    Column("modified", UtcDateTime, nullable=False),
    **_INNODB,
)

workspace = Table(
    "fleet_user_workspace",
    lab_metadata,
    Column("username", ByteString(USER_BYTES), primary_key=True),
    Column("name", ByteString(NAME_BYTES), primary_key=True),
    Column("raw", _LongText, nullable=False),
    Column("created", UtcDateTime, nullable=False),
    Column("modified", UtcDateTime, nullable=False),
    **_INNODB,
)

trusted_notebook = Table(
    "fleet_trusted_notebook",
    lab_metadata,
    Column("username", ByteString(USER_BYTES), primary_key=True),
    Column("algorithm", String(32), primary_key=True),
    Column("digest", String(128), primary_key=True),
    Column("seen", UtcDateTime, nullable=False, index=True),
    **_INNODB,
)
