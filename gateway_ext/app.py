"""The gateway: Enterprise Gateway with kernels that outlive it."""

import asyncio
import atexit
import errno
import gc
import os
import signal
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

from enterprise_gateway.base.handlers import (  # type: ignore[import-untyped]
    default_handlers as base_handlers,
)
from enterprise_gateway.enterprisegatewayapp import (  # type: ignore[import-untyped]
    EnterpriseGatewayApp,
)
from enterprise_gateway.services.api.handlers import (  # type: ignore[import-untyped]
    default_handlers as api_handlers,
)
from enterprise_gateway.services.kernelspecs.handlers import (  # type: ignore[import-untyped]
    default_handlers as stock_kernelspec_handlers,
)
from jupyter_server.utils import url_path_join
from tornado import httpserver, ioloop
from traitlets import default

from gateway_ext.gateway_options import GatewayOptions
from gateway_ext.kernels.agents.lab_calls import LabCalls
from gateway_ext.kernels.callers import Callers
from gateway_ext.kernels.end_of_idle import end_of_idle
from gateway_ext.kernels.handlers.agent_handler import AgentHandler
from gateway_ext.kernels.handlers.audited_routes import AUDITED
from gateway_ext.kernels.handlers.authentication import require_token
from gateway_ext.kernels.handlers.client_websocket import channel_handlers
from gateway_ext.kernels.handlers.gateway_handlers import gateway_handlers
from gateway_ext.kernels.handlers.kernel_handlers import kernel_handlers
from gateway_ext.kernels.handlers.kernelspec_handler import kernelspec_handlers
from gateway_ext.kernels.handlers.launch_options_handler import launch_options_handlers
from gateway_ext.kernels.handlers.pipe_handler import pipe_handlers
from gateway_ext.kernels.handlers.refused_calls import NothingHere
from gateway_ext.kernels.handlers.relay import Relay
from gateway_ext.kernels.kernel_access import KernelAccess
from gateway_ext.kernels.kernelspecs import FleetKernelSpecManager
from gateway_ext.kernels.manager import FleetMappingKernelManager
from gateway_ext.kernels.revocation_reader import LAB_SECONDS, RevocationReader
from gateway_ext.kernels.run_forever import run_forever
from gateway_ext.kernels.unsent_bytes import UnsentBytes
from gateway_ext.ownership import migrations
from gateway_ext.ownership.encrypted_values import encrypted_values
from gateway_ext.ownership.gateway_records import GatewayRecords
from gateway_ext.ownership.kernel_events import KernelEvents
from gateway_ext.ownership.kernel_records import KernelRecords
from gateway_ext.ownership.launch_records import LaunchRecords
from gateway_ext.ownership.leftovers import Leftovers
from gateway_ext.ownership.lifecycle import Lifecycle
from gateway_ext.ownership.membership import Membership
from gateway_ext.ownership.only_user import OnlyUser
from gateway_ext.ownership.pool_records import PoolRecords
from gateway_ext.ownership.project_members import ProjectMembers
from gateway_ext.ownership.project_uids import ProjectUids
from gateway_ext.ownership.silence_records import SilenceRecords
from gateway_ext.ownership.tables import GATEWAY_VERSION_TABLE
from gateway_ext.process_proxies.cluster_answers import ClusterAnswers
from gateway_ext.process_proxies.kubernetes_cluster import KubernetesCluster
from gateway_ext.process_proxies.yarn_cluster import YarnCluster
from jupyter_ext.audit.audit import SETTING as AUDIT_SETTING
from jupyter_ext.audit.audit import Audit, AuditError
from jupyter_ext.audit.request_log import audited_log
from jupyter_ext.database.engine import Database, DatabaseUnavailable, check
from jupyter_ext.database.migrate import MigrationError, upgrade
from jupyter_ext.database.unavailable import for_operator
from jupyter_ext.kernels.held_messages import HeldMessages
from jupyter_ext.metrics_port import PortRefused, bind, serve
from jupyter_ext.platform.encryption import EncryptionKeysError, SecretBox
from jupyter_ext.platform.rights import Rights
from jupyter_ext.platform.safe_logs import make_logs_safe
from jupyter_ext.platform.tokens import TokenKeysError, TokenVerifier
from jupyter_ext.wire.routes import AGENT_ROUTE, pattern_of

LONGEST_BODY = 16 * 1024 * 1024
PLACES_SECONDS = 1.0


class FleetGatewayApp(GatewayOptions, EnterpriseGatewayApp):
    """One of several interchangeable gateways.

    Everything that must outlive it is in the database; the kernels run next to their agents.
    SIGTERM hands the kernels over to other gateways and ends this one, never a kernel.
    """

    description = "A Jupyter Enterprise Gateway of a fleet: its kernels outlive it."
    classes = [  # noqa: RUF012
        *EnterpriseGatewayApp.classes,
        FleetMappingKernelManager,
        FleetKernelSpecManager,
        KubernetesCluster,
        YarnCluster,
        Audit,
    ]

    @default("kernel_manager_class")
    def _kernel_manager_class_default(self) -> str:
        return "gateway_ext.kernels.manager.FleetMappingKernelManager"

    @default("kernel_spec_manager_class")
    def _kernel_spec_manager_class_default(self) -> str:
        return "gateway_ext.kernels.kernelspecs.FleetKernelSpecManager"

    def init_configurables(self) -> None:
        """Connects to the database and reads the keys; if that fails, logs why and exits with 1."""
        make_logs_safe()
        for name in ("database_url", "token_keys_file", "encryption_keys_file"):
            if not getattr(self, name):
                self._fail(f"FleetGatewayApp.{name} is not set")
        self._tasks: list[asyncio.Task[Any]] = []
        self.lifecycle = Lifecycle()
        self.audit = Audit(parent=self, server_kind="gateway", known_as=self.gateway_name)
        try:
            self.token_verifier = TokenVerifier(Path(self.token_keys_file))
            self.revocation_reader = RevocationReader(
                LabCalls(self.lab_urls, self.service_token_file, 1, LAB_SECONDS),
                self.token_verifier.revocations,
                self.log,
            )
            box = SecretBox(Path(self.encryption_keys_file))
            check(self.database_url)
            self.database = Database(self.database_url)
            upgrade(self.database, Path(migrations.__file__).parent, GATEWAY_VERSION_TABLE)
            self.audit.start()
        except (
            TokenKeysError,
            EncryptionKeysError,
            DatabaseUnavailable,
            MigrationError,
            AuditError,
        ) as error:
            self._fail(for_operator(error))
        self.records = KernelRecords(self.database, box, self.gateway_name)
        self.encrypted_values = encrypted_values(self.database, box)
        self.kernel_events = KernelEvents(self.database, self.gateway_name)
        self.launch_records = LaunchRecords(self.database, self.gateway_name)
        self.pool_records = PoolRecords(self.database, box, self.gateway_name)
        self.silence_records = SilenceRecords(self.database, box, self.gateway_name)
        self.leftovers = Leftovers(self.database, self.gateway_name)
        self.project_uids = ProjectUids(self.database, self.first_uid)
        self.membership = Membership(
            GatewayRecords(self.database, self.gateway_name),
            name=self.gateway_name,
            url=self.gateway_url,
            lifecycle=self.lifecycle,
            heartbeat_seconds=self.heartbeat_seconds,
            living_seconds=self.living_seconds,
            log=self.log,
        )
        super().init_configurables()

    def _fail(self, message: str) -> None:
        self.log.critical("The gateway was not started: %s", message)
        self.exit(1)

    def _create_request_handlers(self) -> list[tuple[Any, ...]]:
        """Our handlers, then those of Enterprise Gateway that make sense in a fleet, which need a
        token. The last one answers 404 to everything else."""
        guarded = [
            (pattern, require_token(handler), *rest)
            for pattern, handler, *rest in (
                *kernelspec_handlers,
                *stock_kernelspec_handlers,
                *api_handlers,
                *(entry for entry in base_handlers if entry[0] == "/api"),
            )
        ]
        handlers = [
            (pattern_of(AGENT_ROUTE), AgentHandler),
            *channel_handlers,
            *kernel_handlers,
            *gateway_handlers,
            *launch_options_handlers,
            *pipe_handlers,
            *guarded,
            (r"/.*", NothingHere),
        ]
        return [(url_path_join("/", self.base_url, pattern), *rest) for pattern, *rest in handlers]

    def init_webapp(self) -> None:
        """The settings of Enterprise Gateway, and those that our handlers need."""
        super().init_webapp()
        self.web_app.log_request = audited_log(
            self.web_app.log_request, self.audit, AUDITED, self.base_url
        )
        self.web_app.settings.update(
            **{AUDIT_SETTING: self.audit},
            fleet_callers=Callers(
                self.token_verifier,
                Rights(self.token_verifier.revocations),
                self.revocation_reader.first_look,
            ),
            fleet_revocation_reader=self.revocation_reader,
            fleet_relay=Relay(),
            fleet_kernel_access=KernelAccess(
                ProjectMembers(self.database),
                self.log,
                OnlyUser(self.database, self.only_user) if self.one_user else None,
            ),
            fleet_encrypted_values=self.encrypted_values,
            fleet_drain_seconds=self.drain_seconds,
            fleet_spread_starts=self.spread_starts,
            fleet_answer_seconds=self.answer_seconds,
            fleet_held_messages=HeldMessages(self.max_held_bytes),
            fleet_unsent_bytes=UnsentBytes(self.max_unsent_bytes, self.max_unsent_bytes_per_person),
            fleet_cluster_answers=ClusterAnswers(
                self.kernel_manager.cluster(KubernetesCluster),
                self.kernel_manager.cluster(YarnCluster),
            ),
        )

    def init_http_server(self) -> None:
        """Listens on the configured port of all its addresses and on no other: labs and agents know
        this one."""
        self.http_server = httpserver.HTTPServer(
            self.web_app,
            xheaders=self.trust_xheaders,
            ssl_options=self._build_ssl_options(),
            max_body_size=LONGEST_BODY,
            max_buffer_size=self.max_message_bytes + LONGEST_BODY,
            idle_connection_timeout=self.request_seconds,
            body_timeout=self.request_seconds,
        )
        for ip in (self.ip, *self.more_ips):
            self._listen(ip)
        try:
            serve(bind(self.metrics_port, self.metrics_ip))
        except PortRefused as error:
            self._fail(str(error))

    def _listen(self, ip: str) -> None:
        try:
            self.http_server.listen(self.port, ip)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                advice = (
                    "another program uses it: stop that program, or set EnterpriseGatewayApp.port"
                )
            else:
                advice = error.strerror or os.strerror(error.errno or 0)
            self._fail(f"port {self.port} of {ip or 'any address'} cannot be used: {advice}")

    def start(self) -> None:
        """Runs until it gets a signal; then hands the kernels over."""
        ioloop.IOLoop.current().add_callback(self._begin)
        if sys.platform != "win32":
            signal.signal(signal.SIGINT, self._signal_stop)
        super().start()

    def _begin(self) -> None:
        manager: FleetMappingKernelManager = self.kernel_manager
        # The present objects are permanent. Garbage collection must not visit them again: it would
        # block the event loop for some 90 ms after every hundred kernels or so.
        gc.collect()
        gc.freeze()

        async def sweep() -> None:
            await manager.lost_kernels.sweep(
                deleted=timedelta(days=self.keep_deleted_days),
                dead=timedelta(seconds=self.keep_dead_seconds),
            )

        self._tasks = [
            asyncio.ensure_future(self.membership.run()),
            asyncio.ensure_future(manager.links.run()),
            asyncio.ensure_future(manager.agent_tickets.run(manager.links)),
            asyncio.ensure_future(self.revocation_reader.run()),
            run_forever(sweep, self.lost_seconds / 3, self.log, "the sweep"),
            run_forever(
                manager.lost_kernels.leave_overtaken,
                self.heartbeat_seconds,
                self.log,
                "the check of epochs",
            ),
            run_forever(
                manager.ended_in_cluster.look,
                self.cluster_seconds,
                self.log,
                "the look at ended applications",
            ),
            asyncio.ensure_future(manager.agent_door.run(self.heartbeat_seconds)),
            asyncio.ensure_future(manager.board.run()),
            run_forever(
                manager.silences.look, self.heartbeat_seconds, self.log, "the check of silences"
            ),
            run_forever(
                manager.lost_restarts.finish,
                self.heartbeat_seconds,
                self.log,
                "restarting unreachable kernels",
            ),
            asyncio.ensure_future(manager.pools.keep()),
            run_forever(
                manager.pools.finish_claims, self.heartbeat_seconds, self.log, "finishing claims"
            ),
            run_forever(manager.launches.show_places, PLACES_SECONDS, self.log, "the line"),
            run_forever(
                manager.abandoned_launches.take_over,
                self.living_seconds / 2,
                self.log,
                "taking over launches",
            ),
        ]
        if self.rebalance_seconds > 0:

            async def rebalance() -> None:
                await manager.hand_overs.rebalance(
                    self.rebalance_after_seconds, self.rebalance_seconds
                )

            self._tasks.append(
                run_forever(rebalance, self.rebalance_seconds, self.log, "balancing the load")
            )
        if manager.cull_idle_timeout > 0:

            async def cull() -> None:
                for record in await manager.cull():
                    self.audit.record(end_of_idle(record))

            interval = max(1.0, float(manager.cull_interval))
            self._tasks.append(run_forever(cull, interval, self.log, "culling"))

    def _signal_stop(self, sig: int, frame: Any) -> None:
        if self.lifecycle.leaving:
            # A second signal: stop at once.
            self.io_loop.add_callback_from_signal(self.io_loop.stop)
            return
        self.lifecycle.leave()
        self.log.info("Received signal %d: handing the kernels to other gateways", sig)
        self.io_loop.add_callback_from_signal(self._leave)

    async def _leave(self) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.drain_seconds
        try:
            await self.kernel_manager.hand_overs.leave(self.drain_seconds)
            for task in self._tasks:
                task.cancel()
            await asyncio.wait_for(self.membership.leave(), max(1.0, deadline - loop.time()))
        except TimeoutError:
            self.log.warning(
                "left without telling the other gateways: the database does not answer"
            )
        except DatabaseUnavailable as error:
            self.log.warning("left without telling the other gateways: %s", error.for_operator)
        except Exception:
            self.log.exception("leaving the fleet failed")
        finally:
            self.http_server.stop()
            # One more iteration of the loop, so that the last frames and responses are sent.
            await asyncio.sleep(0.05)
            self.io_loop.stop()

    def shutdown(self) -> None:
        """Logs the end. Unlike Enterprise Gateway, ends no kernel."""
        self.audit.close()
        self.log.info("The gateway has stopped; its kernels keep running")


def main() -> None:
    """The console script jupyter-fleet-gateway."""
    FleetGatewayApp.launch_instance()
    # Do not wait for threads, which a hanging database can block for another 20 s.
    atexit._run_exitfuncs()
    os._exit(0)


if __name__ == "__main__":
    main()
