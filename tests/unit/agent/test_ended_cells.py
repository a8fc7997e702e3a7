"""Which messages of a kernel that is being ended clients do not get."""

from __future__ import annotations

import json

from gateway_ext.agent.ended_cells import EndedCells


def test_the_interrupt_that_ends_a_kernel_is_hidden_with_the_end_of_its_cell() -> None:
    cells = EndedCells()
    interrupt = json.dumps({"ename": "KeyboardInterrupt", "status": "error"}).encode()
    idle = json.dumps({"execution_state": "idle"}).encode()
    assert not cells.hides("status", "r", idle)
    assert cells.hides("error", "r", interrupt)
    assert cells.hides("execute_reply", "r", interrupt)
    assert cells.hides("status", "r", idle)
    assert not cells.hides("status", "other", idle)


def test_all_else_that_it_says_is_passed_on() -> None:
    cells = EndedCells()
    error = json.dumps({"ename": "ValueError", "status": "error"}).encode()
    assert not cells.hides("error", "r", error)
    assert not cells.hides("execute_reply", "r", b"{no JSON")
    assert not cells.hides("stream", "r", b'{"name": "stdout", "text": "KeyboardInterrupt"}')
    assert not cells.hides("status", "r", b'{"execution_state": "idle"}')
