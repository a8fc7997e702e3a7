"""The kernels of this gateway: starting, finding and ending them, and handing them on."""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

from enterprise_gateway.services.kernels.remotemanager import (  # type: ignore[import-untyped]
    RemoteMappingKernelManager,
)
from jupyter_client.kernelspec import NATIVE_KERNEL_NAME  # type: ignore[import-untyped]
from traitlets import Float, default
from traitlets.config import LoggingConfigurable

from gateway_ext.kernels.agent_door import AgentDoor
from gateway_ext.kernels.claim_pace import ClaimPace
from gateway_ext.kernels.kernel_model import kernel_model
from gateway_ext.kernels.kernelspecs import meant_kernelspec
from gateway_ext.kernels.launches import Launches
from gateway_ext.kernels.links import AgentLink, AgentLinks, CommandFailed, LinkLost
from gateway_ext.kernels.refusal import Refusal, owner_unknown, unknown_kernel
from gateway_ext.ownership.membership import Membership
from gateway_ext.ownership.placement import OwnKernel, kernel_to_move
from gateway_ext.ownership.records import LimitReached, Limits, NewKernel, Records
from gateway_ext.ownership.resolution import (
    CullRules,
    KernelRecord,
    Member,
    cull_time,
    is_lost,
    living_owner,
    targets_for_handover,
)
from gateway_ext.ownership.states import KernelState
from gateway_ext.process_proxies.agent_process import (
    AgentLife,
    AgentProcessProxy,
    AgentSettings,
)
from gateway_ext.process_proxies.fork_servers import ForkServers
from gateway_ext.process_proxies.memory_cgroups import MemoryCgroups
from jupyter_ext.database.engine import DatabaseUnavailable
from jupyter_ext.wire.close_codes import OWNER_CHANGES

ClusterT = TypeVar("ClusterT", bound=LoggingConfigurable)

INTERRUPT_SECONDS = 10.0
RESTART_SECONDS = 120.0
SHUTDOWN_SECONDS = 20.0
HANDOVER_SECONDS = 3.0
LONGEST_CLAIM_WAIT = 5.0
PROJECTS_SWEPT_AT_ONCE = 8

NOT_STARTED = "the gateway ended before it had started the kernel"


class OpenWebsocket(Protocol):
    """A client's websocket, as far as leaving clients behind goes."""

    def end(self, code: int, reason: str) -> None:
        """Closes it."""


@dataclass(frozen=True)
class Place:
    """Where a kernel is. At most one of `link` (here) and `owner` (a gateway elsewhere) is set;
    neither while nobody is known to own it. `record` is None if the link alone told."""

    kernel_id: str
    project: str
    epoch: int
    link: AgentLink | None
    owner: Member | None
    record: KernelRecord | None


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
        self.records: Records = app.records
        self.membership: Membership = app.membership
        self.agent_settings = AgentSettings(
            kernels_dir=Path(app.kernels_dir),
            agent_command=list(app.agent_command),
            journal_bytes=app.journal_bytes,
            ping_seconds=app.ping_seconds,
            ping_timeout=app.ping_timeout,
            orphan_seconds=app.orphan_seconds,
            inherited=list(app.inherited_envs),
            fork_servers=ForkServers(app.fork_servers, app.fork_server_seconds),
            memory=MemoryCgroups(app.kernel_memory, app.memory_cgroup, self.log)
            if app.kernel_memory
            else None,
        )
        self.ping_seconds: float = app.ping_seconds
        self.ping_timeout: float = app.ping_timeout
        self.max_message_bytes: int = app.max_message_bytes
        self.lost_seconds: float = app.lost_seconds
        self.launch_seconds: float = app.launch_seconds
        self.claim_pace = ClaimPace(app.claims_per_second, LONGEST_CLAIM_WAIT)
        self.agent_door = AgentDoor(
            self.records,
            places=app.unproven_agents,
            answer_seconds=self.ping_timeout,
            log=self.log,
        )
        self.links = AgentLinks(self.records, self.log)
        self.membership.on_change = self._announce_gateways
        self._ending = False
        self.websockets: set[OpenWebsocket] = set()
        self.launches = Launches(
            self,
            records=self.records,
            membership=self.membership,
            links=self.links,
            settings=self.agent_settings,
            seconds=self.launch_seconds,
            at_once=app.concurrent_launches,
            log=self.log,
        )
        self._clusters: dict[type[LoggingConfigurable], LoggingConfigurable] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._begun = datetime.now(UTC)

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

    @property
    def takes_kernels(self) -> bool:
        """Whether this gateway may start kernels and take them over."""
        return not self._ending and self.membership.takes_kernels

    def takes(self, kernel_id: str) -> bool:
        """Whether the kernel's agent is let in: if this gateway waits for it before it leaves, even
        while all others are sent away."""
        return self.takes_kernels or self.launches.awaits(kernel_id)

    # Finding

    async def place(self, kernel_id: str) -> Place:
        """Where the kernel is now. Raises Refusal (404) if it does not exist, and
        DatabaseUnavailable unless its agent is connected here."""
        link = self.links.get(kernel_id)
        if link is not None:
            return Place(kernel_id, link.record.project, link.epoch, link, None, None)
        record = await self.record(kernel_id)
        owner = living_owner(record, self.membership.members)
        if owner is not None and owner.name == self.membership.name:
            # Our name, but no link: the agent has gone, or has not come yet.
            owner = None
        # Read again: an agent may have come while the database answered.
        link = self.links.get(kernel_id)
        if link is not None:
            owner = None
        return Place(kernel_id, record.project, record.epoch, link, owner, record)

    async def record(self, kernel_id: str) -> KernelRecord:
        """The kernel's record; raises Refusal (404)."""
        record = await self.records.get(kernel_id)
        if record is None or record.state is KernelState.DELETED:
            raise unknown_kernel(kernel_id)
        return record

    def model(self, record: KernelRecord) -> dict[str, Any]:
        """What clients get to see of a kernel."""
        return kernel_model(record, self.links.get(record.kernel_id), self.cull_rules)

    # Starting

    async def start(self, new: NewKernel) -> KernelRecord:
        """Starts a kernel, or waits for the one that has this id already; its record.

        Raises Refusal, and DatabaseUnavailable.
        """
        if not self.takes_kernels:
            raise Refusal(503, "this gateway accepts no new kernels: ask another one")
        new = replace(new, kernel_name=await self.meant_name(new.kernel_name))
        spec = await self.launches.kernelspec(new.kernel_name)
        agent_key = secrets.token_bytes(32)
        try:
            record = await self.records.insert_launching(new, agent_key, self.limits)
        except LimitReached as error:
            raise Refusal(403, str(error)) from error
        if record is None:
            record = await self.records.get(new.kernel_id)
            if record is None or record.state is KernelState.DELETED:
                raise Refusal(409, f"kernel {new.kernel_id} was deleted: choose another id")
            if record.project != new.project:
                raise Refusal(409, f"kernel {new.kernel_id} exists in another project")
            if record.state is KernelState.DEAD and record.owner is None:
                await self._start_again(record, new.username)
        else:
            self.agent_door.add(new.kernel_id)
            self.launches.begin(record, spec, agent_key, dict(new.environment))
        try:
            return await self._started(new.kernel_id)
        except Refusal as refusal:
            if refusal.message != NOT_STARTED:
                raise
        # Nothing was begun by the gateway that had the kernel, and somebody waits for it here.
        await self._start_again(await self.record(new.kernel_id), new.username)
        return await self._started(new.kernel_id)

    async def meant_name(self, kernel_name: str) -> str:
        """The kernelspec that a name means here; the name itself if there is none."""
        return await asyncio.get_running_loop().run_in_executor(
            None,
            meant_kernelspec,
            self.kernel_spec_manager,
            kernel_name,
            self.default_kernel_name,
        )

    async def _start_again(self, record: KernelRecord, username: str) -> None:
        spec = await self.launches.kernelspec(record.kernel_name)
        stored = await self.records.secrets(record.kernel_id)
        agent_key = secrets.token_bytes(32)
        try:
            if stored is None or not await self.records.launch_again(
                record, agent_key, username, self.limits
            ):
                # Somebody else was first; whoever called looks again.
                return
        except LimitReached as error:
            raise Refusal(403, str(error)) from error
        launched = await self.records.get(record.kernel_id)
        if launched is not None:
            self.launches.begin(launched, spec, agent_key, dict(stored.environment))

    async def _started(self, kernel_id: str) -> KernelRecord:
        """Waits for a launch, here or elsewhere; raises Refusal if it fails."""
        try:
            await self.launches.wait(kernel_id)
        except Refusal:
            # 404 if it failed because the kernel was deleted meanwhile.
            await self.record(kernel_id)
            raise
        deadline = asyncio.get_running_loop().time() + self.launch_seconds
        while True:
            record = await self.record(kernel_id)
            link = self.links.get(kernel_id)
            if record.state is KernelState.RUNNING or (
                link is not None and link.process == "running"
            ):
                return record
            if record.state is KernelState.DEAD:
                raise Refusal(500, record.reason, state=record.state.value)
            if asyncio.get_running_loop().time() > deadline:
                raise Refusal(503, f"kernel {kernel_id} is still being started")
            await asyncio.sleep(0.2)

    def learn_process(
        self, record: KernelRecord, agent_key: bytes, said: Mapping[str, Any]
    ) -> None:
        """Writes down what an agent of another gateway says of its own process, beside all else."""
        self._beside(self.launches.learn_process(record, agent_key, said))

    # Acting on a kernel whose agent is connected here

    async def interrupt(self, link: AgentLink, username: str) -> None:
        """Interrupts the running cell. Raises Refusal."""
        await self._command(link, "interrupt", INTERRUPT_SECONDS)
        await self._note(link.kernel_id, "interrupt", username)

    async def _note(self, kernel_id: str, event: str, username: str) -> None:
        try:
            await self.records.note(kernel_id, event, username)
        except DatabaseUnavailable as error:
            # What was done is done.
            self.log.warning("kernel %s: %s was not recorded: %s", kernel_id, event, error)

    async def restart(self, place: Place, username: str) -> None:
        """Restarts the kernel; starts a new agent if the old one is known to be gone."""
        if place.link is not None:
            await self._command(place.link, "restart", RESTART_SECONDS)
            await self._note(place.kernel_id, "restart", username)
            return
        record = place.record or await self.record(place.kernel_id)
        if record.state is not KernelState.DEAD or record.owner is not None:
            raise owner_unknown(place.kernel_id)
        await self._start_again(record, username)
        await self._started(place.kernel_id)

    async def _command(self, link: AgentLink, command: str, seconds: float) -> None:
        try:
            await link.command(command, seconds=seconds)
        except LinkLost:
            raise owner_unknown(link.kernel_id) from None
        except CommandFailed as error:
            # 404 if it failed because the kernel was deleted meanwhile.
            await self.record(link.kernel_id)
            raise Refusal(500, str(error)) from error

    async def delete(self, place: Place, username: str, reason: str = "") -> None:
        """Ends the kernel and its agent. The record goes first: whatever happens to this gateway
        then, the agent is told to end by whichever it finds."""
        record = place.record or await self.record(place.kernel_id)
        await self.records.delete(place.kernel_id, username, reason=reason)
        await self._end_deleted(record, place.link)

    async def _end_deleted(self, record: KernelRecord, link: AgentLink | None) -> None:
        proxy = self.launches.proxy_of(record)
        ended = False
        if link is not None:
            link.deleted()
            try:
                await link.command("shutdown", seconds=SHUTDOWN_SECONDS, now=False)
                ended = True
            except (LinkLost, CommandFailed) as error:
                self.log.warning("kernel %s: %s", record.kernel_id, error)
        if proxy is not None:
            if not ended and await proxy.look() is AgentLife.ALIVE:
                await proxy.end()
            if not await proxy.clean_up():
                # The sweep tries again.
                return
        if record.state is KernelState.LAUNCHING:
            # Whoever launches it may be making something just now, and be killed before it hears
            # that nobody wants it: the sweep looks again.
            return
        await self.records.ended(record.kernel_id)

    async def cull(self) -> None:
        """Ends the kernels of this gateway that have been idle for too long."""
        now = datetime.now(UTC)
        culled: list[tuple[KernelRecord, AgentLink]] = []

        async def decide(link: AgentLink) -> None:
            record = await self._cull(link, now)
            if record is not None:
                culled.append((record, link))

        try:
            await each(list(self.links), decide, self.log)
        finally:
            # Side by side: an agent that was frozen by its kernel answers after a time-out.
            await asyncio.gather(
                *(
                    each([link], partial(self._end_deleted, record), self.log)
                    for record, link in culled
                )
            )

    async def _cull(self, link: AgentLink, now: datetime) -> KernelRecord | None:
        """Marks the kernel as deleted if it has been idle for too long; its record if so."""
        rules = self.cull_rules
        if not link.measures_work:
            # An older agent does not report work without messages, and its page is not warned.
            rules = replace(rules, connected=False)
        ends = cull_time(link.last_activity, link.connections, link.execution_state, rules)
        if ends is None or ends > now:
            return None
        record = await self.records.get(link.kernel_id)
        idle = (now - link.last_activity).total_seconds()
        reason = f"culled: idle for {idle:.0f} s"
        # Only with the epoch of this very link: a gateway that slept culls nothing.
        if record is None or not await self.records.delete(
            link.kernel_id, "", epoch=link.epoch, reason=reason
        ):
            return None
        self.log.info("kernel %s: %s", link.kernel_id, reason)
        return record

    # Losing agents

    async def leave_overtaken(self) -> None:
        """Lets agents go whose records have another owner by now; they dial again, and all agree.

        So it is after this gateway was frozen, and after another one claimed a kernel so slowly,
        because the database answered late, that the agent had come here meanwhile.
        """
        links = list(self.links)
        owned = await self.records.owned()
        for link in links:
            if self.links.get(link.kernel_id) is link and link.overtaken(owned):
                self.log.warning("kernel %s: its record has another owner", link.kernel_id)
                self.links.remove(link, "the kernel is moving to another gateway")
                link.close()

    def link_lost(self, link: AgentLink) -> None:
        """The connection of an agent has ended: it goes elsewhere, or it is dead."""
        self.links.remove(link, "the kernel is moving to another gateway")
        if self._ending:
            return
        self._beside(self._check_lost(link.kernel_id))

    def _beside(self, work: Coroutine[Any, Any, None]) -> None:
        """Does it in a task that nobody waits for."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)

        def done(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            if not task.cancelled() and (error := task.exception()) is not None:
                self.log.error("work in the background failed", exc_info=error)

        task.add_done_callback(done)

    async def _check_lost(self, kernel_id: str) -> None:
        # A cluster may take its time to notice: then the sweep goes on.
        pause = self.ping_seconds
        while pause < self.lost_seconds:
            await asyncio.sleep(pause)
            pause *= 2
            try:
                record = await self.records.get(kernel_id)
                if (
                    record is None
                    or record.owner != self.membership.name
                    or record.state is KernelState.DELETED
                    or self.links.get(kernel_id) is not None
                ):
                    return
                await each([record], self._bury, self.log)
            except DatabaseUnavailable as error:
                self.log.warning("kernel %s: %s", kernel_id, error)

    async def _bury(self, record: KernelRecord) -> None:
        """Marks a kernel as dead whose agent is known to have ended, and ends a launch in a cluster
        that its gateway has left behind and that comes to nothing."""
        if self.links.get(record.kernel_id) or record.kernel_id in self.launches:
            return
        proxy = self.launches.proxy_of(record)
        if proxy is None:
            if record.state is KernelState.LAUNCHING:
                await self.records.set_dead(record.kernel_id, record.epoch, NOT_STARTED)
            return
        if await proxy.look() is AgentLife.DEAD:
            words = await proxy.last_words()
            self.log.warning("kernel %s: its agent is dead", record.kernel_id)
            if proxy.FOUND_BY_NAME and not await proxy.end():
                # Nobody would look for what is left of it in the cluster.
                return
            reason = f"the kernel's agent has ended. {words}".strip()
            marked = await self.records.set_dead(record.kernel_id, record.epoch, reason)
            if marked and not proxy.FOUND_BY_NAME:
                # What an agent that was killed could not remove itself.
                await proxy.end()
        elif proxy.FOUND_BY_NAME and record.state is KernelState.LAUNCHING:
            await self._end_launch(record, proxy)

    async def _end_launch(self, record: KernelRecord, proxy: AgentProcessProxy) -> None:
        """Ends a launch in a cluster that nobody looks after, if it will never start or has taken
        too long; no agent has dialled in yet."""
        kernel_id = record.kernel_id
        stored = await self.records.secrets(kernel_id)
        if stored is None:
            return
        seconds = float(stored.environment.get("KERNEL_LAUNCH_TIMEOUT", self.launch_seconds))
        if not proxy.obstacle and not is_lost(
            record, datetime.now(UTC), timedelta(seconds=seconds)
        ):
            return
        words = await proxy.last_words()
        # The cluster is only touched with the epoch, and only if all is as it was looked at: an
        # agent that dials in meanwhile raises the one, a pod that starts changes the other.
        claimed = await self.records.claim(
            kernel_id, stored.agent_key, record.epoch, epoch=record.epoch
        )
        if claimed is not None and await proxy.end(as_seen=True):
            self.log.warning("kernel %s: its launch was given up", kernel_id)
            reason = f"the kernel did not start, and its gateway had ended. {words}".strip()
            await self.records.set_dead(kernel_id, claimed.epoch, reason)

    async def sweep(self, *, deleted: timedelta, dead: timedelta) -> None:
        """Looks after the kernels of gateways that are long dead, and after old rows."""
        lost = timedelta(seconds=self.lost_seconds)
        await self._sweep_projects(await self.records.orphans(lost), self._bury)
        await self._sweep_projects(await self.records.unended(lost), self._finish_end)
        await self.records.forget(deleted=deleted, dead=dead)

    async def _sweep_projects(
        self,
        records: Iterable[KernelRecord],
        act: Callable[[KernelRecord], Coroutine[Any, Any, None]],
    ) -> None:
        """Does `act` for each kernel, the projects side by side: one whose processes are slow to
        end holds up no other. Raises DatabaseUnavailable."""
        of_project: dict[str, list[KernelRecord]] = {}
        for record in records:
            of_project.setdefault(record.project, []).append(record)
        at_once = asyncio.Semaphore(PROJECTS_SWEPT_AT_ONCE)

        async def of_one(project: list[KernelRecord]) -> None:
            async with at_once:
                await each(project, act, self.log)

        await asyncio.gather(*map(of_one, of_project.values()))

    async def _finish_end(self, record: KernelRecord) -> None:
        proxy = self.launches.proxy_of(record)
        if proxy is None or await proxy.clean_up():
            await self.records.ended(record.kernel_id)

    # Leaving

    def _announce_gateways(self) -> None:
        for link in self.links:
            link.announce(self.membership.urls_for_agents(link.kernel_id))

    async def drain(self, seconds: float) -> int:
        """Takes no kernels from now on and hands each to another living gateway, evenly; those that
        are just starting here when they run, if that does not take more than half of the time.

        Takes at most `seconds`; ends no kernel. Returns how many kernels are still here.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        self.membership.draining = True
        try:
            await asyncio.wait_for(self.membership.beat(), max(1.0, seconds / 4))
        except (DatabaseUnavailable, TimeoutError) as error:
            self.log.warning(
                "the other gateways were not told that this one is draining: %s", error
            )
        await self.launches.finish((deadline - loop.time()) / 2)
        links = list(self.links)
        targets = targets_for_handover(len(links), self.membership.members, self.membership.name)
        await asyncio.gather(
            *(self._hand_over(link, urls) for link, urls in zip(links, targets, strict=True))
        )
        if any(targets):
            await self.links.wait_until_empty(deadline - loop.time())
        return len(list(self.links))

    async def undrain(self) -> None:
        """Takes kernels again; raises DatabaseUnavailable."""
        self.membership.draining = False
        await self.membership.beat()

    async def leave(self, seconds: float) -> None:
        """Drains, then closes what is left: agents find another gateway, clients get 1012."""
        self._ending = True
        await self.drain(seconds)
        for link in self.links:
            self.links.remove(link, "this gateway is stopping")
            link.close()
        for websocket in list(self.websockets):
            websocket.end(OWNER_CHANGES, "this gateway is stopping: connect again")

    async def rebalance(self, settled_seconds: float, idle_seconds: float) -> None:
        """Hands one idle kernel to the gateway with the fewest kernels, if this one has the most.

        Not before all gateways have been there for `settled_seconds`, and no kernel that was active
        within `idle_seconds`.
        """
        if not self.takes_kernels or self.membership.settled_seconds < settled_seconds:
            return
        await self.membership.beat()
        now = datetime.now(UTC)
        kernels = [
            OwnKernel(
                link.kernel_id,
                (now - link.last_activity).total_seconds()
                if (link.process, link.execution_state) == ("running", "idle")
                else None,
                link.connections,
            )
            for link in self.links
            if link.kernel_id not in self.launches
        ]
        move = kernel_to_move(
            self.membership.name, self.membership.members, kernels, idle_seconds=idle_seconds
        )
        # A gateway may have come, or have begun to drain, in the very look before this.
        if move is None or self.membership.settled_seconds < settled_seconds:
            return
        kernel_id, target = move
        link = self.links.get(kernel_id)
        if link is not None and link.execution_state == "idle":
            self.log.info(
                "kernel %s: handed to %s, which has fewer kernels", kernel_id, target.name
            )
            await self._hand_over(link, [target.url])

    async def _hand_over(self, link: AgentLink, urls: list[str]) -> None:
        if not urls:
            return
        try:
            await link.command("handover", seconds=HANDOVER_SECONDS, gateways=urls)
        except (LinkLost, CommandFailed) as error:
            # It finds another one by itself when this one is gone.
            self.log.warning("kernel %s: %s", link.kernel_id, error)


class _OfKernel(Protocol):
    @property
    def kernel_id(self) -> str: ...


OfKernelT = TypeVar("OfKernelT", bound=_OfKernel)


async def each(
    kernels: Iterable[OfKernelT],
    act: Callable[[OfKernelT], Awaitable[None]],
    log: logging.Logger,
) -> None:
    """Awaits `act` for one kernel after the other. What one raises is logged and keeps no other
    from its turn, unless it is DatabaseUnavailable, which is raised."""
    for kernel in kernels:
        try:
            await act(kernel)
        except DatabaseUnavailable:
            raise
        except Exception:
            log.exception("kernel %s: failed; the others go on", kernel.kernel_id)


def run_forever(
    job: Callable[[], Any], seconds: float, log: logging.Logger, name: str
) -> "asyncio.Task[None]":
    """A task that awaits `job()` every `seconds`, whatever it raises."""

    async def loop() -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                await job()
            except DatabaseUnavailable:
                # The membership says it in the log.
                continue
            except Exception:
                log.exception("%s failed", name)

    return asyncio.ensure_future(loop())
