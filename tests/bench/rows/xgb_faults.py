"""One of four workers killed at round 25 of 60, going on without it and waiting for another.

Ray Train meets the same fault, and is run without one, on as many workers. Figures are those of
whole runs in which Ray is up already: data, start of the workers and training.

Side figures: CPU seconds, the last logloss and AUC in millionths, completed rounds that were lost.
"""

from tests.bench.bars import Bar
from tests.bench.bench import Bench, Measure
from tests.bench.table import Table
from tests.bench.xgb import process

KILLED, UNDISTURBED = "killed", "undisturbed"
RAY_KILLED, RAY = "Ray Train, killed", "Ray Train, undisturbed"
ELASTIC, WAITING = "going on with three", "waiting for a fourth"


def bars(table: Table) -> list[Bar]:
    """What was promised."""
    return [
        Bar(line, UNDISTURBED, at_most=most, figure=figure)
        for line, most in ((ELASTIC, 1.08), (WAITING, 1.15))
        for figure in (None, "CPU s")
    ]


def run(bench: Bench) -> Table:
    """The table, or one that says why there is none."""
    rows = process.rows_wanted() // 2
    legend = "median ms (lowest), side figures: CPU s, logloss 1e-6, AUC 1e-6, rounds lost"
    contestants = [KILLED, UNDISTURBED, RAY_KILLED, RAY]
    table = Table(f"A lost worker, {rows} x 50", contestants, KILLED, legend)
    folder = str(bench.directory / "dense")

    def measure(contestant: str, **arguments: bool | int) -> Measure:
        def act() -> tuple[float, dict[str, float]]:
            seen = process.run(contestant, folder=folder, rounds=60, **arguments)
            figures = {n: seen[n] for n in ("logloss_1e6", "auc_1e6", "rounds_lost")}
            return seen["ms"], {"CPU s": seen["cpu_s"], **figures}

        return act

    try:
        process.run("make_dense", folder=folder, rows=rows)
    except process.Missing as error:
        table.absent[KILLED] = str(error)
        return table
    undisturbed = measure("fault", kill_at=0, elastic=True)
    lines = {
        line: {KILLED: measure("fault", kill_at=25, elastic=elastic), UNDISTURBED: undisturbed}
        for line, elastic in ((ELASTIC, True), (WAITING, False))
    }
    bench.interleave(table, lines, warm_up=False)
    if bench.kept is None or not bench.kept.exists():
        # Once: what they show is tens of seconds, and all of it takes minutes.
        for name, kill_at in ((RAY_KILLED, 25), (RAY, 0)):
            milliseconds, figures = measure("fault_ray_train", kill_at=kill_at)()
            table.cell(WAITING, name).add(milliseconds, **figures)
    return table
