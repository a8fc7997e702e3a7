"""What the records of kernels say of their launches."""

from collections.abc import Mapping
from datetime import timedelta

from sqlalchemy import Connection, select, update

from gateway_ext.ownership.kernel_rows import PUBLIC, record_of
from gateway_ext.ownership.launch_status import LaunchStatus, stored_status
from gateway_ext.ownership.records import KernelRecord
from gateway_ext.ownership.states import KernelState
from gateway_ext.ownership.tables import gateway, kernel
from jupyter_ext.database.engine import Database, now_utc


class LaunchRecords:
    """The launches of all gateways, for the gateway called `name`.

    Every method raises DatabaseUnavailable while the database is away.
    """

    def __init__(self, database: Database, name: str) -> None:
        self._database = database
        self._name = name

    async def write(self, statuses: Mapping[str, tuple[int, LaunchStatus]]) -> None:
        """Records how far this gateway's launches are: by kernel the epoch and the status. Only of
        kernels that are still being launched with that epoch, and were not given up."""

        def transaction(connection: Connection) -> None:
            rows = connection.execute(
                select(kernel.c.kernel_id, kernel.c.epoch, kernel.c.launch_status)
                .where(
                    kernel.c.kernel_id.in_(statuses),
                    kernel.c.owner == self._name,
                    kernel.c.state == KernelState.LAUNCHING.value,
                )
                .order_by(kernel.c.kernel_id)
                .with_for_update()
            ).all()
            for row in rows:
                epoch, status = statuses[row.kernel_id]
                before = stored_status(row.launch_status)
                if row.epoch != epoch or (before is not None and before.given_up):
                    continue
                connection.execute(
                    update(kernel)
                    .where(kernel.c.kernel_id == row.kernel_id)
                    .values(launch_status=status.stored())
                )

        if statuses:
            await self._database.run(transaction)

    async def abandoned(self, dead_for: timedelta) -> list[KernelRecord]:
        """Kernels that are being launched, but not by a gateway that has reported within this time,
        or by this one, which may have ended meanwhile and been started again."""

        def transaction(connection: Connection) -> list[KernelRecord]:
            now = now_utc(connection)
            living = select(gateway.c.name).where(gateway.c.heartbeat > now - dead_for)
            rows = connection.execute(
                select(*PUBLIC).where(
                    kernel.c.state == KernelState.LAUNCHING.value,
                    kernel.c.changed < now - dead_for,
                    (kernel.c.owner == self._name) | kernel.c.owner.not_in(living),
                )
            )
            return [record_of(row) for row in rows]

        return await self._database.run(transaction, read_only=True)
