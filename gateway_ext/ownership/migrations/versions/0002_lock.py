"""A row to lock, so that limits hold while several gateways start kernels."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the table and its row, unless an earlier try did."""
    op.create_table(
        "fleet_lock",
        sa.Column("name", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_fleet_lock"),
        if_not_exists=True,
    )
    lock = sa.table("fleet_lock", sa.column("name", sa.String))
    connection = op.get_bind()
    if connection.execute(sa.select(lock.c.name).where(lock.c.name == "starts")).first() is None:
        connection.execute(sa.insert(lock).values(name="starts"))
