"""The gateway: Enterprise Gateway with kernels that outlive it."""

import asyncio
import atexit
import errno
import gc
import os
import signal
import socket
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
from jupyter_core.paths import jupyter_data_dir
from jupyter_server.utils import url_path_join
from tornado import httpserver, ioloop
from traitlets import Bool, Float, Integer, List, Unicode, default

from gateway_ext.kernels.calls.call_table import CALLS
from gateway_ext.kernels.handlers.agent_handler import AgentHandler
from gateway_ext.kernels.handlers.authentication import require_token
from gateway_ext.kernels.handlers.client_websocket import channel_handlers
from gateway_ext.kernels.handlers.gateway_handlers import gateway_handlers
from gateway_ext.kernels.handlers.kernel_handlers import kernel_handlers
from gateway_ext.kernels.handlers.kernelspec_handler import kernelspec_handlers
from gateway_ext.kernels.handlers.launch_options_handler import launch_options_handlers
from gateway_ext.kernels.handlers.relay import Relay
from gateway_ext.kernels.kernelspecs import FleetKernelSpecManager
from gateway_ext.kernels.manager import FleetMappingKernelManager
from gateway_ext.kernels.processors import processors
from gateway_ext.kernels.run_forever import run_forever
from gateway_ext.ownership import migrations
from gateway_ext.ownership.gateway_records import GatewayRecords
from gateway_ext.ownership.kernel_events import KernelEvents
from gateway_ext.ownership.kernel_records import KernelRecords
from gateway_ext.ownership.launch_records import LaunchRecords
from gateway_ext.ownership.leftovers import Leftovers
from gateway_ext.ownership.lifecycle import Lifecycle
from gateway_ext.ownership.membership import Membership
from gateway_ext.ownership.pool_records import PoolRecords
from gateway_ext.ownership.project_uids import FIRST_UID, ProjectUids
from gateway_ext.ownership.silence_records import SilenceRecords
from gateway_ext.ownership.tables import GATEWAY_VERSION_TABLE
from gateway_ext.process_proxies.cluster_answers import ClusterAnswers
from gateway_ext.process_proxies.kubernetes_cluster import KubernetesCluster
from gateway_ext.process_proxies.yarn_cluster import YarnCluster
from jupyter_ext.database.engine import Database, DatabaseUnavailable, check
from jupyter_ext.database.migrate import MigrationError, upgrade
from jupyter_ext.database.unavailable import for_operator
from jupyter_ext.kernels.held_messages import HeldMessages
from jupyter_ext.platform.encryption import EncryptionKeysError, SecretBox
from jupyter_ext.platform.safe_logs import make_logs_safe
from jupyter_ext.platform.tokens import TokenKeysError, TokenVerifier
from jupyter_ext.wire.routes import AGENT_ROUTE, pattern_of

LONGEST_BODY = 16 * 1024 * 1024
PLACES_SECONDS = 1.0


class FleetGatewayApp(EnterpriseGatewayApp):
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
    ]

    database_url = Unicode(
        help="Where kernel records are kept: sqlite:////absolute/path or "
        "mysql://user:password@host:port/database. All gateways of a fleet share it."
    ).tag(config=True)
    gateway_url = Unicode(
        help="How labs, agents and the other gateways reach this one, for example "
        "http://gateway-1:8888. The default is http://127.0.0.1:PORT."
    ).tag(config=True)
    more_ips = List(
        Unicode(),
        help="Addresses or names of this machine on which the gateway listens in addition to `ip`, "
        "on the same port: for example the one by which clusters reach it.",
    ).tag(config=True)
    gateway_name = Unicode(
        help="The name of this gateway, different from that of every other. The default is "
        "HOST-PORT; use the same name again when you restart a gateway."
    ).tag(config=True)
    token_keys_file = Unicode(
        help="The platform's public keys, a JWKS file. Read again when it changes."
    ).tag(config=True)
    encryption_keys_file = Unicode(
        help="The keys that encrypt secrets in the database. All gateways share them."
    ).tag(config=True)
    kernels_dir = Unicode(
        help="The folder of local kernels: a home for each project, a folder for each kernel, "
        "logs. Keep the path short. If root runs the gateway, other users must be able "
        "to reach it."
    ).tag(config=True)
    agent_command = List(
        Unicode(),
        help="The command that starts an agent. If empty: the program of the kernelspec's argv "
        "with '-m gateway_ext.agent', which fits kernelspecs for Python.",
    ).tag(config=True)
    fork_servers = Integer(
        4,
        min=0,
        help="How many fork servers are kept (about 80 MB each), for the projects that used "
        "theirs most recently; 0 for none. Agents of local kernels are forked from such a "
        "process, one for each project and environment, whose imports are done: kernels then "
        "start in a fraction of the time.",
    ).tag(config=True)
    fork_server_seconds = Float(
        600.0, help="After how many seconds without a new kernel a fork server ends."
    ).tag(config=True)
    kernel_memory = Integer(
        0,
        min=0,
        help="How much memory a kernel on this machine may use together with what it starts, "
        "in bytes; 0 for no limit. A kernel that uses more is ended with the reason, and "
        "restarted. A memory cgroup enforces this if the gateway can create one, "
        "otherwise the kernel's agent.",
    ).tag(config=True)
    launch_policy_file = Unicode(
        help="A JSON file that says, for each project, what of the launch options of kernelspecs "
        "it may choose (deploy/README.md). Read again when it changes; a file that is wrong is "
        "reported in the log, and the last good one stays in use. By default every project may "
        "choose what kernelspecs offer."
    ).tag(config=True)
    memory_cgroup = Unicode(
        help="The cgroup below which kernels get theirs, for example /sys/fs/cgroup/fleet. It "
        "must be writable for the gateway, have no processes, and delegate the memory "
        "controller (cgroup.subtree_control). The default is the gateway's own, with "
        "cgroups of version 1; with version 2 there is none."
    ).tag(config=True)
    first_uid = Integer(
        FIRST_UID,
        min=1,
        help="As root, the user id of the first project's kernels; later projects get the next "
        "ones. Give fleets that share a machine ids far apart: kernels of one id can read each "
        "other's files. Projects that have an id keep it.",
    ).tag(config=True)
    ping_seconds = Float(1.0, help="How often gateways and agents ping each other.").tag(
        config=True
    )
    ping_timeout = Float(
        5.0, help="After how many silent seconds the other end counts as disconnected."
    ).tag(config=True)
    orphan_seconds = Float(
        7 * 24 * 3600.0,
        help="How long an agent keeps its kernel while it reaches no gateway, in seconds.",
    ).tag(config=True)
    journal_bytes = Integer(
        64 * 1024 * 1024,
        help="How many bytes of a kernel's output its agent keeps for clients that reconnect.",
    ).tag(config=True)
    max_message_bytes = Integer(
        1025 * 1024 * 1024,
        help="The longest kernel message that is relayed, in bytes. Not less than what agents "
        "send: the agent would resend it again and again.",
    ).tag(config=True)
    max_held_bytes = Integer(
        1025 * 1024 * 1024,
        min=1024 * 1024,
        help="How many bytes clients that are no labs may together send to kernels that are being "
        "launched or have no owner. When there are more, the client that has sent the most is "
        "disconnected.",
    ).tag(config=True)
    drain_seconds = Float(
        10.0,
        help="How many seconds a gateway that is told to stop waits for other gateways to "
        "take over its kernels, and before that, for at most half of this time, for the "
        "kernels that it is starting.",
    ).tag(config=True)
    claims_per_second = Float(
        50.0,
        help="How many kernels this gateway takes over per second when another one has ended. "
        "Agents wait up to 5 s for their turn, or connect to another gateway.",
    ).tag(config=True)
    unproven_agents = Integer(
        256,
        min=2,
        help="How many connections may be open that have not yet proved which kernel's agent "
        "they belong to; half of these places are reserved for kernels that exist. "
        "Further connections are rejected, and agents retry. Agents prove it when they "
        "connect and need no place, unless they are older, or their clock is more than "
        "60 s off.",
    ).tag(config=True)
    kernel_calls = List(
        Unicode(),
        help="What code in kernels may ask of the fleet, by the names of the calls "
        "(docs/protocols.md). The default is every call that this gateway knows; an empty list "
        "allows none.",
    ).tag(config=True)
    kernel_calls_per_second = Float(
        10.0,
        min=0.1,
        help="How many such calls each kernel may make per second, apart from short bursts. "
        "Further calls are rejected (429).",
    ).tag(config=True)
    request_seconds = Float(
        60.0,
        help="How long a client may take to send a request: first its headers, or to start "
        "the next one on the same connection, then its body.",
    ).tag(config=True)
    spread_starts = Bool(
        True,
        help="Whether a new kernel is started by the gateway that has the fewest. If not, the "
        "gateway that was asked starts it.",
    ).tag(config=True)
    rebalance_seconds = Float(
        5.0,
        help="How often the gateway with the most kernels hands one that is idle to the gateway "
        "with the fewest, until they are even; 0 for never. Kernels that run a cell stay.",
    ).tag(config=True)
    rebalance_after_seconds = Float(
        30.0,
        help="For how many seconds after a gateway has joined, left or drained no kernel is handed "
        "over to balance the load: nothing moves during a rolling restart.",
    ).tag(config=True)
    pooled_kernels = Integer(
        20,
        min=0,
        help="How many kernels at most wait in pools, of all kernelspecs together "
        "(metadata.fleet.pool in their kernel.json says how many of each). 0 for no pools.",
    ).tag(config=True)
    heartbeat_seconds = Float(
        2.0, help="How often, in seconds, a gateway reports that it is alive."
    ).tag(config=True)
    living_seconds = Float(
        8.0, help="A gateway that has not reported for so many seconds counts as dead."
    ).tag(config=True)
    unreachable_seconds = Float(
        10.0,
        help="After how many seconds of silence of its agent a kernel is shown as unreachable; not "
        "less than ping_timeout. If its gateway has ended, at the earliest three seconds after "
        "living_seconds: agents look for another gateway first.",
    ).tag(config=True)
    lost_seconds = Float(
        30.0,
        help="After how many seconds without an owner a kernel is checked: if its agent's "
        "process is known to have ended, the kernel is marked as dead.",
    ).tag(config=True)
    cluster_seconds = Float(
        30.0,
        help="How often a cluster is asked whether it has ended kernels whose agents are still "
        "connected. Only YARN can do that.",
    ).tag(config=True)
    concurrent_launches = Integer(
        min=1,
        help="How many kernels this gateway starts on its own machine at the same time; "
        "others wait for their turn, up to 3 s for each slow one. Projects take turns, and "
        "one project starts at most one fewer than this. The default is three "
        "for each processor (of the container's limit, if that is less): with more, all "
        "other requests to the gateway take longer, and the last kernel starts no sooner.",
    ).tag(config=True)
    launch_seconds = Float(
        600.0,
        help="How many seconds a kernel may take to start once it has its turn on this machine, "
        "or room in its cluster: its image is pulled, its container made, its process started.",
    ).tag(config=True)
    queue_seconds = Float(
        3600.0,
        help="How many seconds a kernel may wait for its turn, or for room in its cluster.",
    ).tag(config=True)
    answer_seconds = Float(
        60.0,
        help="How many seconds a client that starts a kernel waits for the response, unless it "
        "sets KERNEL_LAUNCH_TIMEOUT or wants none. Then it gets 503 with the kernel's id, the "
        "kernel goes on starting, and the same request waits for it.",
    ).tag(config=True)
    keep_dead_seconds = Float(
        3600.0, help="How long kernels that died, or could not be started, stay in the list."
    ).tag(config=True)
    keep_deleted_days = Float(
        14.0, help="How long deleted kernels are remembered, to tell agents that come back."
    ).tag(config=True)

    @default("concurrent_launches")
    def _concurrent_launches_default(self) -> int:
        return 3 * processors()

    @default("kernel_calls")
    def _kernel_calls_default(self) -> list[str]:
        return list(CALLS)

    @default("gateway_url")
    def _gateway_url_default(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @default("gateway_name")
    def _gateway_name_default(self) -> str:
        return f"{socket.gethostname()}-{self.port}"

    @default("kernels_dir")
    def _kernels_dir_default(self) -> str:
        return str(Path(jupyter_data_dir()) / "fleet-kernels")

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
        try:
            self.token_verifier = TokenVerifier(Path(self.token_keys_file))
            box = SecretBox(Path(self.encryption_keys_file))
            check(self.database_url)
            self.database = Database(self.database_url)
            upgrade(self.database, Path(migrations.__file__).parent, GATEWAY_VERSION_TABLE)
        except (
            TokenKeysError,
            EncryptionKeysError,
            DatabaseUnavailable,
            MigrationError,
        ) as error:
            self._fail(for_operator(error))
        self.records = KernelRecords(self.database, box, self.gateway_name)
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
        not_found = [entry for entry in base_handlers if entry[0] != "/api"]
        handlers = [
            (pattern_of(AGENT_ROUTE), AgentHandler),
            *channel_handlers,
            *kernel_handlers,
            *gateway_handlers,
            *launch_options_handlers,
            *guarded,
            *not_found,
        ]
        return [(url_path_join("/", self.base_url, pattern), *rest) for pattern, *rest in handlers]

    def init_webapp(self) -> None:
        """The settings of Enterprise Gateway, and those that our handlers need."""
        super().init_webapp()
        self.web_app.settings.update(
            fleet_token_verifier=self.token_verifier,
            fleet_relay=Relay(),
            fleet_drain_seconds=self.drain_seconds,
            fleet_spread_starts=self.spread_starts,
            fleet_answer_seconds=self.answer_seconds,
            fleet_held_messages=HeldMessages(self.max_held_bytes),
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
            interval = max(1.0, float(manager.cull_interval))
            self._tasks.append(run_forever(manager.cull, interval, self.log, "culling"))

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
        self.log.info("The gateway has stopped; its kernels keep running")


def main() -> None:
    """The console script jupyter-fleet-gateway."""
    FleetGatewayApp.launch_instance()
    # Do not wait for threads, which a hanging database can block for another 20 s.
    atexit._run_exitfuncs()
    os._exit(0)


if __name__ == "__main__":
    main()
