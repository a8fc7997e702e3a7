"""The time budget of a run, and the clusters as fixtures."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.chaos.left_over import FIRST, processes
from tests.clusters.budget import FAILURES_FILE, is_over, why_unavailable
from tests.clusters.inside import is_inside, run_folder
from tests.clusters.memory import LIMIT, MemoryWatch

HERE = Path(__file__).parent
LOG_LINES = 15

_memory = MemoryWatch()


def pytest_sessionstart() -> None:
    """Measures the memory of the run's processes from now on."""
    if is_inside():
        _memory.start()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skips the tests of clusters that cannot be had, with the reason."""
    for item in items:
        # Every conftest is asked about all tests there are.
        if HERE in item.path.parent.parents:
            reason = why_unavailable(item.path.relative_to(HERE).parts[0])
            if reason is not None:
                item.add_marker(pytest.mark.skip(reason=reason))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skips what begins after the end of the run's time."""
    if is_over():
        pytest.skip("the time for tests on real clusters is over")
    _memory.test = item.nodeid


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Writes failures down at once, for a run that is cut off later."""
    if report.failed and is_inside():
        with (run_folder() / FAILURES_FILE).open("a") as failures:
            failures.write(f"FAILED {report.nodeid}\n")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Shows with a failure what the clusters and the gateways logged last."""
    report = yield
    if report.failed and is_inside():
        fleet = getattr(item, "funcargs", {}).get("fleet")
        logs = list(run_folder().glob("*/*.log"))
        if fleet is not None:
            logs += fleet.gateways.directory.glob("*.log")
        for log in sorted(logs):
            # The audit log is no help, and very long.
            if log.name != "audit.log":
                lines = log.read_text(errors="replace").splitlines()[-LOG_LINES:]
                report.sections.append((f"end of {log.name}", "\n".join(lines)))
    return report


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fails the run if a process is left when all fixtures have ended theirs. Says what memory they
    took."""
    if not is_inside():
        return
    _memory.stop()
    size, test = _memory.peak
    print(f"\nmemory: {size / 1e9:.1f} GB at most, in {test or 'no test'}")
    if size > LIMIT:
        print(f"that is more than {LIMIT / 1e9:.0f} GB")
    left = [pid for pid in processes() if pid not in (FIRST, os.getpid())]
    if left:
        print("\nprocesses that nobody ended:", *map(_command, left), sep="\n  ")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _command(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/cmdline") as words:
            return f"{pid} {words.read().replace(chr(0), ' ')}"
    except OSError:
        return f"{pid} (ended meanwhile)"
