"""One of four workers killed at round 25 of 60, going on without it and waiting for another.

Side figures: CPU seconds, the last logloss in millionths, completed rounds that were lost, and
milliseconds until the survivors were back.
"""

from tests.bench.bench import Bench, Measure
from tests.bench.table import Table
from tests.bench.xgb import process

OURS, ELASTIC, WAITING = "undisturbed", "killed, elastic", "killed, waiting"


def run(bench: Bench) -> Table:
    """The table, or one that says why there is none."""
    rows = process.rows_wanted() // 2
    legend = "median ms (lowest), side figures: CPU s, logloss 1e-6, rounds lost, back ms"
    table = Table(f"A lost worker, {rows} x 50", [OURS, ELASTIC, WAITING], OURS, legend)
    folder = str(bench.directory / "dense")

    def measure(kill_at: int, elastic: bool) -> Measure:
        def act() -> tuple[float, dict[str, float]]:
            seen = process.run("fault", folder=folder, rounds=60, kill_at=kill_at, elastic=elastic)
            names = ("cpu_s", "logloss_1e6", "rounds_lost", "back_ms")
            return seen["ms"], {n: seen[n] for n in names}

        return act

    try:
        process.run("make_dense", folder=folder, rows=rows)
    except process.Missing as error:
        table.absent[OURS] = str(error)
        return table
    contestants = {OURS: measure(0, True), ELASTIC: measure(25, True), WAITING: measure(25, False)}
    bench.interleave(table, {"60 rounds, 4 workers": contestants})
    return table
