"""A kernel that its agent ends begins no other cell."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from ipykernel.ipkernel import IPythonKernel

from gateway_ext.agent.credit_file import CreditFile
from gateway_ext.agent.ending_kernel import begin_no_cell_at_the_end
from gateway_ext.agent.output_credit import Credit


def test_requests_are_aborted_once_the_agent_ends_the_kernel(tmp_path: Path) -> None:
    done: list[tuple[str, Any]] = []

    async def execute(_stream: object, _identities: object, request: object) -> None:
        done.append(("ran", request))

    kernel = SimpleNamespace(
        shell_handlers={"execute_request": execute},
        _send_abort_reply=lambda _stream, request, _identities: done.append(("aborted", request)),
    )
    file = CreditFile(tmp_path / "credit")
    begin_no_cell_at_the_end(cast(IPythonKernel, kernel), Credit(file.path, os.getpid()))
    handler = cast(Any, kernel.shell_handlers["execute_request"])
    asyncio.run(handler(None, [], 1))
    # What its code prints may go on for a while.
    file.taken(2**40)
    file.release()
    asyncio.run(handler(None, [], 2))
    file.end()
    asyncio.run(handler(None, [], 3))
    assert done == [("ran", 1), ("ran", 2), ("aborted", 3)]


def test_the_next_process_begins_cells_again(tmp_path: Path) -> None:
    CreditFile(tmp_path / "credit").end()
    file = CreditFile(tmp_path / "credit")
    assert not Credit(file.path, os.getpid()).is_ending


def test_a_kernel_of_an_agent_of_the_version_before_has_credit_and_is_not_told(
    tmp_path: Path,
) -> None:
    file = CreditFile(tmp_path / "credit")
    os.truncate(file.path, 8)
    credit = Credit(file.path, os.getpid())
    credit.wait(lambda: 0)
    assert not credit.is_ending
