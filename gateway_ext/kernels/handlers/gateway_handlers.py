"""REST calls about gateways (docs/protocols.md, "Client to gateway")."""

from tornado import web

from gateway_ext.kernels.handlers.fleet_handler import FleetHandler
from gateway_ext.kernels.handlers.relay import OwnerAway, Relay
from gateway_ext.kernels.kernel_location import kernel_location
from gateway_ext.kernels.refusal import Refusal
from gateway_ext.kernels.revocation_reader import RevocationReader
from gateway_ext.ownership.launch_status import one_line
from gateway_ext.process_proxies.cluster_answers import ClusterAnswers
from jupyter_ext.database.encrypted_columns import EncryptedColumns
from jupyter_ext.wire.routes import (
    CLUSTERS_ROUTE,
    DRAIN_ROUTE,
    ENCRYPTION_ROUTE,
    GATEWAYS_ROUTE,
    LEFTOVERS_ROUTE,
    POOLS_ROUTE,
    REVOCATIONS_ROUTE,
    pattern_of,
)


class DrainHandler(FleetHandler):
    """`/api/fleet/gateways/{name}/drain`: at any gateway, for services."""

    deed = "drain gateways: use `jupyter fleet drain`"

    async def _there(self, name: str) -> bool:
        """Whether another gateway was meant, and has answered."""
        membership = self.manager.membership
        member = next((one for one in membership.members if one.name == name), None)
        if member is None:
            names = ", ".join(one.name for one in membership.members)
            raise Refusal(404, f"no running gateway is called {name!r}: there are {names}")
        if name == membership.name:
            return False
        relay: Relay = self.settings["fleet_relay"]
        try:
            answer = await relay.call(
                member.url,
                self.request.method or "POST",
                self.request.uri or "",
                self.identity.token,
            )
        except OwnerAway as error:
            raise Refusal(503, f"gateway {name} does not answer: {error}") from error
        self.pass_on(answer)
        return True

    async def post(self, name: str) -> None:
        if await self._there(name):
            return
        manager = self.manager
        # Another one may have been drained a moment ago.
        await manager.membership.beat()
        if all(m.draining or m.name == name for m in manager.membership.members):
            raise Refusal(409, f"no other gateway could take the kernels of {name}: start one")
        left = await manager.hand_overs.drain(self.settings["fleet_drain_seconds"])
        self.answer({"name": name, "draining": True, "kernels": left})

    async def delete(self, name: str) -> None:
        if await self._there(name):
            return
        await self.manager.hand_overs.undrain()
        left = len(list(self.manager.links))
        draining = self.manager.membership.draining
        self.answer({"name": name, "draining": draining, "kernels": left})


class GatewaysHandler(FleetHandler):
    """`/api/fleet/gateways`."""

    def get(self) -> None:
        membership = self.manager.membership
        self.answer(
            [
                {
                    "name": member.name,
                    "url": member.url,
                    "kernels": member.kernels,
                    "pooled": member.pooled,
                    "draining": member.draining,
                }
                for member in membership.members
            ]
        )


class LeftoversHandler(FleetHandler):
    """`/api/fleet/leftovers`: for services."""

    deed = "list what is left of deleted kernels"

    async def get(self) -> None:
        left = await self.manager.leftovers.not_ended()
        self.answer(
            [
                {"kernel_id": record.kernel_id, "location": kernel_location(record.process)}
                for record in left
            ]
        )


class PoolsHandler(FleetHandler):
    """`/api/fleet/pools`: for services."""

    deed = "end pools: use `jupyter fleet down`"

    async def delete(self) -> None:
        self.answer({"pooled": await self.manager.pools.stop()})


class ClustersHandler(FleetHandler):
    """`/api/fleet/clusters`: for services."""

    deed = "ask how clusters answer"

    async def get(self) -> None:
        clusters: ClusterAnswers = self.settings["fleet_cluster_answers"]
        self.answer(
            [
                {"name": one.cluster, "state": one.state.value, "message": one_line(one.words)}
                for one in await clusters.all()
            ]
        )


class EncryptionHandler(FleetHandler):
    """`/api/fleet/encryption`: with which keys the secrets of kernels are encrypted; for
    services."""

    deed = "look at keys: use `jupyter fleet secrets`"

    async def get(self) -> None:
        self.answer({"values": await self._values.count()})

    async def post(self) -> None:
        await self._values.renew()
        await self.get()

    @property
    def _values(self) -> EncryptedColumns:
        values: EncryptedColumns = self.settings["fleet_encrypted_values"]
        return values


class RevocationsHandler(FleetHandler):
    """`/api/fleet/revocations`: for services."""

    deed = "ask whether revocations are read"

    def get(self) -> None:
        reader: RevocationReader = self.settings["fleet_revocation_reader"]
        self.answer(reader.state())


gateway_handlers: list[tuple[str, type[web.RequestHandler]]] = [
    (pattern_of(GATEWAYS_ROUTE), GatewaysHandler),
    (pattern_of(DRAIN_ROUTE), DrainHandler),
    (pattern_of(LEFTOVERS_ROUTE), LeftoversHandler),
    (pattern_of(CLUSTERS_ROUTE), ClustersHandler),
    (pattern_of(POOLS_ROUTE), PoolsHandler),
    (pattern_of(ENCRYPTION_ROUTE), EncryptionHandler),
    (pattern_of(REVOCATIONS_ROUTE), RevocationsHandler),
]
