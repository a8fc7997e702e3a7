"""`python -m tests.chaos`: hundreds of faults in batches, each on a fleet of its own.

What is done is kept in a file: the same seed goes on where it was interrupted. A batch is made
again exactly (the same faults in the same order) by `--seed SEED --only BATCH`.
"""

import argparse
import asyncio
import json
import shutil
import statistics
import sys
import tempfile
import uuid
from collections import Counter
from pathlib import Path

from tests.chaos.chaos import Chaos
from tests.servers.seaweedfs import start_seaweedfs


def run_batch(seed: str, batch: int, options: argparse.Namespace) -> dict[str, object]:
    """One batch; what it did and what was wrong."""
    print(f"batch {batch} of seed {seed}", flush=True)
    directory = Path(tempfile.mkdtemp(prefix="fleet-store-"))
    store = start_seaweedfs(directory)
    try:
        chaos = Chaos(
            gateways=options.gateways,
            labs=options.labs,
            kernels=options.kernels,
            store=store,
            say=lambda line: print(line, flush=True),
        )

        async def run() -> None:
            await chaos.run(f"{seed}-{batch}", options.faults)
            if not chaos.violations:
                await chaos.end_kernels()

        try:
            asyncio.run(run())
        finally:
            chaos.stop()
    finally:
        store.stop()
        shutil.rmtree(directory, ignore_errors=True)
    for violation in chaos.violations:
        print(f"VIOLATION {violation}", flush=True)
    if chaos.violations:
        print(f"see {chaos.directory}", flush=True)
    return {
        "faults": dict(chaos.done),
        "healthy": chaos.healthy,
        "violations": chaos.violations,
    }


def main() -> int:
    """Runs the batches that are not done yet; 1 if there was a violation in any."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", default=uuid.uuid4().hex[:8], help="a new one unless given")
    parser.add_argument("--batches", type=int, default=10)
    parser.add_argument("--only", type=int, metavar="BATCH", help="make one batch again")
    parser.add_argument("--faults", type=int, default=30, help="in each batch (30)")
    parser.add_argument("--gateways", type=int, default=3)
    parser.add_argument("--labs", type=int, default=2)
    parser.add_argument("--kernels", type=int, default=20)
    parser.add_argument("--state", type=Path, help="the file that keeps what is done")
    options = parser.parse_args()
    state = options.state or Path(tempfile.gettempdir()) / f"fleet-chaos-{options.seed}.json"
    print(f"seed {options.seed}, kept in {state}", flush=True)
    done = json.loads(state.read_text()) if state.exists() else {}
    batches = range(options.batches) if options.only is None else [options.only]
    for batch in batches:
        if options.only is not None or str(batch) not in done:
            done[str(batch)] = run_batch(options.seed, batch, options)
            state.write_text(json.dumps(done))
    faults: Counter[str] = Counter()
    healthy: list[float] = []
    for result in done.values():
        faults.update(result["faults"])
        healthy += result["healthy"]
    violations = [violation for result in done.values() for violation in result["violations"]]
    for name, count in sorted(faults.items()):
        print(f"{count:5} {name}")
    print(f"{faults.total():5} faults in all, {len(violations)} violations")
    if healthy:
        middle, longest = statistics.median(healthy), max(healthy)
        print(f"well again after {middle:.1f} s (median), {longest:.1f} s at most")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
