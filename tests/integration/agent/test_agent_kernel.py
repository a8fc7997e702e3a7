"""A real kernel under the agent: its channels, its life and its end."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.integration.agent.scripted_gateway import REPOSITORY, Fleet, Stream, is_running, until


def kernel(*argv: str, **more: object) -> dict[str, object]:
    """A kernelspec."""
    return {"display_name": "K", "language": "python", "argv": list(argv), **more}


IPYKERNEL = ("python", "-m", "ipykernel_launcher", "-f", "{connection_file}")
FLEET_KERNEL = ("python", "-m", "gateway_ext.agent.python_kernel", "-f", "{connection_file}")


@pytest.mark.parametrize("transport", ["ipc", "tcp"])
def test_a_cell_runs_and_its_output_and_reply_come_back(fleet: Fleet, transport: str) -> None:
    async def scenario() -> None:
        fleet.gateway()
        spec = kernel(*IPYKERNEL, metadata={"fleet": {"transport": transport}})
        link = await fleet.running(kernelspec=spec)
        page = Stream("page")
        assert (await page.open(link))["gap"] is None
        assert await page.run("print(6 * 7)") == "42\n"
        assert psutil.Process(link.state["pid"]).ppid() == fleet.agent.pid
        assert link.state["kernel_info"]["language_info"]["name"] == "python"
        await until(lambda: link.state["execution_state"] == "idle", 30, "idle in the state")
        # ipykernel itself opens one port, for what its forked children print; the five channels
        # are ports only if the kernelspec asks for it.
        ports = len(psutil.Process(link.state["pid"]).net_connections(kind="tcp"))
        assert ports <= 1 if transport == "ipc" else ports > 5

    asyncio.run(scenario())


def test_our_python_kernel_listens_at_no_port_and_its_forks_are_heard(fleet: Fleet) -> None:
    async def scenario() -> None:
        fleet.gateway()
        link = await fleet.running(kernelspec=kernel(*FLEET_KERNEL))
        page = Stream("page")
        await page.open(link)
        where = "from ipykernel.connect import get_connection_file; print(get_connection_file())"
        folder = Path((await page.run(where)).strip()).parent
        fork = "import os, sys\nif not os.fork(): print('fork', flush=True); os._exit(0)\nos.wait()"
        cell = await page.execute(fork)
        await until(lambda: "fork" in page.text(cell), 20, "the fork's output")
        assert psutil.Process(link.state["pid"]).net_connections(kind="tcp") == []
        # What stands at the socket's place does not keep the kernel from restarting.
        (socket,) = [path for path in folder.rglob("*-6") if path.is_socket()]
        socket.unlink()
        socket.mkdir()
        (socket / "file").touch()
        await link.command("restart")
        await page.open(link)
        assert await page.run("print(6 * 7)") == "42\n"

    asyncio.run(scenario())


def test_any_number_of_clients_come_and_go_and_so_many_at_once(fleet: Fleet) -> None:
    # Sockets of ZMQ and file descriptors, of the agent and of the kernel, would be used up.
    async def scenario() -> None:
        fleet.gateway()
        link = await fleet.running()
        for number in range(400):
            gone = Stream(f"gone-{number}")
            await gone.open(link)
            await gone.close()
        pages = [Stream(f"page-{number}") for number in range(100)]
        for page in pages:
            await page.open(link)
        assert await pages[0].run("print(6 * 7)") == "42\n"
        assert await pages[-1].run("print(7 * 7)") == "49\n"
        late = Stream("late")
        with pytest.raises(AssertionError, match="100 clients are connected"):
            await late.open(link)
        await pages[0].close()
        await late.open(link)
        assert await late.run("print(8 * 7)") == "56\n"

    asyncio.run(scenario())


def test_the_state_says_busy_while_a_cell_runs_even_when_control_is_idle(fleet: Fleet) -> None:
    async def scenario() -> None:
        fleet.gateway()
        link = await fleet.running()
        page = Stream("page")
        await page.open(link)
        cell = await page.execute(
            "import os, time\nwhile not os.path.exists('go'): time.sleep(0.05)"
        )
        await until(lambda: link.state["execution_state"] == "busy", 30, "busy")
        # What the agent reports of the first one has come before the second one's end.
        for _ in range(2):
            info = await page.send("control", "kernel_info_request", {})
            await until(lambda info=info: page.of(info, "kernel_info_reply"), 20, "a reply")
            await until(lambda info=info: page.idle(info), 20, "idle on control")
        assert not page.of(cell, "execute_reply")
        assert link.state["execution_state"] == "busy"
        (fleet.cwd / "go").touch()
        await page.reply(cell)
        await until(lambda: link.state["execution_state"] == "idle", 30, "idle")

    asyncio.run(scenario())


def test_input_asks_the_page_that_runs_the_cell_and_gets_its_answer(fleet: Fleet) -> None:
    async def scenario() -> None:
        fleet.gateway()
        link = await fleet.running()
        page, other = Stream("page"), Stream("other")
        await page.open(link)
        await other.open(link)
        cell = await page.execute("print('hello', input('name? '))", allow_stdin=True)
        await until(lambda: page.of(cell, "input_request"), 30, "input_request")
        await page.send("stdin", "input_reply", {"value": "Ada"})
        await page.reply(cell)
        assert page.text(cell) == "hello Ada\n"
        await until(lambda: other.idle(cell), 30, "the other page sees the output")
        assert other.text(cell) == "hello Ada\n"
        assert not other.of(None, "input_request")
        assert not other.of(None, "execute_reply")

    asyncio.run(scenario())


@pytest.mark.parametrize("mode", ["signal", "message"])
def test_an_interrupt_reaches_a_running_cell(fleet: Fleet, mode: str) -> None:
    async def scenario() -> None:
        fleet.gateway()
        link = await fleet.running(kernelspec=kernel(*IPYKERNEL, interrupt_mode=mode))
        page = Stream("page")
        await page.open(link)
        cell = await page.execute("x = 1; print('on'); import time; time.sleep(60)")
        await until(lambda: page.text(cell), 30, "the cell runs")
        await link.command("interrupt")
        assert (await page.reply(cell))["ename"] == "KeyboardInterrupt"
        assert await page.run("print(x)") == "1\n"

    asyncio.run(scenario())


def test_a_restart_gives_a_new_process_to_the_same_streams(fleet: Fleet) -> None:
    async def scenario() -> None:
        fleet.gateway()
        link = await fleet.running()
        page = Stream("page")
        await page.open(link)
        await page.run("x = 1")
        before = link.state["pid"]
        last = page.received
        result = await link.command("restart")
        assert result["state"]["process"] == "running"
        assert result["state"]["pid"] != before
        assert not is_running(before)
        assert await page.run("print('x' in globals())") == "False\n"
        assert page.messages[-1]["sequence"] > last
        assert [s["process"] for s in link.states if s["process"] == "dead"] == []

    asyncio.run(scenario())


def test_a_busy_kernel_can_be_restarted(fleet: Fleet) -> None:
    async def scenario() -> None:
        fleet.gateway()
        link = await fleet.running()
        page = Stream("page")
        await page.open(link)
        cell = await page.execute("print('on', flush=True)\nwhile True: pass")
        await until(lambda: page.text(cell), 30, "the cell runs")
        begun = time.monotonic()
        await link.command("restart")
        assert time.monotonic() - begun < 15
        assert await page.run("print('new')") == "new\n"

    asyncio.run(scenario())


@pytest.mark.parametrize("command", ["shutdown", "restart"])
def test_a_cell_whose_kernel_is_ended_says_that_and_not_that_it_was_interrupted(
    fleet: Fleet, command: str
) -> None:
    async def scenario() -> None:
        fleet.gateway()
        link = await fleet.running()
        page = Stream("page")
        await page.open(link)
        cell = await page.execute("print('on', flush=True)\nwhile True: pass")
        await until(lambda: page.text(cell), 30, "the cell runs")
        await link.command(command)
        await until(lambda: page.of(cell, "execute_reply"), 20, "its reply")
        (reply,) = page.of(cell, "execute_reply")
        words = "shut down" if command == "shutdown" else "restarted"
        assert reply["content"]["ename"] == "KernelDied"
        assert reply["content"]["evalue"] == f"the kernel was {words}"
        assert page.of(cell, "error") == []
        states = [m["content"]["execution_state"] for m in page.of(cell, "status")]
        assert states == ["busy", "idle"]

    asyncio.run(scenario())


def test_a_kernel_that_crashes_is_started_again_and_pages_are_told(fleet: Fleet) -> None:
    async def scenario() -> None:
        fleet.gateway()
        link = await fleet.running()
        page = Stream("page")
        await page.open(link)
        await page.run("import os, sys, time")
        cell = await page.execute(
            "print('last words'); sys.stdout.flush(); time.sleep(.3); os._exit(3)"
        )
        await until(lambda: link.state["restarts"] == 1, 30, "a restart")
        await until(lambda: link.state["process"] == "running", 20, "runs again")
        assert page.text(cell) == "last words\n"
        spoken = [m["content"]["execution_state"] for m in page.of(None, "status")]
        assert "restarting" in spoken
        reasons = [m["content"].get("reason") for m in page.of(None, "status")]
        assert "the kernel ended with exit code 3" in reasons
        assert "dead" not in spoken
        assert await page.run("print('os' in globals())") == "False\n"

    asyncio.run(scenario())


def test_a_kernel_that_never_starts_is_dead_after_five_restarts_with_its_last_words(
    fleet: Fleet,
) -> None:
    async def scenario() -> None:
        gateway = fleet.gateway()
        broken = kernel(sys.executable, "-c", "import sys; sys.exit('no module named sense')")
        fleet.start(kernelspec=broken)
        link = await gateway.link()
        page = Stream("page")
        await page.open(link)
        await until(lambda: link.state["process"] == "dead", 30, "dead")
        assert link.state["restarts"] == 5
        assert "exit code 1" in link.state["reason"]
        assert "no module named sense" in link.state["reason"]
        spoken = [m["content"]["execution_state"] for m in page.of(None, "status")]
        assert spoken[-1] == "dead"
        # The agent stays, to say so and to start it when somebody has fixed it.
        result = await link.command_frame(link.epoch, "interrupt")
        assert not result["ok"]
        assert "dead" in result["message"]

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"kernelspec": kernel("/no/such/program")}, "/no/such/program does not exist"),
        ({"kernelspec": kernel("/etc/passwd")}, "/etc/passwd cannot be started: Permission"),
        ({"cwd": "/no/such/folder"}, "/no/such/folder: no such folder"),
    ],
)
def test_a_kernel_that_cannot_be_started_is_dead_with_the_reason_in_words(
    fleet: Fleet, changes: dict[str, object], words: str
) -> None:
    async def scenario() -> None:
        gateway = fleet.gateway()
        fleet.start(**changes)
        link = await gateway.link()
        await until(lambda: link.state["process"] == "dead", 30, "dead")
        assert words in link.state["reason"]
        result = await link.command_frame(link.epoch, "restart")
        assert not result["ok"]
        assert words in result["message"]

    asyncio.run(scenario())


@pytest.mark.parametrize("now", [False, True])
def test_shutdown_ends_kernel_agent_and_directory(fleet: Fleet, now: bool) -> None:
    async def scenario() -> None:
        fleet.gateway()
        link = await fleet.running()
        page = Stream("page")
        await page.open(link)
        # What a cell leaves behind in the background goes too.
        child = int(
            await page.run("import subprocess; print(subprocess.Popen(['sleep', '300']).pid)")
        )
        pid = link.state["pid"]
        assert (fleet.directory.stat().st_mode & 0o777) == 0o700
        await link.command("shutdown", now=now)
        assert not is_running(pid)
        await fleet.agent_ends()
        assert fleet.agent.returncode == 0
        assert not is_running(child)
        assert not fleet.directory.exists()
        assert link.state["process"] == "dead"

    asyncio.run(scenario())


def test_sigterm_ends_the_kernel_then_the_agent_and_the_gateway_is_told(fleet: Fleet) -> None:
    async def scenario() -> None:
        fleet.gateway()
        other = fleet.gateway()
        link = await fleet.running()
        pid = link.state["pid"]
        fleet.agent.send_signal(signal.SIGTERM)
        await fleet.agent_ends()
        assert not is_running(pid)
        await until(link.closed.is_set, 30, "the connection ends")
        assert link.state["process"] == "dead"
        assert "SIGTERM" in link.state["reason"]
        # A success would hide from a cluster that it ended its container itself.
        assert fleet.agent.returncode == 128 + signal.SIGTERM
        # Nor does it go to another gateway, which would have it for a moment.
        assert other.links.empty()

    asyncio.run(scenario())


def test_no_kernel_outlives_an_agent_that_was_killed(fleet: Fleet) -> None:
    async def scenario() -> None:
        fleet.gateway()
        # A program that knows nothing of JPY_PARENT_PID, as kernels of other languages.
        fleet.start(kernelspec=kernel("sleep", "300"))
        gateway = fleet._gateways[0]
        link = await gateway.link()
        await until(lambda: link.state["pid"], 30, "started")
        pid = link.state["pid"]
        os.kill(fleet.agent.pid, signal.SIGKILL)
        fleet.agent.wait()
        await until(lambda: not is_running(pid), 30, "the kernel is gone")

    asyncio.run(scenario())


def test_a_directory_too_long_for_a_unix_socket_is_no_hindrance(fleet: Fleet) -> None:
    async def scenario() -> None:
        fleet.gateway()
        fleet.directory = fleet.directory / ("long" * 25)
        link = await fleet.running()
        page = Stream("page")
        await page.open(link)
        assert await page.run("print('ok')") == "ok\n"
        await link.command("shutdown", now=False)
        await fleet.agent_ends()

    asyncio.run(scenario())


def test_files_of_people_do_not_shadow_what_the_agent_imports(fleet: Fleet) -> None:
    async def scenario() -> None:
        fleet.gateway()
        for name in ("random", "zmq", "tornado"):
            (fleet.cwd / f"{name}.py").write_text("raise SystemExit('shadowed')")
        fleet.agent_cwd, fleet.cwd = fleet.cwd, Path("/")
        link = await fleet.running()
        page = Stream("page")
        await page.open(link)
        assert await page.run("print('ok')") == "ok\n"

    asyncio.run(scenario())


def test_a_message_sent_while_the_kernel_starts_waits_for_it(fleet: Fleet) -> None:
    async def scenario() -> None:
        gateway = fleet.gateway()
        fleet.start()
        link = await gateway.link()
        assert link.state["process"] == "starting"
        page = Stream("page")
        await page.open(link)
        assert await page.run("print('early')") == "early\n"

    asyncio.run(scenario())


def test_an_interrupt_drops_what_waits_for_a_kernel_that_starts(fleet: Fleet) -> None:
    async def scenario() -> None:
        gateway = fleet.gateway()
        gate = fleet.cwd / "gate"
        code = (
            f"import os, time\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.1)\n"
            "from ipykernel import kernelapp; kernelapp.launch_new_instance()"
        )
        fleet.start(kernelspec=kernel(sys.executable, "-c", code, "-f", "{connection_file}"))
        link = await gateway.link()
        page, other = Stream("page"), Stream("other")
        await page.open(link)
        await other.open(link)
        information = await page.send("shell", "kernel_info_request", {})
        cells = [await page.execute("print('dropped')"), await other.execute("print('dropped')")]
        await link.command("interrupt")
        for stream, cell in zip((page, other), cells, strict=True):
            assert await stream.reply(cell) == {"status": "aborted"}
        assert link.state["process"] == "starting"
        gate.touch()
        assert await page.run("print('after')") == "after\n"
        assert page.of(information, "kernel_info_reply")
        assert not page.text(cells[0])

    asyncio.run(scenario())


LATE_IOPUB = """
import threading
from ipykernel.kernelapp import IPKernelApp

class LateApp(IPKernelApp):
    def init_iopub(self, context):
        bind, self._bind_socket = self._bind_socket, lambda socket, port: port
        super().init_iopub(context)
        self._bind_socket = bind
        late = lambda: bind(self.iopub_socket, self.iopub_port)
        threading.Timer(4, self.iopub_thread.io_loop.add_callback, [late]).start()

LateApp.launch_instance()
"""


def test_nothing_is_lost_if_the_kernel_answers_long_before_its_output_is_heard(
    fleet: Fleet,
) -> None:
    async def scenario() -> None:
        fleet.gateway()
        argv = ("python", "-c", LATE_IOPUB, "-f", "{connection_file}")
        link = await fleet.running(kernelspec=kernel(*argv))
        page = Stream("page")
        await page.open(link)
        assert await page.run("print(6 * 7)") == "42\n"

    asyncio.run(scenario())


def test_a_kernel_is_what_its_command_line_and_environment_say(fleet: Fleet) -> None:
    # ipykernel runs in a fork of the agent: nothing of the agent's may show.
    async def scenario() -> None:
        fleet.gateway()
        link = await fleet.running(kernelspec=kernel(*IPYKERNEL, env={"FROM_SPEC": "yes"}))
        page = Stream("page")
        await page.open(link)
        code = (
            "import os, sys, __main__, threading\n"
            "print(os.path.basename(sys.argv[0]), sys.argv[1:], os.getcwd(), os.getsid(0) == "
            "os.getpid(), os.environ['FROM_SPEC'], __main__.__name__, 'gateway' in str(__main__),"
            "os.environ['JPY_PARENT_PID'] == str(os.getppid()), sys.stdin.read())"
        )
        connection = str(fleet.directory / "connection.json")
        assert (await page.run(code)).strip() == (
            f"ipykernel_launcher.py {['-f', connection]} {fleet.cwd} True yes __main__ False True"
        )
        process = psutil.Process(link.state["pid"])
        # As much of it as the agent's own command line had room for.
        assert process.cmdline()[1:3] == ["-m", "ipykernel_launche"]
        # The agent's own connections and logs are not open in the kernel.
        files = f"/proc/{process.pid}/fd"
        targets = [os.readlink(f"{files}/{number}") for number in os.listdir(files)]
        assert not [name for name in targets if name.endswith(("agent.log", "agent-stderr"))]

    asyncio.run(scenario())


def test_a_kernelspec_s_variables_count_from_the_first_process_on(fleet: Fleet) -> None:
    # As in a container, where they are in the start document and not in the agent's environment.
    async def scenario() -> None:
        fleet.gateway()
        variables = {"PYTHONHASHSEED": "0", "PYTHONPATH": "/of-spec", "TZ": "Asia/Shanghai"}
        link = await fleet.running(kernelspec=kernel(*FLEET_KERNEL, env=variables))
        page = Stream("page")
        await page.open(link)
        code = (
            "import sys, time\n"
            "print(sys.flags.hash_randomization, '/of-spec' in sys.path, time.localtime(0).tm_hour,"
            f"{str(REPOSITORY)!r} in sys.path)"
        )
        assert await page.run(code) == "0 True 8 True\n"
        await link.command("restart")
        assert await page.run(code) == "0 True 8 True\n"

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"kernelspec": {"argv": []}}, "kernelspec.argv"),
        ({"gateways": ["ftp://x"]}, "gateways must be"),
        ({"agent_key": "zz"}, "agent_key must be hexadecimal"),
        ({"journal_memory_bytes": 0}, "journal_memory_bytes must be a number above 0"),
        ({"journal_disk_bytes": -1}, "journal_disk_bytes must be a whole number from 0"),
        ({"journal_comm_bytes": -1}, "journal_comm_bytes must be a whole number from 0"),
    ],
)
def test_a_start_document_that_cannot_be_used_is_refused_in_words(
    fleet: Fleet, changes: dict[str, object], words: str
) -> None:
    fleet.start(**{"gateways": ["http://127.0.0.1:1"], **changes})
    assert fleet.agent.wait(20) == 2
    assert words in fleet.errors.read_text()
    assert not fleet.directory.exists()
