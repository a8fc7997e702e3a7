"""What was measured, and the table that shows it."""

import json
import statistics
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass
class Cell:
    """One contestant in one line: milliseconds of each round, and exact side figures."""

    milliseconds: list[float] = field(default_factory=list)
    figures: dict[str, list[float]] = field(default_factory=dict)

    @property
    def median(self) -> float:
        return statistics.median(self.milliseconds)

    def add(self, milliseconds: float, **figures: float) -> None:
        """One round's result."""
        self.milliseconds.append(milliseconds)
        for name, value in figures.items():
            self.figures.setdefault(name, []).append(value)


@dataclass
class Table:
    """`ours` is the contestant that ratios compare with; `absent`: who could not run, and why."""

    title: str
    contestants: list[str]
    ours: str
    legend: str = "median ms (lowest)"
    shows_highest: bool = False
    lines: dict[str, dict[str, Cell]] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)

    def cell(self, line: str, contestant: str) -> Cell:
        """The cell, made if it is new."""
        return self.lines.setdefault(line, {}).setdefault(contestant, Cell())


def keep(table: Table, file: Path) -> None:
    """Write down what was measured, for `add_kept`."""
    cells = {line: {n: asdict(c) for n, c in row.items()} for line, row in table.lines.items()}
    file.write_text(json.dumps(cells))


def add_kept(table: Table, file: Path) -> None:
    """Put the rounds that an earlier run wrote down before those of the table."""
    if not file.exists():
        return
    for line, row in json.loads(file.read_text()).items():
        for contestant, before in row.items():
            cell = table.cell(line, contestant)
            cell.milliseconds[:0] = before["milliseconds"]
            for name, values in before["figures"].items():
                cell.figures[name] = values + cell.figures.get(name, [])


def show(table: Table) -> str:
    """The table as text: medians, lowest values, side figures, and each peer's ratio to ours."""
    header = ["", *table.contestants]
    rows = [header]
    for line, cells in table.lines.items():
        ours = cells.get(table.ours)
        row = [line]
        for contestant in table.contestants:
            row.append(
                _show_cell(
                    cells.get(contestant), ours, contestant == table.ours, table.shows_highest
                )
            )
        rows.append(row)
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    text = [table.title, f"{table.legend}; xN: a peer's median, ours being 1", ""]
    for number, row in enumerate(rows):
        text.append("  ".join(value.ljust(width) for value, width in zip(row, widths, strict=True)))
        if number == 0:
            text.append("  ".join("-" * width for width in widths))
    text += [f"{name}: not available: {why}" for name, why in table.absent.items()]
    return "\n".join(line.rstrip() for line in text)


def _show_cell(cell: Cell | None, ours: Cell | None, is_ours: bool, shows_highest: bool) -> str:
    if cell is None or not cell.milliseconds:
        return "-"
    highest = f"..{max(cell.milliseconds):.1f}" if shows_highest else ""
    shown = f"{cell.median:.1f} ({min(cell.milliseconds):.1f}{highest})"
    for values in cell.figures.values():
        shown += f" {statistics.median(values):.0f}"
    if ours is not None and ours.milliseconds and not is_ours:
        shown += f" x{cell.median / ours.median:.2f}"
    return shown
