"""Each promise of the threat model names tests that exist."""

import re
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
PAGE = REPOSITORY / "docs" / "threat_model.md"


def test_each_promise_names_tests_that_exist() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    promises = [row for row in rows if "`tests/" in row]
    assert len(promises) > 20
    missing = []
    for row in promises:
        for file, name in re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", row):
            source = REPOSITORY / file
            defined = rf"^(?:async )?def {name}\("
            if not source.exists() or not re.search(defined, source.read_text(), re.MULTILINE):
                missing.append(f"{file}::{name}")
    assert missing == []


def test_no_promise_is_without_a_test() -> None:
    tables = re.findall(r"\| promise \| test \|\n\|---\|---\|\n((?:\|.*\n)+)", PAGE.read_text())
    assert len(tables) == 5
    assert [row for table in tables for row in table.splitlines() if "`tests/" not in row] == []
