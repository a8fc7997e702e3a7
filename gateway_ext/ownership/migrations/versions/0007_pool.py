"""Kernels that are started before anybody asks for them."""

import sqlalchemy as sa
from alembic import op

from jupyter_ext.database.types import ByteString

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_TABLE = "fleet_kernel"


def upgrade() -> None:
    """Adds columns, indexes and the row to lock, unless an earlier try did."""
    inspector = sa.inspect(op.get_bind())
    columns = {column["name"] for column in inspector.get_columns(_TABLE)}
    indexes = {index["name"] for index in inspector.get_indexes(_TABLE)}
    for column in (
        sa.Column("launch_id", ByteString(36), nullable=True),
        sa.Column("pool", sa.String(64), nullable=True),
    ):
        if column.name not in columns:
            op.add_column(_TABLE, column)
    for name, unique in (("launch_id", True), ("pool", False)):
        if f"ix_{_TABLE}_{name}" not in indexes:
            op.create_index(f"ix_{_TABLE}_{name}", _TABLE, [name], unique=unique)
    lock = sa.table("fleet_lock", sa.column("name", sa.String))
    connection = op.get_bind()
    if connection.execute(sa.select(lock.c.name).where(lock.c.name == "pool")).first() is None:
        connection.execute(sa.insert(lock).values(name="pool"))
