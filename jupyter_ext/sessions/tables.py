"""The tables of sessions and of kernel starts."""

from typing import Any

from sqlalchemy import JSON, BigInteger, Boolean, Column, Index, String, Table

from jupyter_ext.database.metadata import lab_metadata
from jupyter_ext.database.types import ByteString, UtcDateTime
from jupyter_ext.sessions.paths import MAX_PATH_BYTES

ID_BYTES = 64
PROJECT_BYTES = 63
TYPE_BYTES = 64
USER_BYTES = 1020
NAME_BYTES = 1020
KERNEL_NAME_BYTES = 255

_INNODB: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4"}

session = Table(
    "fleet_session",
    lab_metadata,
    Column("id", ByteString(ID_BYTES), primary_key=True),
    Column("kernel_id", ByteString(ID_BYTES), nullable=False, index=True),
    Column("project", ByteString(PROJECT_BYTES), nullable=False, index=True),
    # sha256 of type and path, see paths.Document.
    Column("document", String(64), nullable=False, index=True),
    Column("path", ByteString(MAX_PATH_BYTES), nullable=False),
    # What the page believes the path to be; another one would make it end the session.
    Column("shown_path", ByteString(MAX_PATH_BYTES), nullable=False),
    Column("name", ByteString(NAME_BYTES), nullable=False),
    Column("type", ByteString(TYPE_BYTES), nullable=False),
    Column("username", ByteString(USER_BYTES), nullable=False),
    Column("created", UtcDateTime, nullable=False),
    # Whether it was made for a client that waits until the kernel runs, and has not been told yet
    # whether it does. Null in rows of older labs: no.
    Column("awaited", Boolean, nullable=True),
    # The kernel for which a client waits that has asked for another one, until it has been told
    # whether that runs, and its user.
    Column("awaited_kernel", ByteString(ID_BYTES), nullable=True),
    Column("awaited_by", ByteString(USER_BYTES), nullable=True),
    # The kernel that it had before, kept until the present one runs: if that cannot be started,
    # the session has the former one again.
    Column("former_kernel", ByteString(ID_BYTES), nullable=True, index=True),
    **_INNODB,
)

personal_session = Table(
    "fleet_personal_session",
    lab_metadata,
    # What a person sees of a document in place of its session, while they have a kernel alone.
    Column("document", String(64), primary_key=True),
    Column("username", ByteString(USER_BYTES), primary_key=True, index=True),
    # That of the session which it replaces for this person, if there was one.
    Column("id", ByteString(ID_BYTES), nullable=False),
    # Empty once the person has ended the kernel, until they open the document again: no page of
    # theirs goes on in the kernel of all meanwhile.
    Column("kernel_id", ByteString(ID_BYTES), nullable=False),
    Column("project", ByteString(PROJECT_BYTES), nullable=False, index=True),
    Column("path", ByteString(MAX_PATH_BYTES), nullable=False),
    Column("shown_path", ByteString(MAX_PATH_BYTES), nullable=False),
    Column("name", ByteString(NAME_BYTES), nullable=False),
    Column("type", ByteString(TYPE_BYTES), nullable=False),
    Column("created", UtcDateTime, nullable=False),
    **_INNODB,
)

STARTING, RUNNING, ENDING = "starting", "running", "ending"
"""The states of a kernel start."""

kernel_start = Table(
    "fleet_kernel_start",
    lab_metadata,
    # One row a document: whoever inserts it starts the kernel, everybody else waits for it.
    Column("document", String(64), primary_key=True),
    Column("kernel_id", ByteString(ID_BYTES), nullable=False),
    Column("state", String(8), nullable=False),
    # Until when the starter is believed to be alive; it is renewed.
    Column("lease_until", UtcDateTime, nullable=False),
    # Raised by every starter: one that was overtaken can change nothing any more.
    Column("attempt", BigInteger, nullable=False),
    # Of the document; null if the kernel is ending.
    Column("path", ByteString(MAX_PATH_BYTES)),
    Column("type", ByteString(TYPE_BYTES)),
    Index(None, "kernel_id"),
    **_INNODB,
)

session_kernel = Table(
    "fleet_session_kernel",
    lab_metadata,
    # Every kernel that was started for a session, from before its start until it has ended. Others
    # belong to whoever started them and are not ended for want of a session.
    Column("kernel_id", ByteString(ID_BYTES), primary_key=True),
    Column("created", UtcDateTime, nullable=False),
    **_INNODB,
)

lab_lease = Table(
    "fleet_lease",
    lab_metadata,
    # Background work that one lab at a time does.
    Column("name", String(32), primary_key=True),
    Column("holder", String(64), nullable=False),
    Column("until", UtcDateTime, nullable=False),
    **_INNODB,
)

user_launch_choice = Table(
    "fleet_user_launch_choice",
    lab_metadata,
    # With which options, without secrets, the user started the kernelspec last.
    Column("username", ByteString(USER_BYTES), primary_key=True),
    Column("kernel_name", ByteString(KERNEL_NAME_BYTES), primary_key=True),
    Column("options", JSON, nullable=False),
    Column("changed", UtcDateTime, nullable=False),
    **_INNODB,
)

document_launch_choice = Table(
    "fleet_document_launch_choice",
    lab_metadata,
    # The same for a document, whoever started its kernel. `document` is the path's sha256.
    Column("document", String(64), primary_key=True),
    Column("kernel_name", ByteString(KERNEL_NAME_BYTES), primary_key=True),
    Column("project", ByteString(PROJECT_BYTES), nullable=False),
    Column("path", ByteString(MAX_PATH_BYTES), nullable=False),
    Column("options", JSON, nullable=False),
    Column("changed", UtcDateTime, nullable=False),
    Index(None, "project"),
    **_INNODB,
)
