"""How long a start waits for what is there already."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import zmq

from gateway_ext.agent.agent import Agent
from gateway_ext.agent.kernel_run import KernelRun
from gateway_ext.agent.kernel_state import ProcessState
from gateway_ext.agent.zmq_channels import KernelChannels
from tests.skipped_time import run
from tests.unit.agent.test_agent_process_unit import document


def test_a_kernel_whose_first_status_was_lost_is_asked_again_at_once() -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        asked = []

        def request(*_: object) -> None:
            asked.append(loop.time())
            of_kernel.info_heard.set()
            # The first one was said before anybody listened.
            if len(asked) > 1:
                loop.call_soon(of_kernel.iopub_heard.set)

        process: Any = SimpleNamespace(pid=os.getpid())
        channels: Any = SimpleNamespace(request=request)
        of_kernel = KernelRun(process, channels, False, None)
        assert await of_kernel.is_heard()
        assert len(asked) == 2
        assert loop.time() < 0.03

    run(scenario())


def test_gateways_hear_at_once_what_becomes_of_a_kernels_process(tmp_path: Path) -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        told: list[tuple[float, str, str]] = []

        def post(message: dict[str, Any]) -> None:
            state = message["state"]
            told.append((loop.time(), state["process"], state["execution_state"]))

        agent = Agent(document(tmp_path))
        sender: Any = SimpleNamespace(post=post)
        agent._sender = sender
        agent._tell()
        # This waits for more, but not with what follows.
        agent._kernel._change(execution_state="busy")
        agent._kernel._change(process=ProcessState.RUNNING)
        await asyncio.sleep(1)
        agent._kernel._change(execution_state="idle")
        agent._kernel._change(execution_state="busy")
        agent._kernel._change(execution_state="idle")
        await asyncio.sleep(1)
        assert told[1] == (0, "running", "busy")
        assert [state for _, _, state in told[2:]] == ["idle"]

    run(scenario())


def test_sockets_that_a_kernel_binds_late_are_found_soon(tmp_path: Path) -> None:
    async def scenario() -> None:
        connection = {"transport": "ipc", "ip": str(tmp_path / "k"), "iopub_port": 1}
        connection |= {"shell_port": 2, "control_port": 3, "stdin_port": 4}
        channels = KernelChannels(connection, b"key", lambda *_: None)
        channels.connect("page")
        sockets = [channels._iopub, *channels._sockets.values()]
        # ZMQ adds up to as much again.
        assert {one._socket.getsockopt(zmq.RECONNECT_IVL) <= 5 for one in sockets} == {True}
        channels.close()

    asyncio.run(scenario())
