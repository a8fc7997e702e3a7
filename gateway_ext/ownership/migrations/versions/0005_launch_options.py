"""The launch options of a kernel without secrets, for whoever looks at the kernel."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the column, unless an earlier try did."""
    columns = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("fleet_kernel")}
    if "launch_options" not in columns:
        op.add_column("fleet_kernel", sa.Column("launch_options", sa.JSON, nullable=True))
