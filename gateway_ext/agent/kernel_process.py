"""The kernel's process: started as the agent's child, and gone whenever the agent is gone."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from jupyter_client.connect import write_connection_file

from .call_lines import VARIABLE as CALLS
from .credit_file import VARIABLE as CREDIT
from .credit_file import CreditFile, open_credit, waits_for_credit
from .forked_kernel import die_with_parent, is_forkable
from .kernel_folder import clear, make_kernel_folder
from .kernel_log import KernelLog
from .kernel_network import KernelNetwork
from .leases import VARIABLE as LEASES
from .leases import leases_folder
from .memory_limit import MemoryLimit
from .own_code import keeps_own_code
from .own_programs import search_path, write_own_programs
from .package_site import END_WITH, LEFT_OUT, is_empty, site_environment
from .process_group import kernel_group
from .socket_folder import SocketFolder
from .start_document import StartDocument, kernelspec_variables
from .start_files import FOLDER, start_file_variables, without_start_files
from .walls.confinement import confine
from .walls.fallback import as_machine_allows, without_way
from .walls.links import program_paths
from .walls.network import REACH, WHY, Network, network_variables
from .walls.order import Order, Place
from .walls.outside import FIRST_PROCESS, EndedInside, FirstProcess
from .walls.places import Walls, needed_by_python
from .walls.waiting_process import WaitingProcess, start_walls
from .walls.way_out import NoWayOut
from .written_file import WrittenFile, open_written
from .written_region import FILE_NAME

_log = logging.getLogger("fleet.agent")

_IPC_PORTS = {"shell": 1, "iopub": 2, "stdin": 3, "control": 4, "hb": 5}


class LaunchError(Exception):
    """The kernel's process cannot be started; the message says why."""

    @staticmethod
    def words(error: LaunchError | OSError) -> str:
        """Why it cannot be started, for users. The system's words name a path of the host: the
        log has them."""
        if not isinstance(error, OSError) or not error.strerror:
            return str(error)
        _log.error("%s", error)
        return f"the kernel's own folder cannot be used: {error.strerror}"


def takes_packages(document: StartDocument) -> bool:
    """Whether this kernel can use users' packages: it is a module that the agent's own Python runs,
    and it has a folder for them."""
    return document.packages is not None and document.argv[0] in {*_own_python(), sys.executable}


def has_packages(document: StartDocument) -> bool:
    """Whether this kernel can use users' packages, and there are some. Reads the folder."""
    packages = document.packages
    return packages is not None and takes_packages(document) and not is_empty(packages.folder)


def _own_python() -> set[str]:
    version = sys.version_info
    return {"python", f"python{version[0]}", f"python{version[0]}.{version[1]}"}


def kernel_argv(document: StartDocument, connection_file: Path) -> list[str]:
    """The command with its placeholders filled in, as jupyter_client fills them in.

    A bare `python` is the agent's own interpreter.
    """
    values = {
        "connection_file": str(connection_file),
        "kernel_id": document.claimed_as or document.kernel_id,
        "prefix": sys.prefix,
        "resource_dir": document.resource_dir,
    }
    argv = [
        re.sub(r"\{([A-Za-z0-9_]+)\}", lambda m: values.get(m.group(1), m.group(0)), argument)
        for argument in document.argv
    ]
    if argv[0] in _own_python():
        argv[0] = sys.executable
    return without_start_files([argv[0], *(os.path.expanduser(argument) for argument in argv[1:])])


def program_argv(document: StartDocument, argv: Sequence[str], left_out: str) -> list[str]:
    """How a kernel with this command starts where it is not forked; `left_out` as in
    `kernel_environment`."""
    program, *arguments = argv
    if is_forkable(argv, sys.executable):
        return [program, "-P", "-m", "gateway_ext.agent.late_folders", *arguments]
    if takes_packages(document) and not left_out:
        return [program, "-P", "-m", "gateway_ext.agent.package_site", *arguments]
    return [*argv]


def kernel_environment(
    document: StartDocument,
    environment: Mapping[str, str],
    parent: int,
    left_out: str = "",
    call_socket: Path | None = None,
    credit: CreditFile | None = None,
) -> dict[str, str]:
    """The agent's environment with the kernelspec's `env`, in which ${NAME} is expanded, and the
    variables for users' packages; `left_out` says why these are left out. `call_socket` is where
    the kernel's code can call the fleet, None if it cannot; `credit` the file that says how much of
    its output was taken.

    With JPY_PARENT_PID, ipykernel notices that its parent has ended, and how much it may print as
    long as that lives; `parent` is the parent's process id as the kernel sees it.
    """
    result = dict(environment)
    result |= kernelspec_variables(document, environment)
    result = keeps_own_code(result)
    # As for the agent: others may be able to write to the home.
    result.pop("PYTHONNOUSERSITE", None)
    if sys.flags.no_user_site:
        result["PYTHONNOUSERSITE"] = "1"
    result |= start_file_variables(document.directory)
    result["JPY_PARENT_PID"] = str(parent)
    result[LEASES] = str(leases_folder(document.directory))
    # An agent that was itself started by a kernel has that kernel's.
    result.pop(CALLS, None)
    result.pop(CREDIT, None)
    if call_socket is not None:
        result[CALLS] = str(call_socket)
    if credit is not None and waits_for_credit(document.argv):
        result[CREDIT] = str(credit.path)
    for name in (REACH, WHY):
        result.pop(name, None)
    if document.packages is not None and takes_packages(document):
        folder = document.packages.folder
        result |= site_environment(folder, result)
        result["PATH"] = search_path(document.directory, folder, result.get("PATH", os.defpath))
        if document.packages.end_with:
            result[END_WITH] = document.packages.end_with
        if left_out:
            result[LEFT_OUT] = left_out
    return result


class ConnectionFiles:
    """Connection file, Unix sockets, credit and last output of one kernel."""

    def __init__(self, document: StartDocument, key: bytes, sockets: SocketFolder) -> None:
        self._document = document
        self._key = key
        self._sockets = sockets
        self.file = document.directory / "connection.json"
        self.credit: CreditFile | None = None
        """Of the process that `write` was called for last."""
        self.written: WrittenFile | None = None
        """Of that process too."""

    def write(self) -> dict[str, Any]:
        """Write the files for a new process; returns the connection file's content. Blocks, raises
        OSError.

        With `tcp` each process gets free ports of its own. What the kernel's code has removed of
        its folder is made again.
        """
        make_kernel_folder(self._document.directory)
        self._sockets.renew()
        clear(self.file)
        # The process before may have left code there.
        clear(self.file.with_name(FOLDER))
        if self._document.packages is not None and takes_packages(self._document):
            write_own_programs(self._document.directory, self._document.packages.folder)
        self.credit = open_credit(self.file.with_name("credit"))
        if waits_for_credit(self._document.argv):
            self.written = open_written(self.file.with_name(FILE_NAME))
        if self._document.transport == "tcp":
            where: dict[str, Any] = {"transport": "tcp", "ip": "127.0.0.1"}
        else:
            prefix = self._socket_prefix()
            for port in _IPC_PORTS.values():
                clear(Path(f"{prefix}-{port}"))
            where = {"transport": "ipc", "ip": prefix}
            where |= {f"{channel}_port": port for channel, port in _IPC_PORTS.items()}
        write_connection_file(
            str(self.file), key=self._key, kernel_name=self._document.kernel_name, **where
        )
        content: dict[str, Any] = json.loads(self.file.read_text())
        return content

    def walls(self) -> Walls | None:
        """The kernel's walls, with what it needs inside; None if it has none."""
        document = self._document
        if document.walls is None:
            return None
        folders = [document.cwd, Path(self._socket_prefix()).parent]
        if document.packages is not None:
            folders.append(document.packages.folder)
        # Also what operators show.
        walls = document.walls.also_writable(*document.walls.shown, *map(str, folders))
        python = needed_by_python(sys.path, (sys.prefix, sys.base_prefix))
        program, *arguments = kernel_argv(document, self.file)
        # Not in a PATH that whoever starts the kernel has chosen.
        search = os.defpath if "PATH" in document.environment else None
        found = shutil.which(program, path=search) or ""
        programs = [*program_paths(found), *program_paths(sys.executable)]
        # Paths of an installation that are not in sys.path.
        own_code = str(Path(__file__).parents[2])
        named = [*filter(os.path.isabs, [document.resource_dir, *arguments]), own_code]
        return walls.also_showing(*walls.readable, *named, *python, *programs)

    def _socket_prefix(self) -> str:
        # ZMQ appends a dash and the port, of one digit.
        return str(self._sockets.path("k-0")).removesuffix("-0")


def _before_exec(walls: Walls | None = None, own: Path = Path()) -> Callable[[], None]:
    agent = os.getpid()

    def prepare() -> None:
        die_with_parent(agent)
        if walls is not None:
            confine(walls, own)

    return prepare


def _run_outside(order: Order) -> int:
    """Start a program without namespaces; its process id."""
    process = subprocess.Popen(
        order.argv,
        env=order.environment,
        cwd=order.cwd,
        stdin=subprocess.DEVNULL,
        stdout=order.output,
        stderr=order.output,
        start_new_session=not order.keep_process_group,
        preexec_fn=_before_exec(order.walls, order.own),
    )
    # It is waited for elsewhere, and not by the Popen.
    process.returncode = 0
    return process.pid


def build_ahead(
    forked: WaitingProcess, own: Path, walls: Walls | None, limit: MemoryLimit | None
) -> None:
    """Have the walls built, under `limit`, while what `KernelProcess.start` needs is made ready;
    nothing without namespaces. `own` is the kernel's folder."""
    walls = as_machine_allows(walls)
    if walls is None or not walls.namespaces:
        return
    if limit is not None:
        limit.apply(forked.pid)
    forked.build(Place(walls, own))


class KernelProcess:
    """One process of the kernel, in the process group that `process_group` describes."""

    def __init__(
        self,
        pid: int,
        *,
        shares_group: bool = False,
        first: FirstProcess | None = None,
        network: Network | None = None,
    ) -> None:
        """`first` is the first process inside its walls, which has this process id."""
        self.pid = pid
        """The process id; stays known after the end."""
        self.network = None if network is None else KernelNetwork(network, first)
        """Its own; None if it has that of the machine."""
        self._group = kernel_group(shared=shares_group)
        loop = asyncio.get_running_loop()
        self._exit_code: asyncio.Future[int] = loop.create_future()
        descriptor = os.pidfd_open(pid)

        def ended() -> None:
            loop.remove_reader(descriptor)
            os.close(descriptor)
            _, status = os.waitpid(pid, 0)
            if self.network is not None:
                self.network.close()
            if first is not None:
                status = first.wait_status(status)
            self._exit_code.set_result(os.waitstatus_to_exitcode(status))

        loop.add_reader(descriptor, ended)

    @classmethod
    async def start(
        cls,
        document: StartDocument,
        connection_file: Path,
        log: KernelLog,
        forked: WaitingProcess | None = None,
        left_out: str = "",
        limit: MemoryLimit | None = None,
        walls: Walls | None = None,
        call_socket: Path | None = None,
        credit: CreditFile | None = None,
    ) -> KernelProcess:
        """Start the kernelspec's command, in `forked` if it is given and still there, under
        `limit` and within `walls`; raises LaunchError with the reason in words. `left_out`,
        `call_socket` and `credit` as in `kernel_environment`. No child may be reaped meanwhile.

        Must be called in the agent's main thread: the kernel is ended with the thread that
        started it.
        """
        walls = await asyncio.to_thread(as_machine_allows, walls)
        argv = kernel_argv(document, connection_file)
        if not document.cwd.is_dir():
            raise LaunchError(f"the kernel cannot be started in {document.cwd}: no such folder")
        inside = walls is not None and walls.namespaces
        parent = FIRST_PROCESS if inside else os.getpid()
        environment = kernel_environment(
            document, os.environ, parent, left_out, call_socket, credit
        )
        shares_group = document.keep_process_group
        output = log.open()
        order = Order(
            argv, environment, document.cwd, output, document.directory, shares_group, walls
        )
        try:
            if forked is not None:
                try:
                    return await cls._become(forked, order, limit)
                except NoWayOut as error:
                    order = without_way(order, error)
                except OSError:
                    # If its program cannot be started either, that error says why.
                    pass
            argv = program_argv(document, argv, left_out)
            if inside:
                order = replace(order, argv=argv)
                try:
                    return await cls._run_inside(order, limit)
                except NoWayOut as error:
                    return await cls._run_inside(without_way(order, error), limit)
            pid = _run_outside(replace(order, argv=argv))
        except FileNotFoundError as error:
            raise LaunchError(
                f"the kernel's program {argv[0]} does not exist on this machine"
            ) from error
        except (OSError, subprocess.SubprocessError) as error:
            why = getattr(error, "strerror", "") or "it cannot be kept from other processes"
            raise LaunchError(f"the kernel's program {argv[0]} cannot be started: {why}") from error
        finally:
            os.close(output)
        if limit is not None:
            limit.apply(pid)
        return cls(pid, shares_group=shares_group)

    @classmethod
    async def _run_inside(cls, order: Order, limit: MemoryLimit | None) -> KernelProcess:
        program = start_walls(order.output, _before_exec())
        try:
            return await cls._become(program, order, limit)
        except (ConnectionError, EndedInside):
            if not await asyncio.to_thread(program.was_killed):
                raise
            # For lack of memory, for example: reported like the end of any other process.
            return cls(program.pid, shares_group=order.keep_process_group)

    @classmethod
    async def _become(
        cls, waiting: WaitingProcess, order: Order, limit: MemoryLimit | None
    ) -> KernelProcess:
        if limit is not None and not waiting.is_building:
            limit.apply(waiting.pid)
        network = None if order.walls is None else order.walls.network
        told = replace(order, environment=order.environment | network_variables(network))
        # Its first process becomes a child of the main thread, whoever waits for it.
        first = await asyncio.to_thread(waiting.become, told)
        pid = waiting.pid if first is None else first.pid
        return cls(pid, shares_group=order.keep_process_group, first=first, network=network)

    async def wait(self) -> int:
        """Wait for the end; returns the exit code, negative for a signal."""
        return await asyncio.shield(self._exit_code)

    async def ends_within(self, seconds: float) -> bool:
        """Whether the process ends within this time."""
        try:
            await asyncio.wait_for(self.wait(), seconds)
        except TimeoutError:
            return False
        return True

    def signal(self, number: int) -> None:
        """Send a signal to the kernel and its children; nothing if the kernel has ended."""
        if not self._exit_code.done():
            self._group.signal(self.pid, number)

    async def end_rest(self) -> None:
        """End what the kernel, which has ended, left in its process group."""
        await self._group.end_rest(self.pid)
