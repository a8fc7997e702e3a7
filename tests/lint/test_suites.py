"""`make test` runs each file of tests in one suite: none is left out, and none runs twice."""

import os
import re
import shlex
import subprocess
from collections import Counter
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
OF_OTHER_TARGETS = ("lint", "clusters")
"""Folders of tests that `make lint` and `make test-clusters` run."""


def suites() -> list[str]:
    """The suites of tests, as the Makefile names them."""
    makefile = (REPOSITORY / "Makefile").read_text().replace("\\\n", " ")
    listed = re.search(r"^SUITES := (.*)$", makefile, re.MULTILINE)
    assert listed is not None
    return [name for name in listed[1].split() if name.startswith("test-")]


def arguments_of_pytest(suite: str) -> list[str]:
    """What a suite gives to pytest; nothing if it runs something else."""
    environment = {name: value for name, value in os.environ.items() if name != "MAKEFLAGS"}
    told = subprocess.run(
        ["make", "--dry-run", suite],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    for command in told.stdout.replace("\\\n", " ").splitlines():
        before, runs, arguments = command.partition(" -m pytest ")
        if runs and f"== {suite}" in before:
            return shlex.split(arguments)
    return []


def files_of(arguments: list[str]) -> set[Path]:
    """The files of tests that pytest finds with these arguments."""

    def below(path: str) -> set[Path]:
        where = REPOSITORY / path
        return {where} if where.is_file() else set(where.rglob("test_*.py"))

    found = set[Path]().union(*(below(one) for one in arguments if one.startswith("tests/")))
    ignored = [one.removeprefix("--ignore=") for one in arguments if one.startswith("--ignore=")]
    return found.difference(*(below(one) for one in ignored))


def test_each_file_of_tests_is_in_one_suite() -> None:
    run = Counter[Path]()
    for suite in suites():
        run.update(files_of(arguments_of_pytest(suite)))
    tests = REPOSITORY / "tests"
    expected = {
        file
        for file in tests.rglob("test_*.py")
        if file.relative_to(tests).parts[0] not in OF_OTHER_TARGETS
    }
    assert sorted(expected - set(run)) == []
    assert sorted(file for file, times in run.items() if times != 1) == []


def test_ignored_files_are_in_no_suite() -> None:
    file = REPOSITORY / "tests/lint/test_suites.py"
    assert file in files_of(["-q", "tests/lint"])
    assert file not in files_of(["tests/lint", "--ignore=tests/lint/test_suites.py"])
    assert files_of(["tests/lint/test_suites.py"]) == {file}
