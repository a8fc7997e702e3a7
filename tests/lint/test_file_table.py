"""The table in `labextension/README.md` names every source file, and no other."""

import re
from pathlib import Path

LABEXTENSION = Path(__file__).parents[2] / "labextension"


def test_the_table_names_every_source_file() -> None:
    readme = (LABEXTENSION / "README.md").read_text()
    rows = [line.split("|")[1] for line in readme.splitlines() if line.startswith("| `src/")]
    named = [name for row in rows for name in re.findall(r"`([^`]+)`", row)]
    sources = sorted(
        path.relative_to(LABEXTENSION).as_posix() for path in LABEXTENSION.glob("src/**/*.ts")
    )
    assert sorted(named) == sources, "add or remove rows in labextension/README.md"
