"""The agent as a program: reads its start document from stdin and runs until it is ended."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import logging.handlers
import os
import signal
import sys

from .agent import Agent
from .forked_kernel import ForkedKernel, fork_kernel
from .kernel_process import prepare_directory
from .start_document import StartDocument, StartDocumentError, parse_start_document


def main() -> None:
    """Run one agent that was started as a program."""
    run(sys.stdin.read())


def run(text: str) -> None:
    """Run the agent of this start document; exits with 2 if it or its directory cannot be used."""
    try:
        document = parse_start_document(text)
        prepare_directory(document.directory)
    except (StartDocumentError, OSError) as error:
        print(f"jupyter-fleet-agent: {error}", file=sys.stderr)
        sys.exit(2)
    os.umask(0o077)
    # Refused where whoever started the agent has given it a session of its own already.
    with contextlib.suppress(PermissionError):
        os.setsid()
    kernel = fork_kernel(document)
    _log_into(document)
    logging.getLogger("fleet.agent").info("agent started, process %s", os.getpid())
    asyncio.run(_run(document, kernel))


def _log_into(document: StartDocument) -> None:
    handler = logging.handlers.RotatingFileHandler(
        document.directory / "agent.log", maxBytes=2**20, backupCount=1
    )
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logging.getLogger().addHandler(handler)
    logging.getLogger("fleet.agent").setLevel(logging.INFO)


async def _run(document: StartDocument, kernel: ForkedKernel | None) -> None:
    agent = Agent(document, kernel)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, agent.end, f"the agent was ended by {number.name}")
    await agent.run()
