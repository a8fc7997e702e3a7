"""What running gateways write, for a test that writes it in their place."""

from gateway_ext.ownership.kernel_records import KernelRecords
from gateway_ext.ownership.project_uids import ProjectUids
from jupyter_ext.database.engine import Database
from jupyter_ext.platform.encryption import SecretBox
from tests.integration.gateway_ext.fleet_of_gateways import Gateways


def records_as(gateways: Gateways, name: str) -> KernelRecords:
    """The records, as the gateway of that name writes them."""
    box = SecretBox(gateways.directory / "encryption.json")
    return KernelRecords(Database(gateways.database_url), box, name)


def project_uids(gateways: Gateways) -> ProjectUids:
    """The user ids of the gateways' projects."""
    return ProjectUids(Database(gateways.database_url))
