"""What `up` says of walls, by what was asked for and what the machine allows."""

import argparse
from pathlib import Path

import pytest

from jupyter_ext.fleet.failure import FleetError
from jupyter_ext.fleet.kernel_walls import check_kernel_walls, walls_mode, walls_notice

REFUSED = "unshare: Operation not permitted"


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """What runs in the place of the kernels' Python, on a machine that refuses."""
    file = tmp_path / "python"
    file.write_text(f"#!/bin/sh\nprintf '{REFUSED}'\n")
    file.chmod(0o755)
    return file


def test_where_walls_were_not_asked_for_nothing_is_tried_or_said() -> None:
    missing = Path("/no/python")
    check_kernel_walls("none", missing, as_root=False)
    assert walls_notice("none", missing, as_root=False) == ""


def test_up_says_why_kernels_have_none(python: Path) -> None:
    check_kernel_walls("auto", python, as_root=False)
    assert REFUSED in walls_notice("auto", python, as_root=False)


def test_up_fails_where_kernels_must_have_them(python: Path) -> None:
    with pytest.raises(FleetError, match=r"Operation not permitted.*--kernel-walls auto"):
        check_kernel_walls("required", python, as_root=False)


def test_up_says_nothing_where_they_are_there(tmp_path: Path) -> None:
    allowed = tmp_path / "python"
    allowed.write_text("#!/bin/sh\n[ -d $4 ]\n")
    allowed.chmod(0o755)
    check_kernel_walls("required", allowed, as_root=False)
    assert walls_notice("auto", allowed, as_root=False) == ""


def test_an_environment_without_the_probe_is_no_machine_that_allows_them(tmp_path: Path) -> None:
    old = tmp_path / "python"
    old.write_text("#!/bin/sh\necho 'No module named walls' >&2; exit 1\n")
    old.chmod(0o755)
    assert "No module named walls" in walls_notice("auto", old, as_root=False)


def test_other_words_are_refused() -> None:
    assert walls_mode("auto") == "auto"
    with pytest.raises(argparse.ArgumentTypeError, match="required"):
        walls_mode("yes")
