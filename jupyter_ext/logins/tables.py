"""The tables of logins, codes and revocations."""

from sqlalchemy import Column, String, Table, Text
from sqlalchemy.dialects import mysql

from jupyter_ext.database.metadata import lab_metadata
from jupyter_ext.database.types import ByteString, UtcDateTime

USER_BYTES = 1020

_Token = Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")

login = Table(
    "fleet_login",
    lab_metadata,
    Column("digest", String(64), primary_key=True),
    Column("username", ByteString(USER_BYTES), nullable=False, index=True),
    # The platform's token, encrypted; the text names its key.
    Column("token", _Token, nullable=False),
    Column("created", UtcDateTime, nullable=False),
    Column("expires", UtcDateTime, nullable=False, index=True),
    Column("ended", UtcDateTime, nullable=True, index=True),
    # When a lab has last begun to renew the token.
    Column("renewal", UtcDateTime, nullable=True),
    mysql_engine="InnoDB",
    mysql_charset="utf8mb4",
)

revocation = Table(
    "fleet_revocation",
    lab_metadata,
    Column("kind", String(16), primary_key=True),
    Column("name", ByteString(USER_BYTES), primary_key=True),
    # Of tokens that were issued up to then.
    Column("until", UtcDateTime, nullable=False),
    Column("changed", UtcDateTime, nullable=False, index=True),
    mysql_engine="InnoDB",
    mysql_charset="utf8mb4",
)

sign_in_code = Table(
    "fleet_sign_in_code",
    lab_metadata,
    Column("digest", String(64), primary_key=True),
    # The platform's token, encrypted; the text names its key.
    Column("token", _Token, nullable=False),
    Column("expires", UtcDateTime, nullable=False, index=True),
    # Both empty in rows that labs of an earlier version have made.
    Column("username", ByteString(USER_BYTES), nullable=True, index=True),
    Column("created", UtcDateTime, nullable=True),
    mysql_engine="InnoDB",
    mysql_charset="utf8mb4",
)
