"""The list of gateways."""

from datetime import timedelta

from sqlalchemy import Connection, case, delete, func, insert, select, update

from gateway_ext.ownership.records import Member
from gateway_ext.ownership.states import KernelState
from gateway_ext.ownership.tables import gateway, kernel
from jupyter_ext.database.engine import Database, now_utc


class GatewayRecords:
    """The gateways and their heartbeats, for the gateway called `name`.

    Every method raises DatabaseUnavailable while the database is away.
    """

    def __init__(self, database: Database, name: str) -> None:
        self._database = database
        self._name = name

    async def heartbeat(self, url: str, *, draining: bool) -> None:
        """Records a heartbeat of this gateway, with the database's time."""

        def transaction(connection: Connection) -> None:
            values = {"url": url, "heartbeat": now_utc(connection), "draining": draining}
            changed = connection.execute(
                update(gateway).where(gateway.c.name == self._name).values(**values)
            ).rowcount
            if not changed:
                connection.execute(insert(gateway).values(name=self._name, **values))

        await self._database.run(transaction)

    async def leave(self) -> None:
        """Takes this gateway off the list."""

        def transaction(connection: Connection) -> None:
            connection.execute(delete(gateway).where(gateway.c.name == self._name))

        await self._database.run(transaction)

    async def members(self, living: timedelta) -> list[Member]:
        """The gateways with a heartbeat within `living`, by name."""

        def transaction(connection: Connection) -> list[Member]:
            now = now_utc(connection)
            owned = (
                select(
                    kernel.c.owner,
                    func.sum(case((kernel.c.pool.is_(None), 1), else_=0)).label("kernels"),
                    func.sum(case((kernel.c.pool.is_(None), 0), else_=1)).label("pooled"),
                )
                .where(kernel.c.state != KernelState.DELETED.value, kernel.c.owner.is_not(None))
                .group_by(kernel.c.owner)
                .subquery()
            )
            rows = connection.execute(
                select(
                    gateway.c.name,
                    gateway.c.url,
                    gateway.c.draining,
                    func.coalesce(owned.c.kernels, 0),
                    func.coalesce(owned.c.pooled, 0),
                )
                .join_from(gateway, owned, owned.c.owner == gateway.c.name, isouter=True)
                .where(gateway.c.heartbeat > now - living)
                .order_by(gateway.c.name)
            )
            # MySQL's sums are decimals.
            return [
                Member(name, url, draining, int(kernels), int(pooled))
                for name, url, draining, kernels, pooled in rows
            ]

        return await self._database.run(transaction, read_only=True)
