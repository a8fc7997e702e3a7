"""The kernels of this gateway: finding and starting them, and acting on them."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from enterprise_gateway.services.kernels.remotemanager import (  # type: ignore[import-untyped]
    RemoteMappingKernelManager,
)
from jupyter_client.kernelspec import NATIVE_KERNEL_NAME  # type: ignore[import-untyped]
from traitlets import Float, default
from traitlets.config import LoggingConfigurable

from gateway_ext.kernels.agent_settings import agent_settings
from gateway_ext.kernels.agents.agent_door import AgentDoor
from gateway_ext.kernels.agents.agent_link import AgentLink, CommandFailed, LinkLost
from gateway_ext.kernels.agents.agent_tickets import TICKETS_AT_ONCE, AgentTickets
from gateway_ext.kernels.agents.claim_pace import ClaimPace
from gateway_ext.kernels.agents.kept_journals import KeptJournals
from gateway_ext.kernels.agents.lab_calls import LabCalls
from gateway_ext.kernels.agents.links import AgentLinks
from gateway_ext.kernels.agents.pipes import PipeRoom
from gateway_ext.kernels.background_tasks import BackgroundTasks
from gateway_ext.kernels.calls.call_table import CALLS
from gateway_ext.kernels.calls.kernel_calls import KernelCalls
from gateway_ext.kernels.client_room import ClientRoom
from gateway_ext.kernels.kernel_model import kernel_model
from gateway_ext.kernels.kernel_starts import KernelStarts
from gateway_ext.kernels.kernelspecs import meant_kernelspec
from gateway_ext.kernels.launch_rules import LaunchRules
from gateway_ext.kernels.lifecycle.abandoned_launches import AbandonedLaunches
from gateway_ext.kernels.lifecycle.agent_processes import AgentProcesses
from gateway_ext.kernels.lifecycle.ended_in_cluster import EndedInCluster
from gateway_ext.kernels.lifecycle.hand_overs import HandOvers, OpenWebsocket
from gateway_ext.kernels.lifecycle.kernel_care import GatewayKernels
from gateway_ext.kernels.lifecycle.kernel_ends import KernelEnds
from gateway_ext.kernels.lifecycle.launch_board import LaunchBoard
from gateway_ext.kernels.lifecycle.launch_watch import LaunchWatch
from gateway_ext.kernels.lifecycle.launches import Launches
from gateway_ext.kernels.lifecycle.lost_kernels import LostKernels
from gateway_ext.kernels.lifecycle.lost_restarts import LostRestarts
from gateway_ext.kernels.lifecycle.pools import Pools
from gateway_ext.kernels.lifecycle.silences import Silences
from gateway_ext.kernels.place import Place, place_here, place_of
from gateway_ext.kernels.refusal import AgentLeft, Refusal, owner_unknown, unknown_kernel
from gateway_ext.ownership.culling import CullRules
from gateway_ext.ownership.kernel_events import KernelEvents
from gateway_ext.ownership.kernel_records import KernelRecords
from gateway_ext.ownership.leftovers import Leftovers
from gateway_ext.ownership.lifecycle import Lifecycle
from gateway_ext.ownership.membership import Membership
from gateway_ext.ownership.new_kernel import NewKernel
from gateway_ext.ownership.records import KernelRecord, living_owner
from gateway_ext.ownership.start_limits import Limits
from gateway_ext.ownership.states import KernelState
from jupyter_ext.database.engine import DatabaseUnavailable

ClusterT = TypeVar("ClusterT", bound=LoggingConfigurable)

INTERRUPT_SECONDS = 10.0
RESTART_SECONDS = 120.0
LEAVING_SECONDS = 3.0
"""How long an agent that has refused a restart may take to leave."""
LONGEST_CLAIM_WAIT = 5.0


class FleetMappingKernelManager(RemoteMappingKernelManager):
    """The kernels whose agents are connected to this gateway.

    Takes the place of Enterprise Gateway's manager, whose dictionary of kernels stays empty: what
    outlives this process is in `records`, what does not is in `links`.
    """

    cull_warning_seconds = Float(
        600.0,
        help="How many seconds before an idle kernel is ended its page warns and offers to "
        "keep it.",
    ).tag(config=True)

    @default("default_kernel_name")
    def _existing_kernel_name(self) -> str:
        """jupyter_client's own default is a kernelspec that gateways of a fleet do not have."""
        names = sorted(self.kernel_spec_manager.find_kernel_specs())
        return NATIVE_KERNEL_NAME if NATIVE_KERNEL_NAME in names or not names else names[0]

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        app = self.parent
        self.records: KernelRecords = app.records
        self.events: KernelEvents = app.kernel_events
        self.leftovers: Leftovers = app.leftovers
        self.membership: Membership = app.membership
        self.lifecycle: Lifecycle = app.lifecycle
        self.agent_settings = agent_settings(app, self.log)
        self.launch_rules = LaunchRules(app.launch_policy_file, app.kernel_memory, self.log)
        self.ping_seconds: float = app.ping_seconds
        self.ping_timeout: float = app.ping_timeout
        self.max_message_bytes: int = app.max_message_bytes
        self.lost_seconds: float = app.lost_seconds
        self.launch_seconds: float = app.launch_seconds
        self.claim_pace = ClaimPace(app.claims_per_second, LONGEST_CLAIM_WAIT)
        self.agent_door = AgentDoor(
            self.records.agents,
            places=app.unproven_agents,
            answer_seconds=self.ping_timeout,
            log=self.log,
        )
        self.links = AgentLinks(self.records, self.log)
        self.calls = KernelCalls(
            CALLS,
            records=self.records,
            allowed=app.kernel_calls,
            per_second=app.kernel_calls_per_second,
            log=self.log,
        )
        self.kept_journals = KeptJournals(app.lab_urls, app.service_token_file, self.log)
        self.lab_calls = LabCalls(app.lab_urls, app.service_token_file, TICKETS_AT_ONCE)
        self.agent_tickets = AgentTickets(self.lab_calls, app.kernel_lab_urls, self.log)
        self.pipe_room = PipeRoom(app.max_pipes, app.max_pipe_bytes)
        self.websockets: set[OpenWebsocket] = set()
        self.client_room = ClientRoom()
        self.board = LaunchBoard(app.launch_records, self.log)
        self.links.on_added = self._agent_connected
        processes = AgentProcesses(
            self,
            records=self.records,
            uids=app.project_uids,
            membership=self.membership,
            links=self.links,
            settings=self.agent_settings,
            seconds=self.launch_seconds,
            log=self.log,
        )
        self.launches = Launches(
            processes,
            records=self.records,
            membership=self.membership,
            links=self.links,
            board=self.board,
            watch=LaunchWatch(
                records=self.records,
                links=self.links,
                board=self.board,
                name=self.membership.name,
                launch_seconds=self.launch_seconds,
                queue_seconds=app.queue_seconds,
            ),
            settings=self.agent_settings,
            at_once=app.concurrent_launches,
            log=self.log,
        )
        self._clusters: dict[type[LoggingConfigurable], LoggingConfigurable] = {}
        self._background = BackgroundTasks(self.log)
        kernels = GatewayKernels(self.records, self.launches, self.links, self.log)
        self.ends = KernelEnds(kernels)
        self.silences = Silences(
            app.silence_records,
            self.links,
            unreachable_seconds=max(app.unreachable_seconds, self.ping_timeout),
            living_seconds=app.living_seconds,
            log=self.log,
        )
        self.abandoned_launches = AbandonedLaunches(
            kernels,
            launch_records=app.launch_records,
            membership=self.membership,
            living_seconds=app.living_seconds,
        )
        self.lost_kernels = LostKernels(
            kernels,
            leftovers=self.leftovers,
            abandoned=self.abandoned_launches,
            ends=self.ends,
            silences=self.silences,
            gateway_name=self.membership.name,
            ping_seconds=self.ping_seconds,
            lost_seconds=self.lost_seconds,
        )
        self.pools = Pools(
            kernels,
            pool_records=app.pool_records,
            specs=self.kernel_spec_manager,
            decided=self.launch_rules.decided_for_pool,
            ends=self.ends,
            door=self.agent_door,
            membership=self.membership,
            settings=self.agent_settings,
            limit=app.pooled_kernels,
            living_seconds=app.living_seconds,
            seconds=app.heartbeat_seconds,
        )
        self._starts = KernelStarts(
            records=self.records,
            membership=self.membership,
            rules=self.launch_rules,
            launches=self.launches,
            links=self.links,
            board=self.board,
            door=self.agent_door,
            pools=self.pools,
            limits=lambda: self.limits,
            find=self.record,
        )
        self.lost_restarts = LostRestarts(
            kernels,
            silence_records=app.silence_records,
            membership=self.membership,
            start_again=self._starts.again,
            living_seconds=app.living_seconds,
        )
        self.ended_in_cluster = EndedInCluster(kernels)
        self.hand_overs = HandOvers(
            lifecycle=self.lifecycle,
            membership=self.membership,
            launches=self.launches,
            links=self.links,
            websockets=self.websockets,
            log=self.log,
        )
        self.membership.on_change = self.hand_overs.announce_gateways
        self._begun = datetime.now(UTC)

    def _agent_connected(self, link: AgentLink) -> None:
        self.board.connected(link)
        self.pools.connected(link)
        self.agent_tickets.connected(link)

    def cluster(self, kind: type[ClusterT]) -> ClusterT:
        """The cluster of that kind, as this gateway's configuration describes it."""
        if kind not in self._clusters:
            self._clusters[kind] = kind(parent=self.parent)
        cluster = self._clusters[kind]
        assert isinstance(cluster, kind)  # noqa: S101 - for the type checker
        return cluster

    @property
    def limits(self) -> Limits:
        """How many kernels there may be; Enterprise Gateway reads them anew when they change."""
        per_user = self.parent.max_kernels_per_user
        return Limits(self.parent.max_kernels, per_user if per_user >= 0 else None)

    @property
    def cull_rules(self) -> CullRules:
        """When idle kernels are ended."""
        return CullRules(
            self.cull_idle_timeout,
            self.cull_connected,
            self.cull_busy,
            self.cull_warning_seconds,
            self._begun,
        )

    def takes(self, kernel_id: str) -> bool:
        """Whether the kernel's agent is let in: if this gateway waits for it before it leaves, even
        while all others are sent away."""
        return self.membership.takes_kernels or self.launches.awaits(kernel_id)

    # Finding

    async def place(self, kernel_id: str) -> Place:
        """Where the kernel is now. Raises Refusal (404) if it does not exist, and
        DatabaseUnavailable unless its agent is connected here."""
        link = self.links.get(kernel_id)
        if link is not None and link.pooled:
            raise unknown_kernel(kernel_id)
        if link is not None:
            return place_here(link)
        record = await self.record(kernel_id)
        owner = living_owner(record, self.membership.members)
        launching = False
        if owner is not None and owner.name == self.membership.name:
            # Our name, but no link: the agent has gone, or has not come yet.
            owner = None
            launching = record.state is KernelState.LAUNCHING and kernel_id in self.board
        # Read again: an agent may have come while the database answered.
        link = self.links.get(kernel_id)
        if link is not None:
            owner, launching = None, False
        return place_of(record, link=link, owner=owner, launching=launching)

    async def record(self, kernel_id: str) -> KernelRecord:
        """The kernel's record; raises Refusal (404), also for one in a pool."""
        record = await self.records.get(kernel_id)
        if record is None or record.state is KernelState.DELETED or record.pool is not None:
            raise unknown_kernel(kernel_id)
        return record

    def model(self, record: KernelRecord) -> dict[str, Any]:
        """What clients get to see of a kernel."""
        kernel_id = record.kernel_id
        status = self.board.status(kernel_id) if record.owner == self.membership.name else None
        return kernel_model(record, self.links.get(kernel_id), self.cull_rules, status)

    # Starting

    async def start(
        self, new: NewKernel, seconds: float | None, valid: Callable[[], Awaitable[None]]
    ) -> KernelRecord:
        """See `KernelStarts.start`; the kernelspec may be named as Enterprise Gateway allows it."""
        new = replace(new, kernel_name=await self.meant_name(new.kernel_name))
        return await self._starts.start(new, seconds, valid)

    async def meant_name(self, kernel_name: str) -> str:
        """The kernelspec that a name means here; the name itself if there is none."""
        return await asyncio.get_running_loop().run_in_executor(
            None,
            meant_kernelspec,
            self.kernel_spec_manager,
            kernel_name,
            self.default_kernel_name,
        )

    def learn_process(
        self, record: KernelRecord, agent_key: bytes, said: Mapping[str, Any]
    ) -> None:
        """Writes down what an agent of another gateway says of its own process, beside all else."""
        if record.kernel_id not in self.launches:
            self._background.start(self.launches.processes.learn(record, agent_key, said))

    # Acting on a kernel whose agent is connected here

    async def interrupt(self, link: AgentLink, username: str) -> None:
        """Interrupts the running cell; of a kernel that is being launched, drops what waits for it.
        Raises Refusal, 409 while there is no process that could be interrupted."""
        if not link.interrupt_waiting():
            await self._command(link, "interrupt", INTERRUPT_SECONDS, username, failed=409)
        await self._note(link.kernel_id, "interrupt", username)

    async def _note(self, kernel_id: str, event: str, username: str) -> None:
        # Whoever is not answered asks again, and what runs by then would be interrupted as well.
        await self._background.run(self._write_note(kernel_id, event, username), seconds=2.0)

    async def _write_note(self, kernel_id: str, event: str, username: str) -> None:
        try:
            await self.events.note(kernel_id, event, username)
        except DatabaseUnavailable as error:
            # What was done is done.
            self.log.warning("kernel %s: %s was not recorded: %s", kernel_id, event, error)

    async def restart(self, place: Place, username: str, seconds: float | None) -> None:
        """Restarts the kernel; starts a new agent if the old one is known to be gone, and then
        waits as `start` does. An unreachable kernel is restarted later, without anybody waiting,
        one that is being launched is left alone. Raises AgentLeft if the agent ends instead."""
        if place.is_launching:
            return
        if place.is_unreachable and place.record is not None:
            await self.lost_restarts.ask(place.record, username)
            return
        if place.link is not None:
            await self._restart_process(place.link, username)
            await self._note(place.kernel_id, "restart", username)
            return
        record = place.record or await self.record(place.kernel_id)
        if record.state is not KernelState.DEAD or record.owner is not None:
            raise owner_unknown(place.kernel_id)
        deadline = asyncio.get_running_loop().time() + (seconds or 0.0)
        await self._starts.again(record, username)
        if seconds is not None:
            await self._starts.until_running(place.kernel_id, deadline)

    async def _restart_process(self, link: AgentLink, username: str) -> None:
        try:
            await self._command(link, "restart", RESTART_SECONDS, username)
        except Refusal as refusal:
            if refusal.status != 500:
                raise
            # An agent that was told to end restarts nothing, and is about to leave.
            deadline = asyncio.get_running_loop().time() + LEAVING_SECONDS
            while not link.lost and asyncio.get_running_loop().time() < deadline:
                await self.links.wait_for_change(link.kernel_id, 0.25)
            if link.lost:
                raise AgentLeft(link.kernel_id) from None
            raise

    async def _command(
        self, link: AgentLink, command: str, seconds: float, username: str, *, failed: int = 500
    ) -> None:
        try:
            await link.command(command, seconds=seconds, by=username or None)
        except LinkLost:
            raise AgentLeft(link.kernel_id) from None
        except CommandFailed as error:
            # 404 if it failed because the kernel was deleted meanwhile.
            await self.record(link.kernel_id)
            raise Refusal(failed, str(error)) from error

    async def delete(
        self, place: Place, username: str, reason: str = "", *, launching: bool = False
    ) -> None:
        """Ends the kernel and its agent. A launch is canceled at once, and the record of an
        unreachable kernel deleted at once; what is left of them is removed after that. With
        `launching` raises Refusal (409) if the kernel runs already."""
        record = place.record or await self.record(place.kernel_id)
        runs = place.link is not None and place.link.process != "starting"
        if launching:
            if not await self.ends.mark_canceled(record, place.link, username, reason):
                # 404 if somebody else has deleted it.
                await self.record(place.kernel_id)
                raise Refusal(409, f"kernel {place.kernel_id} runs already: shut it down instead")
        else:
            await self.ends.mark_deleted(record, username, reason)
        if place.is_unreachable:
            self._background.start(self.ends.end_deleted(record, None))
        elif record.state is KernelState.LAUNCHING and not runs:
            self._background.start(self.ends.cancel_launch(record, place.link))
        else:
            await self.ends.end_deleted(record, place.link, username)

    async def cull(self) -> list[KernelRecord]:
        """Ends the kernels of this gateway that have been idle for too long; returns them."""
        return await self.ends.cull(self.cull_rules)

    def link_lost(self, link: AgentLink, silent: float) -> None:
        """The connection of an agent has ended: it goes elsewhere, or it is dead. It has been
        silent for so many seconds."""
        self.links.remove(link, "the kernel is moving to another gateway")
        if self.lifecycle.leaving:
            return
        self._background.start(self.silences.lost(link, silent))
        self._background.start(self.lost_kernels.check(link))
