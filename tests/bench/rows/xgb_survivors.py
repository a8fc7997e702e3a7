"""How soon the survivors are back when one of N workers is killed, or frozen.

From the signal until all members of the next world are connected with each other: the survivors,
with the rows of the lost one among them. Side figures: milliseconds until all had come out of the
round that broke and their newest state was at the driver; until all began the next round, when the
lost rows have their matrix again; rounds lost. Each measurement is a training of its own, small, so
that what is seen is not the time of a round.
"""

from tests.bench.bars import Bar
from tests.bench.bench import Bench, Measure
from tests.bench.table import Table
from tests.bench.xgb import process

OURS, BAR = "ours", "promised"
HEARTBEAT_SECONDS = 4.0
ROWS = 40_000


def bars(table: Table) -> list[Bar]:
    """What was promised: 100 ms, and a second above the heartbeat."""
    return [Bar(line, BAR, at_most=1) for line in table.lines]


def run(bench: Bench) -> Table:
    """The table, or one that says why there is none."""
    legend = "median ms (lowest..highest), side figures: out of the round ms, next round ms, lost"
    title = f"Survivors back, {ROWS} x 50"
    table = Table(title, [OURS, BAR], OURS, legend, shows_highest=True)
    folder = str(bench.directory / "dense")

    def measure(workers: int, how: str) -> Measure:
        def act() -> tuple[float, dict[str, float]]:
            seen = process.run(
                "survivors", folder=folder, workers=workers, how=how, heartbeat=HEARTBEAT_SECONDS
            )
            if seen["survivors"] != workers - 1:
                raise RuntimeError(f"{seen['survivors']} of {workers - 1} survivors came back")
            return seen["ms"], {n: seen[n] for n in ("back_ms", "next_round_ms", "rounds_lost")}

        return act

    def promised(milliseconds: float) -> Measure:
        return lambda: (milliseconds, {})

    try:
        process.run("make_dense", folder=folder, rows=ROWS)
    except process.Missing as error:
        table.absent[OURS] = str(error)
        return table
    frozen = 1000 * (HEARTBEAT_SECONDS + 1)
    lines = {
        f"SIGKILL, {n} workers": {OURS: measure(n, "SIGKILL"), BAR: promised(100)}
        for n in range(2, 9)
    }
    lines["SIGSTOP, 3 workers"] = {OURS: measure(3, "SIGSTOP"), BAR: promised(frozen)}
    bench.interleave(table, lines, warm_up=False)
    return table
