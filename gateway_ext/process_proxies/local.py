"""Agents as processes of this machine."""

import contextlib
import json
import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from enterprise_gateway.services.kernels.remotemanager import (  # type: ignore[import-untyped]
    RemoteKernelManager,
)

from gateway_ext.agent.process_identity import boot_id, started_at, this_host
from gateway_ext.process_proxies.agent_folders import folders, make_folders, remove_directory
from gateway_ext.process_proxies.agent_process import (
    AgentLife,
    AgentProcessProxy,
    AgentSettings,
    AgentStart,
    LaunchFailed,
    start_document,
)
from gateway_ext.process_proxies.environment import agent_environment, for_kernel_only
from gateway_ext.process_proxies.fork_servers import START_FOLDER, Environment, ForkFailed
from gateway_ext.process_proxies.kernel_walls import NoWalls
from gateway_ext.process_proxies.memory_cgroups import end_cgroup, remove_cgroup
from gateway_ext.process_proxies.process_session import (
    kill_descendants,
    kill_session,
    wait_for_end,
)
from gateway_ext.process_proxies.process_start import start_process, write_within
from gateway_ext.process_proxies.project_threads import ProjectThreads
from jupyter_ext.launch_options.quantities import kubernetes_amount

T = TypeVar("T")

AGENT = ["-m", "gateway_ext.agent"]
LAST_WORDS_BYTES = 4000
END_SECONDS = 5.0
CGROUP_SECONDS = 0.5
"""How long the last processes of a kernel that was ended may take to leave its cgroup."""
DOCUMENT_SECONDS = 10.0
"""How long an agent may take to read what to start."""

# Waiting for processes, and creating and removing folders, must not block the event loop.
_threads = ProjectThreads(8, "fleet-launch")


class LocalAgentProxy(AgentProcessProxy):
    """An agent in a session of its own, which outlives the gateway that started it.

    It is forked from a process whose imports are done (`fork_servers`). If that fails, or if it has
    another command, it is started as a separate program.

    Where the gateway is root the agent gets the user id of its holder, which is a project or one
    person in it, a folder of that user as its home, and no group beside it; otherwise it runs as
    the gateway's user. The kernelspec may name another command for the agent:
    `metadata.process_proxy.config.agent_command` (a list).
    """

    ON_THIS_MACHINE = True
    OPTIONS = frozenset({"memory", "environment"})

    def __init__(self, kernel_manager: RemoteKernelManager, proxy_config: dict[str, Any]) -> None:
        super().__init__(kernel_manager, proxy_config)
        self._process: subprocess.Popen[bytes] | None = None
        self._started: int | None = None
        self._uid: int | None = None
        self._holder = ""
        self._host = this_host()
        self._boot = boot_id()
        self._log_file = ""
        self._directory = ""
        self._cgroup = ""
        self._walls = ""
        self._network = ""

    async def start_agent(
        self, start: AgentStart, settings: AgentSettings, environment: Mapping[str, str]
    ) -> None:
        """See the base class."""
        self._holder = start.holder
        await self._in_thread(lambda: self._start(start, settings, environment))

    async def look(self) -> AgentLife:
        """See the base class."""
        return await self._in_thread(self._look)

    async def end(self, *, as_seen: bool = False) -> bool:
        """See the base class."""
        await self._in_thread(self._end)
        return self._host == this_host()

    async def clean_up(self) -> bool:
        """See the base class. On another machine only a log can be left."""
        if self._host == this_host() and self._log_file:
            await self._in_thread(lambda: Path(self._log_file).unlink(missing_ok=True))
            removed = await self._in_thread(self._remove_directory)
            ended = await self._in_thread(lambda: end_cgroup(self._cgroup, CGROUP_SECONDS))
            return removed and ended
        return True

    async def last_words(self) -> str:
        """See the base class."""
        return await self._in_thread(self._last_words)

    def get_process_info(self) -> dict[str, Any]:
        """What another gateway needs to look at the process."""
        return {
            **super().get_process_info(),
            "started": self._started,
            "uid": self._uid,
            "project": self._holder,
            "host": self._host,
            "boot": self._boot,
            "log": self._log_file,
            "directory": self._directory,
            "cgroup": self._cgroup,
            "walls": self._walls,
            "network": self._network,
        }

    def load_process_info(self, process_info: dict[str, Any]) -> None:
        """The opposite of `get_process_info`. Raises KeyError, TypeError or ValueError for a record
        that names no process of a gateway's."""
        super().load_process_info(process_info)
        if int(self.pid) <= 1:
            raise ValueError(f"{self.pid} is not a process that a gateway started")
        self._started = process_info["started"]
        self._host = process_info["host"]
        self._boot = process_info["boot"]
        self._log_file = process_info["log"]
        # Earlier gateways did not record them.
        self._directory = process_info.get("directory", "")
        self._uid = process_info.get("uid")
        self._cgroup = process_info.get("cgroup", "")
        self._walls = process_info.get("walls", "")
        self._network = process_info.get("network", "")
        # Neither this; a user ID tells projects apart, too.
        self._holder = process_info.get("project") or str(self._uid)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await _threads.run(self._holder, work)

    async def take(
        self, start: AgentStart, settings: AgentSettings, said: Mapping[str, Any]
    ) -> None:
        """See the base class. Only of a process on this machine and of the project's own user: what
        an agent says here may be a lie of its kernel, and we end the process that it names."""
        self._holder = start.holder
        await self._in_thread(lambda: self._take(start, settings, said))

    def _take(self, start: AgentStart, settings: AgentSettings, said: Mapping[str, Any]) -> None:
        pid, started = int(said["pid"]), int(said["started"])
        if said["host"] != this_host() or said["boot"] != boot_id():
            raise ValueError(f"it is on {said['host']}, which this gateway cannot inspect")
        uid = start.uid if os.geteuid() == 0 else os.geteuid()
        # An agent leads a session of its own.
        leads = pid > 1 and started_at(pid) == started and os.getsid(pid) == pid
        if not leads or os.stat(f"/proc/{pid}").st_uid != uid:
            raise ValueError(f"process {pid} is none of the project's that began then")
        _, directory, log_file, _ = folders(settings.kernels_dir, start)
        self.ip = "127.0.0.1"
        self.pid = self.pgid = pid
        self._started, self._uid = started, uid
        self._log_file, self._directory = str(log_file), str(directory)
        self._cgroup = settings.memory.folder(directory.name)

    def _start(self, start: AgentStart, settings: AgentSettings, asked: Mapping[str, str]) -> None:
        command = self.proxy_config.get("agent_command") or settings.agent_command
        if not command:
            argv = start.kernelspec.get("argv") or [""]
            command = [argv[0], *AGENT]
        try:
            home, directory, log_file, packages = make_folders(settings.kernels_dir, start)
        except OSError as error:
            raise LaunchFailed(
                f"the kernel's folders cannot be created: {error}. Give "
                "FleetGatewayApp.kernels_dir a folder that this gateway can write to"
            ) from error
        # Without its `env`: that is in the agent's environment, below what the client asked for.
        kernelspec = {name: value for name, value in start.kernelspec.items() if name != "env"}
        uid = start.uid if os.geteuid() == 0 else None
        self._uid = os.geteuid() if uid is None else uid
        limits: dict[str, Any] = {}
        cgroup = None
        limit_bytes = chosen_memory(start.launch_options) or settings.memory.limit_bytes
        if limit_bytes:
            limits["memory_bytes"] = limit_bytes
            cgroup = settings.memory.make(directory.name, uid, limit_bytes)
        if cgroup is not None:
            limits["memory_cgroup"] = str(cgroup.kernel)
            self._cgroup = str(cgroup.folder)
        kernel_only = for_kernel_only(asked)
        environment = agent_environment(
            os.environ,
            start.kernelspec.get("env") or {},
            {name: value for name, value in asked.items() if name not in kernel_only},
            inherited=settings.inherited,
            program=command[0],
            home=str(home),
            user=start.project,
        )
        try:
            python = _python_of_agents(command, settings)
            walls = settings.walls.document(python, environment, uid, directory, start.kernelspec)
        except NoWalls as error:
            remove_cgroup(self._cgroup)
            raise LaunchFailed(str(error)) from error
        self._walls = settings.walls.kind(walls)
        self._network = settings.walls.reach(walls)
        document = start_document(
            start,
            settings,
            str(directory),
            kernelspec=kernelspec,
            cwd=str(home),
            environment={**kernel_only, **start.chosen_environment},
            packages={"folder": str(packages)},
            **limits,
            **walls,
        )
        self.ip = "127.0.0.1"
        self._log_file = str(log_file)
        self._directory = str(directory)
        prepare = cgroup.take_agent if cgroup is not None else _no_preparation
        try:
            with open(log_file, "ab") as output:
                file = output.fileno()
                try:
                    self.pid = _fork(
                        start.holder, settings, command, document, environment, uid, file, prepare
                    )
                except ForkFailed:
                    self._run(command, document, environment, uid, file, prepare)
        except BaseException:
            remove_cgroup(self._cgroup)
            raise
        self.pgid = self.pid
        self._started = started_at(self.pid)

    def _run(
        self,
        command: list[str],
        document: Mapping[str, Any],
        environment: Mapping[str, str],
        uid: int | None,
        output: int,
        prepare: Callable[[int], None],
    ) -> None:
        """Starts the agent as a separate program."""
        options: dict[str, Any] = {}
        if uid is not None:
            options = {"user": uid, "group": uid, "extra_groups": []}
        try:
            self._process = start_process(
                command,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                cwd=START_FOLDER,
                env=environment,
                start_new_session=True,
                umask=0o077,
                close_fds=True,
                **options,
            )
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            raise LaunchFailed(f"{command[0]} cannot be started: {error}") from error
        self.pid = self._process.pid
        self._started = started_at(self.pid)
        try:
            # Before the agent has read what to start.
            prepare(self.pid)
            # Waits for the agent only if the document is longer than a pipe holds.
            with self._process.stdin as stdin:  # type: ignore[union-attr]
                write_within(stdin.fileno(), json.dumps(document).encode(), DOCUMENT_SECONDS)
        except OSError as error:
            self._end()
            raise LaunchFailed(
                self._last_words() or f"the agent ended before it was told what to start: {error}"
            ) from error

    def _look(self) -> AgentLife:
        if self._host != this_host():
            return AgentLife.UNKNOWN
        if self._process is not None:
            # Also collects it, so that it does not stay a zombie of ours.
            self._process.poll()
        if self._boot != boot_id() or self._started is None:
            return AgentLife.DEAD
        return AgentLife.ALIVE if started_at(self.pid) == self._started else AgentLife.DEAD

    def _end(self) -> None:
        if self._host != this_host() or self._boot != boot_id() or self._started is None:
            return
        if started_at(self.pid) == self._started:
            # They lead sessions of their own, and so does the kernel.
            kill_descendants(self.pid, END_SECONDS)
        # The agent leads its session. While it lives its number is the session's; once it is gone
        # the number stays taken as long as the session has members, and is nobody's otherwise.
        if started_at(self.pid) in (self._started, None):
            kill_session(self.pid, self._uid)
        if self._process is not None:
            # One that runs a set-user-ID program is not ours to kill.
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(END_SECONDS)
        wait_for_end(self.pid, self._started, END_SECONDS)
        # First what could still write there.
        end_cgroup(self._cgroup, CGROUP_SECONDS)
        self._remove_directory()

    def _remove_directory(self) -> bool:
        return remove_directory(Path(self._directory), self.kernel_id)

    def _last_words(self) -> str:
        if self._host != this_host() or not self._log_file:
            return ""
        try:
            with open(self._log_file, "rb") as log:
                log.seek(0, os.SEEK_END)
                log.seek(max(0, log.tell() - LAST_WORDS_BYTES))
                return log.read().decode(errors="replace").strip()
        except OSError:
            return ""


def _fork(
    holder: str,
    settings: AgentSettings,
    command: list[str],
    document: Mapping[str, Any],
    environment: Mapping[str, str],
    uid: int | None,
    output: int,
    prepare: Callable[[int], None],
) -> int:
    """The process id of an agent that was forked; raises ForkFailed."""
    python, *arguments = command
    if arguments != AGENT:
        raise ForkFailed(f"{command} is not the agent alone")
    return settings.fork_servers.fork(
        Environment.of(holder, python, uid, environment),
        environment,
        # As gateway_ext.agent.fork_server reads it.
        [command, environment, json.dumps(document)],
        output,
        settings.kernels_dir / "logs" / f"fork-server-{Path(document['cwd']).name}.log",
        prepare,
    )


def _python_of_agents(command: list[str], settings: AgentSettings) -> str:
    """The interpreter with which to try what this machine allows agents: of another command than
    theirs nobody knows what it runs."""
    python, *arguments = command
    return python if arguments == AGENT else (settings.agent_command or [python])[0]


def chosen_memory(options: Mapping[str, Any]) -> int:
    """The bytes that a kernel and what it starts may use, if whoever starts it has chosen that; 0
    if not."""
    chosen = options.get("memory")
    return 0 if chosen is None else int(kubernetes_amount(chosen))


def _no_preparation(pid: int) -> None:
    return
