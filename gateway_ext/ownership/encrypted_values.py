"""What gateways keep encrypted, for a rotation of its keys."""

from gateway_ext.ownership.tables import former_agent, kernel
from jupyter_ext.database.encrypted_columns import EncryptedColumns
from jupyter_ext.database.engine import Database
from jupyter_ext.platform.encryption import SecretBox


def encrypted_values(database: Database, box: SecretBox) -> EncryptedColumns:
    """Keys of agents, those of former agents as well, and what launches need."""
    columns = [kernel.c.agent_key, kernel.c.launch, former_agent.c.agent_key]
    return EncryptedColumns(database, columns, box)
