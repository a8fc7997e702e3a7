"""How long a kernel's agent has been silent, and who waits for a restart."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the column, unless an earlier try did."""
    columns = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("fleet_kernel")}
    if "silence" not in columns:
        op.add_column("fleet_kernel", sa.Column("silence", sa.JSON, nullable=True))
