"""How far a launch is, for whoever looks at the kernel."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the column, unless an earlier try did."""
    columns = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("fleet_kernel")}
    if "launch_status" not in columns:
        op.add_column("fleet_kernel", sa.Column("launch_status", sa.JSON, nullable=True))
