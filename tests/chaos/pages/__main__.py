"""`python -m tests.chaos.pages [lines|kills|elsewhere|first …]`: one script for a page of this
project and of those that it is compared with.

Prints what was lost and doubled by contender and seed, and exits with 1 if anything was with this
project. The same seed makes the same faults.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from playwright.sync_api import Browser

from tests.bench.bench import machine
from tests.chaos.pages import lines
from tests.chaos.pages.chromium import CONTENDERS, chromium, running
from tests.chaos.pages.contender import Contender
from tests.chaos.pages.elsewhere import run_elsewhere
from tests.chaos.pages.first import run_first
from tests.chaos.pages.fleet_contender import FleetContender
from tests.chaos.pages.kills import run_kills

SCRIPTS = ("lines", "kills", "elsewhere", "first")
SHORT_KILLS, FULL_KILLS = 10, 200
SHORT_NOTEBOOKS, FULL_NOTEBOOKS = 4, 20
SHORT_SECONDS, FULL_SECONDS = 15.0, 300.0
ARTIFACTS = Path(__file__).parents[3] / "artifacts"

Log = Callable[[str], None]


class Outcome(Protocol):
    """What a script found; as text, for people."""

    @property
    def right(self) -> bool: ...


def outcomes(
    script: str, browser: Browser, contender: Contender, options: argparse.Namespace, log: Log
) -> Iterator[Outcome]:
    """Run one script with one contender, for each seed."""
    if script == "elsewhere":
        yield run_elsewhere(
            browser, contender, FULL_SECONDS if options.full else SHORT_SECONDS, log
        )
        return
    for number in range(options.seeds):
        seed = f"{options.seed}-{number}" if options.seeds > 1 else options.seed
        if script == "kills":
            kills = options.kills or (FULL_KILLS if options.full else SHORT_KILLS)
            yield run_kills(browser, contender, seed, kills, log)
        elif script == "first":
            notebooks = FULL_NOTEBOOKS if options.full else SHORT_NOTEBOOKS
            yield run_first(browser, contender, seed, notebooks, log)
        else:
            size = lines.FULL if options.full else lines.SHORT
            yield lines.LinesRun(browser, contender, seed, size, log).run()


def log_of(what: str) -> Log:
    """Prints lines with the seconds since now."""
    began = time.monotonic()

    def log(line: str) -> None:
        print(f"{time.monotonic() - began:6.1f} {what}: {line}", flush=True)

    return log


def main() -> int:
    """Run what the command line names; its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.pages", description=__doc__)
    parser.add_argument("scripts", nargs="*", metavar="script", help=f"of {', '.join(SCRIPTS)}")
    parser.add_argument("--only", action="append", choices=list(CONTENDERS), help="contenders")
    parser.add_argument("--seed", default=uuid.uuid4().hex[:8], help="a new one unless given")
    parser.add_argument(
        "--seeds", type=int, default=1, help="so many runs, with seeds of their own"
    )
    parser.add_argument("--kills", type=int, help="so many, instead of 10 or 200")
    parser.add_argument("--full", action="store_true", help="as promised, which takes hours")
    options = parser.parse_args()
    unknown = set(options.scripts) - set(SCRIPTS)
    if unknown:
        parser.error(f"there is no script {min(unknown)!r}: choose from {', '.join(SCRIPTS)}")
    # Whoever ends a run gets its fleet ended, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    print(f"seed {options.seed}; {machine()}", flush=True)
    table: list[str] = []
    failed = False
    for name in options.only or CONTENDERS:
        with running(name) as contender, chromium() as browser:
            for script in options.scripts or SCRIPTS:
                log = log_of(f"{name} {script}")
                for outcome in outcomes(script, browser, contender, options, log):
                    word = "right" if outcome.right else "WRONG"
                    table.append(f"{name:8} {script:10} {word}: {outcome}")
                    print(table[-1], flush=True)
                    failed |= name == FleetContender.name and not outcome.right
            if isinstance(contender, FleetContender):
                ARTIFACTS.mkdir(exist_ok=True)
                (ARTIFACTS / "pages-fleet.log").write_text(contender.fleet.log())
    print("\n", *table, machine(), sep="\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
