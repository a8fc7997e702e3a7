"""The agent as a program: reads its start document and runs until it is ended."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from .agent import Agent
from .agent_log import AgentLog
from .forked_kernel import can_be_forked, fork_kernel
from .freed_memory import return_freed_memory
from .kernel_folder import make_kernel_folder
from .orphans import adopt_orphans
from .start_document import StartDocument, StartDocumentError, parse_start_document
from .walls.confinement import takes_nothing_else_away
from .walls.waiting_process import WaitingProcess


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one agent that was started as a program; exits with 2 if it has no start document, and as
    `run` does."""
    parser = argparse.ArgumentParser(prog="jupyter-fleet-agent", description=__doc__)
    parser.add_argument(
        "--document",
        type=Path,
        metavar="FILE",
        help="where the start document is; without it: on standard input",
    )
    file = parser.parse_args(arguments).document
    kernel = fork_kernel(release=lambda: None)
    try:
        text = sys.stdin.read() if file is None else file.read_text(encoding="utf-8")
    except OSError as error:
        print(f"jupyter-fleet-agent: {error}", file=sys.stderr)
        sys.exit(2)
    run(text, kernel, file)


def run(text: str, forked: WaitingProcess, file: Path | None = None) -> None:
    """Run the agent of this start document; exits with 2 if it or its directory cannot be used, and
    with 128 + N if it was ended by signal N: whoever watches it must not see a success. `forked`
    can become its kernel's first process; `file` is where the document is, if it is in one."""
    try:
        document = parse_start_document(text)
        if file is not None and document.walls is not None and takes_nothing_else_away(str(file)):
            # It has the agent's key.
            document = replace(document, walls=document.walls.also_hiding(str(file.absolute())))
        make_kernel_folder(document.directory)
    except (StartDocumentError, OSError) as error:
        print(f"jupyter-fleet-agent: {error}", file=sys.stderr)
        sys.exit(2)
    os.umask(0o077)
    container = dict(os.environ)
    # What the kernel gets where the gateway could not give it to the agent's process.
    os.environ.update(document.environment)
    if not document.keep_process_group:
        # Refused where whoever started the agent has given it a session of its own already.
        with contextlib.suppress(PermissionError):
            os.setsid()
    kernel = forked if can_be_forked(document, sys.executable, container) else None
    if kernel is None:
        forked.dismiss()
    else:
        kernel.prepare()
    # Not before: what suits the agent need not suit the kernel's code.
    return_freed_memory()
    _log_into(document)
    adopt_orphans()
    logging.getLogger("fleet.agent").info("agent started, process %s", os.getpid())
    number = asyncio.run(_run(document, kernel, container))
    if number is not None:
        # Not by the signal itself: as the first process of a container it would not end by it.
        sys.exit(128 + number)


def _log_into(document: StartDocument) -> None:
    logging.getLogger().addHandler(AgentLog(document.directory / "agent.log"))
    logging.getLogger("fleet.agent").setLevel(logging.INFO)


async def _run(
    document: StartDocument, kernel: WaitingProcess | None, container: Mapping[str, str]
) -> int | None:
    """Returns the number of the signal that has ended the agent, None if it was none."""
    agent = Agent(document, kernel, container)
    ended_by: list[int] = []
    loop = asyncio.get_running_loop()
    # Whoever ends a container by its process group kills what has not ended in a fraction of a
    # second.
    end = agent.end_at_once if document.keep_process_group else agent.end

    def signaled(number: signal.Signals) -> None:
        if not agent.is_ending:
            ended_by.append(number)
        end(f"the agent was ended by {number.name}")

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, signaled, number)
    loop.add_signal_handler(signal.SIGCHLD, agent.reap)
    await agent.run()
    return ended_by[0] if ended_by else None
