"""Code that prints more than the agent takes waits, and nothing else of the kernel does."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gateway_ext.agent.output_credit import MOST_BUFFERED, MOST_OWED
from tests.integration.agent.credited_kernel import SAY_WHEN_WAITING, CreditedKernel
from tests.integration.agent.scripted_gateway import Fleet, Stream, until

MB = 2**20
LINES = 400
PRINT = f"{SAY_WHEN_WAITING}\nfor i in range({LINES}): print(str(i) * 30_000)\n"
PRINTED = "".join(f"{str(i) * 30_000}\n" for i in range(LINES))
"""About 31 MB."""
DONE = "import pathlib; pathlib.Path('done').touch()"

DISPLAY = """
for i in range(40): display({"text/plain": "x" * 1_000_000}, raw=True)
"""
SEND = """
import comm
one = comm.create_comm(target_name="nobody")
for i in range(40): one.send({"x": "y" * 1_000_000})
"""
START_A_PROGRAM = """
import os
os.system("yes " + "z" * 100 + " | head -c 31000000")
"""
FROM_A_FORK = """
import os
if (child := os.fork()) == 0:
    %s
    for i in range(40): print("x" * 1_000_000)
    os._exit(0)
os.waitpid(child, 0)
"""


def hold_back(kernel: CreditedKernel, code: str) -> str:
    """Run a cell while nothing of what it says counts as taken; returns the request's id once the
    cell waits, not done."""
    kernel.allowed = kernel.got
    request = kernel.execute(f"{code}\n{DONE}")
    kernel.until(lambda: kernel.there("waiting"), "the cell waits")
    assert not kernel.there("done")
    return request


@pytest.mark.parametrize(
    "code",
    [
        PRINT,
        SAY_WHEN_WAITING + DISPLAY,
        SAY_WHEN_WAITING + SEND,
        SAY_WHEN_WAITING + START_A_PROGRAM,
        FROM_A_FORK % "\n    ".join(SAY_WHEN_WAITING.splitlines()),
        "import threading\ndef other():\n"
        + "".join(f"    {line}\n" for line in PRINT.splitlines())
        + "thread = threading.Thread(target=other)\nthread.start()\nthread.join()",
    ],
    ids=["print", "display", "widget", "program", "fork", "thread"],
)
def test_what_is_not_taken_makes_code_wait_until_it_is(tmp_path: Path, code: str) -> None:
    with CreditedKernel(tmp_path) as kernel:
        request = hold_back(kernel, code)
        # A pipe from the fork to the kernel holds some of it as well.
        kernel.until(lambda: kernel.got > MOST_OWED // 2, "what may be owed")
        assert kernel.got - (kernel.allowed or 0) < MOST_OWED + MOST_BUFFERED + 4 * MB
        kernel.allowed = None
        assert kernel.reply(request)["status"] == "ok"
        kernel.until(lambda: kernel.is_idle(request), "idle")
        assert kernel.there("done")
        assert kernel.got > 30e6
        if code == PRINT:
            assert kernel.text(request) == PRINTED


def test_code_that_waits_can_be_interrupted(tmp_path: Path) -> None:
    with CreditedKernel(tmp_path) as kernel:
        request = hold_back(kernel, PRINT)
        kernel.interrupt()
        assert kernel.reply(request)["ename"] == "KeyboardInterrupt"
        kernel.until(lambda: kernel.is_idle(request), "idle")
        assert not kernel.there("done")
        kernel.allowed = None
        assert kernel.run("print('goes on')") == "goes on\n"


NOISY = """
kernel = get_ipython().kernel
stock = kernel.control_handlers["usage_request"]
async def noisy(*arguments):
    print("x" * 20_000_000)
    display({"text/plain": "y" * 20_000_000}, raw=True)
    await stock(*arguments)
kernel.control_handlers["usage_request"] = noisy
"""


def test_while_code_waits_the_kernel_beats_and_answers_on_control_and_shell(tmp_path: Path) -> None:
    with CreditedKernel(tmp_path) as kernel:
        kernel.run(NOISY)
        request = hold_back(kernel, PRINT)
        assert kernel.beats()
        # The thread of the control channel does not wait even when it prints and displays itself.
        usage = kernel.ask("control", "usage_request")
        assert kernel.reply(usage)["pid"] == kernel.process.pid
        kernel.until(lambda: kernel.is_idle(usage), "output of the control channel")
        made = kernel.ask("control", "create_subshell_request")
        subshell = kernel.reply(made)["subshell_id"]
        info = kernel.ask("shell", "kernel_info_request", subshell_id=subshell)
        assert kernel.reply(info)["status"] == "ok"
        assert kernel.beats()
        assert not kernel.there("done")
        kernel.allowed = None
        assert kernel.reply(request)["status"] == "ok"


def test_code_goes_on_when_the_agent_is_gone(tmp_path: Path) -> None:
    agent = subprocess.Popen(["sleep", "600"])
    try:
        with CreditedKernel(tmp_path, agent=agent.pid) as kernel:
            request = hold_back(kernel, PRINT)
            agent.kill()
            agent.wait()
            assert kernel.reply(request)["status"] == "ok"
    finally:
        agent.kill()
        agent.wait()


def test_half_of_a_character_takes_no_other_text_along(tmp_path: Path) -> None:
    with CreditedKernel(tmp_path) as kernel:
        assert kernel.run(r"print('a'); print('\ud800'); print('b')") == "a\n?\nb\n"


def test_an_error_with_half_of_a_character_is_shown(tmp_path: Path) -> None:
    with CreditedKernel(tmp_path) as kernel:
        assert kernel.reply(kernel.execute(r"raise ValueError('\ud800')"))["evalue"] == "?"


def test_without_credit_nothing_waits(tmp_path: Path) -> None:
    with CreditedKernel(tmp_path, credit=False) as kernel:
        kernel.allowed = 0
        request = kernel.execute(f"{PRINT}\n{DONE}")
        assert kernel.reply(request)["status"] == "ok"
        kernel.until(lambda: kernel.is_idle(request), "idle")
        assert kernel.text(request) == PRINTED
        assert not kernel.there("waiting")


def test_what_is_printed_before_anybody_listens_is_not_owed(tmp_path: Path) -> None:
    line = f"exec({SAY_WHEN_WAITING!r})\nfor i in range(200): print('x' * 100_000)"
    argument = f"--IPKernelApp.exec_lines={line}"
    with CreditedKernel(tmp_path, argument, subscribe=False) as kernel:
        kernel.until(lambda: kernel.there("waiting"), "the kernel waits while it starts")
        kernel.subscribe()
        (tmp_path / "waiting").unlink()
        # And all that may be owed can be used by what is printed afterwards.
        assert kernel.run(f"{SAY_WHEN_WAITING}\nprint('z' * 3_000_000)") == "z" * 3_000_000 + "\n"
        assert not kernel.there("waiting")


def test_programs_that_code_starts_do_not_have_the_kernel_s_credit(tmp_path: Path) -> None:
    with CreditedKernel(tmp_path) as kernel:
        assert kernel.run("import os; print(os.environ.get('FLEET_CREDIT'))") == "None\n"


def test_200_mb_with_a_slow_reader_take_little_memory(tmp_path: Path) -> None:
    with CreditedKernel(tmp_path) as kernel:
        kernel.run("print('x' * 100_000)")
        before = kernel.memory()
        kernel.allowed = kernel.got
        request = kernel.execute("for i in range(2000): print('x' * 99_999)")
        # Half of what may be owed at a time.
        while (want := kernel.allowed + MOST_OWED // 2) < 200_000_000:
            kernel.until(lambda want=want: kernel.got >= want, "more output")  # type: ignore[misc]
            kernel.messages.clear()
            kernel.allowed = want
        kernel.allowed = None
        assert kernel.reply(request)["status"] == "ok"
        assert kernel.peak_memory() - before < 60 * MB


def test_a_print_of_1_mb_is_sent_at_once(tmp_path: Path) -> None:
    """Two of them in one message would take twice as much memory in each copy of that."""
    with CreditedKernel(tmp_path) as kernel:
        # Only how much waits, and not for how long, causes it to be sent.
        kernel.run(
            "import sys, time\nsys.stdout.flush_interval = 3600\n"
            "written = sys.stdout.write('x' * 1_000_000)\n"
            "while sum(one.tell() for one in sys.stdout._buffers.values()): time.sleep(0.01)\n"
            "sys.stdout.write('after')"
        )
        sent = [
            len(content["text"])
            for kind, _, content in kernel.messages
            if kind == "stream" and content["name"] == "stdout"
        ]
    assert sent == [1_000_000, len("after")]


def test_ipython_keeps_nothing_of_what_is_printed_and_says_so(tmp_path: Path) -> None:
    with CreditedKernel(tmp_path) as kernel:
        kernel.run("print('printed')\n'result'")
        kept = (
            "[o.output_type for all in get_ipython().history_manager.outputs.values() for o in all]"
        )
        assert kernel.run(f"print({kept})") == "['execute_result']\n"
        exported = kernel.execute("%notebook exported.ipynb")
        assert kernel.reply(exported)["status"] == "ok"
        kernel.until(lambda: kernel.is_idle(exported), "idle")
        assert "What cells printed is not in this file" in kernel.text(exported, "stderr")
        assert "'result'" in (tmp_path / "exported.ipynb").read_text()


def test_libraries_find_ipykernel_s_own_classes(tmp_path: Path) -> None:
    with CreditedKernel(tmp_path) as kernel:
        shown = kernel.run("import sys; print(type(get_ipython()), type(sys.stdout))")
    assert shown == (
        "<class 'ipykernel.zmqshell.ZMQInteractiveShell'> <class 'ipykernel.iostream.OutStream'>\n"
    )


def test_a_kernel_waits_while_its_agent_stands_still_and_after_a_restart_too(fleet: Fleet) -> None:
    async def scenario() -> None:
        fleet.gateway()
        link, page = await fleet.running(), Stream("page")
        await page.open(link)
        for _ in range(2):
            cell = await page.execute(f"import time; time.sleep(1)\n{PRINT}\n{DONE}")
            await until(lambda cell=cell: page.of(cell, "execute_input"), 30, "the cell begins")  # type: ignore[misc]
            fleet.agent.send_signal(signal.SIGSTOP)
            try:
                await until((fleet.cwd / "waiting").exists, 60, "the cell waits")
                assert not (fleet.cwd / "done").exists()
            finally:
                fleet.agent.send_signal(signal.SIGCONT)
            await page.reply(cell, 60)
            assert page.text(cell) == PRINTED
            (fleet.cwd / "waiting").unlink()
            (fleet.cwd / "done").unlink()
            await link.command("restart")

    asyncio.run(scenario())


NO_CREDIT = """
from gateway_ext.agent import kernel_process, program
kernel_process.open_credit = lambda path: None
program.main()
"""


def test_an_agent_that_can_map_no_files_runs_kernels_all_the_same(fleet: Fleet) -> None:
    fleet.agent_command = [sys.executable, "-c", NO_CREDIT]

    async def scenario() -> None:
        fleet.gateway()
        link, page = await fleet.running(), Stream("page")
        await page.open(link)
        assert await page.run(PRINT, 60) == PRINTED

    asyncio.run(scenario())
