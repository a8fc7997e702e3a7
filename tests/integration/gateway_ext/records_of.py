"""What running gateways write, for a test that writes it in their place."""

from datetime import UTC, datetime

from gateway_ext.ownership.kernel_records import KernelRecords
from gateway_ext.ownership.launch_records import LaunchRecords
from gateway_ext.ownership.launch_status import LaunchPhase, begun_status
from gateway_ext.ownership.new_kernel import NewKernel
from gateway_ext.ownership.project_uids import ProjectUids
from jupyter_ext.database.engine import Database
from jupyter_ext.platform.encryption import SecretBox
from tests.integration.gateway_ext.fleet_of_gateways import Gateways


def records_as(gateways: Gateways, name: str) -> KernelRecords:
    """The records, as the gateway of that name writes them."""
    box = SecretBox(gateways.directory / "encryption.json")
    return KernelRecords(Database(gateways.database_url), box, name)


async def write_launched(gateways: Gateways, name: str, new: NewKernel, agent_key: bytes) -> None:
    """Writes the record of a kernel whose agent the gateway of that name has started, and which has
    not connected yet: no gateway starts another one."""
    record = await records_as(gateways, name).insert_launching(new, agent_key)
    assert record is not None
    now = datetime.now(UTC)
    status = begun_status(now).after(LaunchPhase.CONNECTING, "", None, now)
    launches = LaunchRecords(Database(gateways.database_url), name)
    await launches.write({new.kernel_id: (record.epoch, status)})


def project_uids(gateways: Gateways) -> ProjectUids:
    """The user ids of the gateways' projects."""
    return ProjectUids(Database(gateways.database_url))
