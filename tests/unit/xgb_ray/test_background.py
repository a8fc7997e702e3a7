"""Interrupts while something runs in the background."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading

import pytest

from gateway_ext.xgb_ray.background import Background


class Work(Background[str]):
    """Ends when it is stopped at once. Being asked to stop is interrupted too."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._leave = threading.Event()
        self._begin()

    @property
    def events(self) -> list[str]:
        return []

    def status(self) -> str:
        return ""

    def carry_out(self) -> None:
        self._leave.wait(30)
        self._result = "done"

    def stop(self) -> None:
        self.asked.append("soon")
        raise KeyboardInterrupt

    def stop_now(self) -> None:
        self.asked.append("now")
        self._leave.set()


def test_an_interrupt_that_comes_while_the_first_is_handled() -> None:
    work, interrupts = Work(), 0

    def look() -> None:
        nonlocal interrupts
        interrupts += 1
        if interrupts == 1:
            raise KeyboardInterrupt

    heard: list[str] = []
    assert work.wait_interruptibly(look, lambda: heard.append("first")) == 2
    assert work.asked == ["soon", "now"]
    assert heard == ["first"]
    assert work.result == "done"


def test_a_process_that_ends_while_work_goes_on_does_not_abort() -> None:
    # As Kubernetes' client does it: the work waits in Python, called by Rust, called by Python.
    program = """
        import time
        from pydantic import validate_call
        from gateway_ext.xgb_ray.background import Background

        @validate_call
        def ask(seconds: float) -> None:
            time.sleep(seconds)

        class Work(Background[str]):
            stopped = False
            events = ()
            def __init__(self): self._begin()
            def status(self): return ""
            def stop(self): pass
            def stop_now(self): self.stopped = True
            def carry_out(self):
                while not self.stopped:
                    ask(0.001)

        work = Work()
        time.sleep(0.1)

        class EndsLate:
            def __del__(self): time.sleep(0.2)

        late = EndsLate()
    """
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (ended.returncode, ended.stderr) == (0, "")


def test_a_wait_that_is_too_short() -> None:
    work = Work()
    with pytest.raises(TimeoutError, match=r"the training is still running after 0\.1 s"):
        work.wait(0.1)
    work.stop_now()
    assert work.wait(20) == "done"
