"""A training that runs beside the notebook keeps its kernel."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest

# Neither half imports the other: the name is all that they share.
from gateway_ext.agent.leases import VARIABLE, is_leased
from gateway_ext.xgb_ray.background import Background


class Waiting(Background[int]):
    """Does nothing until it is stopped."""

    def __init__(self) -> None:
        self._stopped = threading.Event()
        self._begin()

    def carry_out(self) -> None:
        self._stopped.wait()
        self._result = 1

    def stop(self) -> None:
        self._stopped.set()

    stop_now = stop
    events: Any = ()

    def status(self) -> str:
        return "waiting"


def until(reached: Any) -> None:
    end = time.monotonic() + 10
    while not reached():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_background_work_holds_a_lease_until_it_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    work = Waiting()
    until(lambda: is_leased(tmp_path, time.time()))
    # If the kernel's process hangs, nobody renews it.
    assert not is_leased(tmp_path, time.time() + 61)
    work.stop()
    assert work.wait(10) == 1
    until(lambda: not list(tmp_path.iterdir()))


def test_work_goes_on_without_a_fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("", str(tmp_path / "missing")):
        monkeypatch.setenv(VARIABLE, folder)
        work = Waiting()
        work.stop()
        assert work.wait(10) == 1
