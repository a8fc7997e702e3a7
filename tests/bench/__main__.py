"""`python -m tests.bench [row …]`: measures and prints the tables.

Exits with 1 if something that was promised is not kept.
"""

import argparse
import importlib
import pkgutil
import shutil
import sys
import tempfile
from pathlib import Path

from tests.bench import rows
from tests.bench.bars import show_bars
from tests.bench.bench import Bench, machine
from tests.bench.table import add_kept, keep, show


def main() -> int:
    """Runs the named rows, or all of them; 1 if one does not keep what was promised."""
    known = sorted(module.name for module in pkgutil.iter_modules(rows.__path__))
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="row", help=f"of {', '.join(known)}")
    parser.add_argument("--rounds", type=int, default=7, help="rounds that count (7)")
    parser.add_argument(
        "--keep",
        type=Path,
        metavar="FOLDER",
        help="where to write rounds down: a later run with the same folder adds to them",
    )
    arguments = parser.parse_args()
    unknown = set(arguments.rows) - set(known)
    if unknown:
        parser.error(f"there is no row {min(unknown)!r}: choose from {', '.join(known)}")
    unmet = False
    for name in arguments.rows or known:
        directory = Path(tempfile.mkdtemp(prefix="fleet-bench-"))
        before = machine()
        kept = arguments.keep / f"{name}.json" if arguments.keep else None
        row = importlib.import_module(f"tests.bench.rows.{name}")
        try:
            bench = Bench(arguments.rounds, directory, kept)
            with bench.stack:
                table = row.run(bench)
        finally:
            shutil.rmtree(directory, ignore_errors=True)
        if kept is not None:
            kept.parent.mkdir(parents=True, exist_ok=True)
            add_kept(table, kept)
            keep(table, kept)
        bars = show_bars(table, row.bars(table)) if hasattr(row, "bars") else []
        unmet |= any(bar.met is False for bar in bars)
        text = "\n".join(bar.text for bar in bars)
        print(f"\n{show(table)}\n{text}\nbefore: {before}\nafter:  {machine()}", flush=True)
    return 1 if unmet else 0


if __name__ == "__main__":
    sys.exit(main())
