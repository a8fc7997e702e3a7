"""The gateway's tables."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects import mysql

from jupyter_ext.database.metadata import NAMING_CONVENTION
from jupyter_ext.database.types import ByteString, UtcDateTime

gateway_metadata = MetaData(naming_convention=NAMING_CONVENTION)

GATEWAY_VERSION_TABLE = "fleet_gateway_version"
"""Where Alembic keeps the revision of these tables."""

_LongText = Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")
_Id = BigInteger().with_variant(Integer(), "sqlite")

kernel = Table(
    "fleet_kernel",
    gateway_metadata,
    Column("kernel_id", ByteString(36), primary_key=True),
    Column("project", ByteString(63), nullable=False),
    Column("path", ByteString(4096), nullable=False),
    Column("username", ByteString(1024), nullable=False),
    Column("kernel_name", ByteString(255), nullable=False),
    Column("state", String(16), nullable=False),
    # Name of the gateway that acts on the kernel, and the fencing number of its right to do so.
    Column("owner", ByteString(255)),
    Column("epoch", BigInteger, nullable=False),
    # Encrypted (jupyter_ext.platform.encryption): the agent's key, and what a launch needs.
    Column("agent_key", Text, nullable=False),
    Column("launch", _LongText, nullable=False),
    # The launch options in `launch` without secrets, for everybody who may see the kernel.
    Column("launch_options", JSON),
    # How to look at the agent's process, in the words of the process proxy that started it.
    Column("process", JSON),
    # While it is launched: LaunchStatus.stored. After that NOT_RUN, until it runs.
    Column("launch_status", JSON),
    Column("execution_state", String(16), nullable=False),
    Column("connections", Integer, nullable=False),
    Column("last_activity", UtcDateTime, nullable=False),
    Column("created", UtcDateTime, nullable=False),
    Column("changed", UtcDateTime, nullable=False),
    Column("reason", Text, nullable=False),
    # Since when its agent has been silent, for whoever looks at the kernel.
    Column("silence", JSON),
    # The id under which its agent was started and connects, if that is not the kernel's.
    Column("launch_id", ByteString(36)),
    # The shape of the pool in which it waits, for a kernel that belongs to nobody.
    Column("pool", String(64)),
    # Its project, if it is its user's alone: `project` then has a name that no project has, so that
    # gateways of the version before show it to nobody.
    Column("personal_project", ByteString(63)),
    Index(None, "launch_id", unique=True),
    Index(None, "pool"),
    Index(None, "project"),
    Index(None, "state", "changed"),
)

gateway = Table(
    "fleet_gateway",
    gateway_metadata,
    Column("name", ByteString(255), primary_key=True),
    Column("url", ByteString(1024), nullable=False),
    # By the database's clock, the only one that all gateways share.
    Column("heartbeat", UtcDateTime, nullable=False),
    Column("draining", Boolean, nullable=False),
)

kernel_event = Table(
    "fleet_kernel_event",
    gateway_metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("kernel_id", ByteString(36), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("event", String(32), nullable=False),
    # The user who asked for it, empty if the fleet did it by itself.
    Column("username", ByteString(1024), nullable=False),
    Column("gateway", ByteString(255), nullable=False),
    Column("detail", Text, nullable=False),
    Index(None, "kernel_id"),
    Index(None, "at"),
)

former_agent = Table(
    "fleet_former_agent",
    gateway_metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("kernel_id", ByteString(36), nullable=False),
    # Encrypted. The kernel was launched again with another agent: this one must end if it lives.
    Column("agent_key", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Index(None, "kernel_id"),
    Index(None, "at"),
)

project_uid = Table(
    "fleet_project_uid",
    gateway_metadata,
    # Or the name of one person in it (`holder_of`).
    Column("project", ByteString(63), primary_key=True),
    Column("uid", Integer, nullable=False),
    UniqueConstraint("uid"),
)

project_member = Table(
    "fleet_project_member",
    gateway_metadata,
    # Everybody who ever had a role in the project, and met a kernel of it.
    Column("username", ByteString(1024), primary_key=True),
    Column("project", ByteString(63), primary_key=True),
)

only_user = Table(
    "fleet_only_user",
    gateway_metadata,
    # One row, of a fleet that serves one user alone: who ran code first.
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("username", ByteString(1024), nullable=False),
)

lock = Table(
    "fleet_lock",
    gateway_metadata,
    # Rows that a transaction locks to be the only one of its kind, at all gateways.
    Column("name", String(32), primary_key=True),
)
