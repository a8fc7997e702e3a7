"""`python -m tests.bench [row …]`: measures and prints the tables."""

import argparse
import importlib
import pkgutil
import shutil
import sys
import tempfile
from pathlib import Path

from tests.bench import rows
from tests.bench.bench import Bench, machine
from tests.bench.table import show


def main() -> int:
    """Runs the named rows, or all of them."""
    known = sorted(module.name for module in pkgutil.iter_modules(rows.__path__))
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="row", help=f"of {', '.join(known)}")
    parser.add_argument("--rounds", type=int, default=7, help="rounds that count (7)")
    arguments = parser.parse_args()
    unknown = set(arguments.rows) - set(known)
    if unknown:
        parser.error(f"there is no row {min(unknown)!r}: choose from {', '.join(known)}")
    for name in arguments.rows or known:
        directory = Path(tempfile.mkdtemp(prefix="fleet-bench-"))
        before = machine()
        try:
            bench = Bench(arguments.rounds, directory)
            with bench.stack:
                table = importlib.import_module(f"tests.bench.rows.{name}").run(bench)
        finally:
            shutil.rmtree(directory, ignore_errors=True)
        print(f"\n{show(table)}\nbefore: {before}\nafter:  {machine()}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
