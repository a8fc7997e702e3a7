"""The kernel starts in progress at this gateway: from a record to a running kernel."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, nullcontext
from typing import Any

from jupyter_client.kernelspec import KernelSpec  # type: ignore[import-untyped]
from sqlalchemy.exc import SQLAlchemyError
from tornado import web

from gateway_ext.kernels.agents.agent_link import CommandFailed, LinkLost
from gateway_ext.kernels.agents.links import AgentLinks
from gateway_ext.kernels.lifecycle.agent_processes import AgentProcesses
from gateway_ext.kernels.lifecycle.launch_board import LaunchBoard
from gateway_ext.kernels.lifecycle.launch_kernel_manager import (
    proxy_stanza,
)
from gateway_ext.kernels.lifecycle.launch_turns import LaunchTurns
from gateway_ext.kernels.lifecycle.launch_watch import LaunchTaken, LaunchWatch
from gateway_ext.kernels.refusal import Refusal
from gateway_ext.ownership.kernel_records import KernelRecords
from gateway_ext.ownership.launch_status import LaunchPhase
from gateway_ext.ownership.membership import Membership
from gateway_ext.ownership.records import KernelRecord
from gateway_ext.ownership.states import KernelState
from gateway_ext.process_proxies.agent_process import (
    AgentProcessProxy,
    AgentSettings,
    AgentStart,
    LaunchFailed,
)
from gateway_ext.process_proxies.environment import asked_environment
from gateway_ext.process_proxies.uncut import uncut
from jupyter_ext.database.engine import DatabaseUnavailable

LONGEST_TURN_SECONDS = 3.0
_WORDS_SECONDS = 0.5
_SHUTDOWN_SECONDS = 20.0


class Launches:
    """Starts agents for records in the state `launching`, each in a separate task, and records how
    to find the agents."""

    def __init__(
        self,
        processes: AgentProcesses,
        *,
        records: KernelRecords,
        membership: Membership,
        links: AgentLinks,
        board: LaunchBoard,
        watch: LaunchWatch,
        settings: AgentSettings,
        at_once: int,
        log: logging.Logger,
    ) -> None:
        """`at_once` is how many may start on this machine at the same time."""
        self.processes = processes
        self._records = records
        self._membership = membership
        self._links = links
        self._board = board
        self._watch = watch
        self._settings = settings
        self._turns = LaunchTurns(at_once, LONGEST_TURN_SECONDS)
        self._log = log
        self._tasks: dict[str, asyncio.Task[None]] = {}
        # Those that were canceled and clean up now; true if their kernels were deleted.
        self._stopped: dict[asyncio.Task[None] | None, bool] = {}
        self._finishing = 0

    def __contains__(self, kernel_id: str) -> bool:
        """Whether the kernel is being started here, or what was started is being removed."""
        return kernel_id in self._tasks

    def __iter__(self) -> Iterator[str]:
        """The kernels that are being started here."""
        return iter([one for one, task in self._tasks.items() if task not in self._stopped])

    def awaits(self, kernel_id: str) -> bool:
        """Whether this gateway waits for the kernel's agent before it sends its kernels away."""
        return self._finishing > 0 and kernel_id in self._tasks

    async def wait(self, kernel_id: str, seconds: float) -> None:
        """Returns when the kernel is not being started here any more, at the latest after
        `seconds`; raises why it failed."""
        task = self._tasks.get(kernel_id)
        if task is None:
            return
        # Not the task itself: neither does a client that leaves cancel it, nor the other way.
        await asyncio.wait({task}, timeout=max(0.0, seconds))
        if task.done() and not task.cancelled() and (error := task.exception()) is not None:
            raise error

    def begin(
        self,
        record: KernelRecord,
        spec: KernelSpec,
        agent_key: bytes,
        client: dict[str, str],
        options: Mapping[str, Any],
        *,
        prepared_by: tuple[str | None, ...],
    ) -> None:
        """Launches in a separate task, so that a client that disconnects does not cancel it. A
        launch that another gateway has begun, and whose `record` is this one's by now, goes on.
        `client` and `options` may be the choice of the users `prepared_by`."""
        kernel_id = record.kernel_id
        self._board.add(record)
        task = asyncio.ensure_future(
            self._run(record, spec, agent_key, client, options, prepared_by)
        )
        self._tasks[kernel_id] = task

        def launched(task: asyncio.Task[None]) -> None:
            self._stopped.pop(task, None)
            if self._tasks.get(kernel_id) is task:
                del self._tasks[kernel_id]
                self._board.gone(kernel_id)
            if not task.cancelled() and task.exception() is not None:
                self._log.error("kernel %s: %s", kernel_id, task.exception())

        task.add_done_callback(launched)

    def stop(self, kernel_id: str, *, deleted: bool) -> None:
        """The launch is not wanted here any more. If the kernel was deleted, what was started is
        removed, without anybody waiting for it; else another gateway has the launch."""
        task = self._tasks.get(kernel_id)
        if task is None or task in self._stopped:
            return
        self._stopped[task] = deleted
        self._board.gone(kernel_id, deleted=deleted)
        task.cancel()

    async def _run(
        self,
        record: KernelRecord,
        spec: KernelSpec,
        agent_key: bytes,
        client: dict[str, str],
        options: Mapping[str, Any],
        prepared_by: tuple[str | None, ...],
    ) -> None:
        kernel_id = record.kernel_id
        manager = self.processes.kernel_manager(kernel_id, record.kernel_name)
        manager._kernel_spec = spec
        proxy: AgentProcessProxy | None = None
        try:
            class_name, config = proxy_stanza(spec)
            # What was begun elsewhere is found by the proxy that began it.
            class_name = str((record.process or {}).get("proxy") or class_name)
            proxy = manager.proxy(class_name, config)
            if record.process:
                # Whatever fails, or cuts this off, is ended under the names that another gateway,
                # or a pool, chose.
                proxy.load_process_info(dict(record.process))
            env = asked_environment(
                client, kernel_id=kernel_id, project=record.project, username=record.username
            )
            async with self._turn(record, here=proxy.ON_THIS_MACHINE):
                if not await self._is_ours(record):
                    raise LaunchTaken("until its turn its record has changed")
                start = await self.processes.agent_start(
                    record, spec, agent_key, options, prepared_by
                )
                await self._submit(record, start, proxy, class_name, env)
                await self._watch.until_running(kernel_id, proxy)
            # The response will say that it runs, so the other gateways should know that, too.
            await self._links.write()
        except asyncio.CancelledError:
            if self._stopped.get(asyncio.current_task()):
                await self._remove(kernel_id, proxy)
            raise
        except LaunchTaken as taken:
            self._log.info("kernel %s: not launched here any more: %s", kernel_id, taken)
            present = await self._records.get(kernel_id)
            if present is None or present.state is KernelState.DELETED:
                self._board.gone(kernel_id, deleted=True)
                await self._remove(kernel_id, proxy)
        except DatabaseUnavailable:
            # Agents that were launched connect by themselves; the sweep finds launches that failed.
            raise
        except Exception as error:
            # After any error: a record that stayed `launching` would block its notebook.
            if not await self._failed(kernel_id, proxy, error):
                return
            if isinstance(error, web.HTTPError):
                raise Refusal(error.status_code, error.reason or str(error)) from error
            if isinstance(error, LaunchFailed):
                raise Refusal(500, str(error), state=KernelState.DEAD.value) from error
            raise
        finally:
            manager.forget()

    @asynccontextmanager
    async def _turn(self, record: KernelRecord, *, here: bool) -> AsyncIterator[None]:
        """A turn of this machine for a kernel that is started `here`."""
        async with self._turns.turn(record.project, record.kernel_id) if here else nullcontext():
            phase = LaunchPhase.STARTING if here else LaunchPhase.SCHEDULING
            if self._board.phase(record.kernel_id) is LaunchPhase.QUEUED:
                self._board.see(record.kernel_id, phase)
            # Another gateway that finds this launch without its own begins a `queued` one again.
            await self._board.write()
            yield

    async def show_places(self) -> None:
        """Has the kernels that wait for their turn on this machine say in which place."""
        for kernel_id, place in self._turns.places().items():
            self._board.see(kernel_id, LaunchPhase.QUEUED, "", place)

    async def _submit(
        self,
        record: KernelRecord,
        start: AgentStart,
        proxy: AgentProcessProxy,
        class_name: str,
        env: dict[str, str],
    ) -> None:
        """Starts the agent, or goes on with a start that another gateway has begun. Raises
        LaunchTaken if it is not wanted any more."""
        begun = dict(record.process or {})
        claimed = record.launch_id is not None
        if not claimed:
            proxy.plan(start, self._settings, env)
        if claimed or (begun and not proxy.can_submit_again(begun)):
            proxy.load_process_info(begun)
            proxy.go_on()
            return
        if proxy.FOUND_BY_NAME and not await self.processes.write(start, proxy, class_name):
            raise LaunchTaken("its agent is not needed any more")
        launch = proxy.launch_process([], start=start, settings=self._settings, env=env)
        if proxy.FOUND_BY_NAME:
            await self._shown(start.kernel_id, proxy, asyncio.ensure_future(launch))
        else:
            await uncut(launch)
        if not await self.processes.write_at_last(start, proxy, class_name):
            if not await self._records.agents.is_claimed(start.kernel_id):
                await proxy.end()
            raise LaunchTaken("its agent is not needed any more")

    async def _shown(
        self, kernel_id: str, proxy: AgentProcessProxy, launch: "asyncio.Future[Any]"
    ) -> None:
        """Waits for a launch, and shows what the cluster says meanwhile: it may not answer."""
        try:
            while not (await asyncio.wait({launch}, timeout=_WORDS_SECONDS))[0]:
                status, words = self._board.status(kernel_id), proxy.progress[1]
                if status is not None and words:
                    self._board.see(kernel_id, status.phase, words, status.position)
        except asyncio.CancelledError:
            launch.cancel()
            await asyncio.wait({launch})
            if not launch.cancelled():
                # Seen: nobody else is interested.
                launch.exception()
            raise
        launch.result()

    async def _remove(self, kernel_id: str, proxy: AgentProcessProxy | None) -> None:
        """Removes what was started of a kernel that was deleted. What cannot be removed now is left
        to the sweep of the gateway that deleted it, or of another one."""
        if await self._records.agents.is_claimed(kernel_id):
            # From its pool, while this gateway was frozen: what was started is somebody's by now.
            return
        if proxy is None or (await proxy.end() and await proxy.clean_up()):
            await self._records.ended(kernel_id)

    async def _is_ours(self, launched: KernelRecord) -> bool:
        record = await self._records.get(launched.kernel_id)
        return (
            record is not None
            and record.state is KernelState.LAUNCHING
            and record.owner == self._membership.name
            and record.epoch == launched.epoch
        )

    async def fail(self, record: KernelRecord, error: Exception) -> None:
        """Ends a launch of another gateway, or of a pool, which cannot go on at this one."""
        await self._failed(record.kernel_id, self.processes.proxy_of(record), error)

    def overdue(self, record: KernelRecord) -> str:
        """What takes too long in the launch of a record, in words; empty if nothing does."""
        return "" if record.launch_status is None else self._watch.overdue(record.launch_status)

    async def _failed(
        self, kernel_id: str, proxy: AgentProcessProxy | None, error: Exception
    ) -> bool:
        """Cleans up after a failed launch. False if the kernel runs after all or has a new owner.

        The client may start another kernel after the error, so this launch's agent is dismissed:
        if it still connects, it is told to end. If it could not be ended, the record stays
        `launching` until the sweep has ended it.
        """
        message = error.message if isinstance(error, Refusal) else str(error)
        self._log.error("kernel %s: not started: %s", kernel_id, message)
        if isinstance(error, SQLAlchemyError):
            # Its text has the statement with its values, and the record's readers are clients.
            message = (
                "the database rejected the record of the launch: the gateway's log has details"
            )
        record = await self._records.get(kernel_id)
        if self._is_anothers(record) or await self._records.agents.is_claimed(kernel_id):
            return False
        ended = proxy is None or await proxy.end() or await self._has_ended(kernel_id)
        made_nothing = proxy is not None and proxy.made_nothing
        while True:
            # The agent may have come while it was being ended.
            record = await self._records.get(kernel_id)
            if record is None or record.state is KernelState.DELETED:
                self._board.gone(kernel_id, deleted=True)
                if ended:
                    await self._records.ended(kernel_id)
                break
            if self._is_anothers(record) or (record.state is KernelState.RUNNING and not ended):
                return False
            if ended:
                over = await self._records.set_dead(
                    kernel_id, record.epoch, message, made_nothing=made_nothing
                )
            else:
                over = await self._records.give_up(kernel_id, record.epoch, message)
            if over:
                self._board.failed(kernel_id, message)
                break
        link = self._links.get(kernel_id)
        if link is not None:
            self._links.remove(link, "the kernel did not start")
            link.close()
        return True

    async def _has_ended(self, kernel_id: str) -> bool:
        """Whether the agent of a launch, which this gateway cannot end itself, says that it has
        ended the kernel."""
        link = self._links.get(kernel_id)
        if link is None:
            return False
        try:
            await link.command("shutdown", seconds=_SHUTDOWN_SECONDS, now=True)
        except (LinkLost, CommandFailed) as error:
            self._log.warning("kernel %s: %s", kernel_id, error)
            return False
        return True

    def _is_anothers(self, record: KernelRecord | None) -> bool:
        return (
            record is not None
            and record.state is not KernelState.DELETED
            and record.owner != self._membership.name
        )

    async def finish(self, seconds: float) -> None:
        """Waits at most `seconds` for the kernels that are starting, so that their clients get a
        response and their records say how to find the agents. Starts that wait for a turn begin at
        once: agents that run when this gateway ends connect to another one."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        self._finishing += 1
        try:
            while self._tasks and (left := deadline - loop.time()) > 0:
                self._turns.open()
                await asyncio.wait(list(self._tasks.values()), timeout=left)
        finally:
            self._finishing -= 1
