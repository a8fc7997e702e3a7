"""`python -m tests.chaos`: hundreds of faults in batches, each on a fleet of its own.

What is done is kept in a file: the same seed goes on where it was interrupted. A batch is made
again exactly (the same faults in the same order) by `--seed SEED --only BATCH`. As root all of it
lives in namespaces of its own, and cables are pulled too.
"""

import argparse
import asyncio
import fcntl
import json
import shutil
import statistics
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.chaos.chaos import Chaos
from tests.chaos.network import Network, can_be_cut, run_inside
from tests.servers.seaweedfs import start_seaweedfs

WITHOUT_CABLES = 2
"""Of three batches this one. An agent that must leave its gateway's host cannot be forked there,
as agents usually are."""


def run_batch(batch: int, options: argparse.Namespace, network: Network | None) -> dict[str, Any]:
    """One batch; what it did and what was wrong."""
    cables = network if batch % 3 != WITHOUT_CABLES else None
    where = "gateways on hosts of their own" if cables else "all on one host"
    print(f"batch {batch} of seed {options.seed}, {where}", flush=True)
    folder = options.folder / str(batch)
    (folder / "store").mkdir(parents=True)
    store = start_seaweedfs(folder / "store")
    try:
        chaos = Chaos(
            gateways=options.gateways,
            labs=options.labs,
            kernels=options.kernels,
            store=store,
            say=lambda line: print(line, flush=True),
            network=cables,
            alone=network is not None,
            directory=folder,
        )

        async def run() -> None:
            until = time.monotonic() + options.seconds
            await chaos.run(f"{options.seed}-{batch}", options.faults, until)
            if not chaos.violations:
                await chaos.end_kernels()

        try:
            asyncio.run(run())
        finally:
            chaos.stop()
    finally:
        store.stop()
    for violation in chaos.violations:
        print(f"VIOLATION {violation}", flush=True)
    if chaos.violations:
        print(f"see {folder}", flush=True)
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return {
        "faults": dict(chaos.done),
        "healthy": chaos.healthy,
        "violations": chaos.violations,
    }


def make_batches(options: argparse.Namespace) -> int:
    """Makes the batches that are not done yet, each in namespaces of its own where those can be
    made; the exit code of the first one that could not be made."""
    batches = range(options.batches) if options.only is None else [options.only]
    again = [sys.executable, "-m", "tests.chaos", *sys.argv[1:]]
    for batch in batches:
        if options.only is None and str(batch) in done_in(options.state):
            continue
        with run_folder() as options.folder:
            if not can_be_cut():
                make_batch(batch, options, None)
                continue
            own = ["--seed", options.seed, "--only", batch, "--state", options.state]
            code = run_inside([*again, *map(str, own), "--folder", str(options.folder)])
            if code != 0:
                return code
    return 0


def make_batch(batch: int, options: argparse.Namespace, network: Network | None) -> None:
    """Runs a batch and writes down what came of it."""
    result = run_batch(batch, options, network)
    options.state.write_text(json.dumps({**done_in(options.state), str(batch): result}))


def done_in(state: Path) -> dict[str, dict[str, Any]]:
    """What came of each batch that is done, by its number."""
    return dict(json.loads(state.read_text())) if state.exists() else {}


def sum_up(results: Iterable[dict[str, Any]]) -> int:
    """Prints what all batches say; 1 if there was a violation in any."""
    faults: Counter[str] = Counter()
    healthy: list[float] = []
    violations = 0
    for result in results:
        faults.update(result["faults"])
        healthy += result["healthy"]
        violations += len(result["violations"])
    for name, count in sorted(faults.items()):
        print(f"{count:5} {name}")
    print(f"{faults.total():5} faults in all, {violations} violations")
    if healthy:
        middle, longest = statistics.median(healthy), max(healthy)
        print(f"well again after {middle:.1f} s (median), {longest:.1f} s at most")
    if not can_be_cut():
        print("NOT DONE: cuts of the network, which need root for network namespaces")
    return 1 if violations else 0


def main() -> int:
    """What the command line asks for; its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", default=uuid.uuid4().hex[:8], help="a new one unless given")
    parser.add_argument("--batches", type=int, default=10)
    parser.add_argument("--only", type=int, metavar="BATCH", help="make one batch again")
    parser.add_argument("--faults", type=int, default=30, help="in each batch (30)")
    parser.add_argument(
        "--seconds", type=float, default=float("inf"), help="end a batch after so long"
    )
    parser.add_argument("--gateways", type=int, default=3)
    parser.add_argument("--labs", type=int, default=2)
    parser.add_argument("--kernels", type=int, default=20)
    parser.add_argument("--state", type=Path, help="the file that keeps what is done")
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.folder is not None:
        make_batch(options.only, options, Network())
        return 0
    kept = Path(tempfile.gettempdir()) / f"fleet-chaos-{options.seed}.json"
    options.state = options.state or kept
    print(f"seed {options.seed}, kept in {options.state}", flush=True)
    return make_batches(options) or sum_up(done_in(options.state).values())


@contextmanager
def run_folder() -> Iterator[Path]:
    """A folder for this run. What is still in it at the end is of batches with violations, and
    stays; the folders of runs that were killed go."""
    for marker in Path("/tmp").glob("fleet-chaos-*/running"):
        with suppress(OSError), marker.open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(marker.parent)
    folder = Path(tempfile.mkdtemp(prefix="fleet-chaos-", dir="/tmp"))
    folder.chmod(0o711)
    begun, marker = folder / "begun", folder / "running"
    with begun.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        # Not before it is locked, or a run that begins at the same moment would take it for ended.
        begun.rename(marker)
        try:
            yield folder
        except KeyboardInterrupt:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        marker.unlink()
    with suppress(OSError):
        folder.rmdir()


if __name__ == "__main__":
    sys.exit(main())
