"""The records of running gateways, for a test that writes what a gateway would write."""

from gateway_ext.ownership.records import Records
from jupyter_ext.database.engine import Database
from jupyter_ext.platform.encryption import SecretBox
from tests.integration.gateway_ext.fleet_of_gateways import Gateways


def records_as(gateways: Gateways, name: str) -> Records:
    """The records, as the gateway of that name writes them."""
    box = SecretBox(gateways.directory / "encryption.json")
    return Records(Database(gateways.database_url), box, name)
