"""What `%pip` says."""

from pathlib import Path

import pytest

from gateway_ext.kernel_tools.pip_magic import words_after, words_without_packages

FOLDER = Path("/k/packages/demo")


def test_an_install_says_where_and_for_how_long() -> None:
    words = words_after("install --quiet polars", FOLDER, "")
    assert "Installed in /k/packages/demo." in words
    assert "Every kernel of this project can use it" in words
    in_a_pod = words_after("--quiet install polars", FOLDER, "pod")
    assert "It ends with this kernel's pod" in in_a_pod
    assert "Every kernel" not in in_a_pod


@pytest.mark.parametrize("line", ["list", "--version", "", "show install"])
def test_what_installs_nothing_says_nothing(line: str) -> None:
    assert words_after(line, FOLDER, "") == ""


def test_a_kernel_without_its_packages_says_why_and_what_to_do() -> None:
    words = words_without_packages("with them it ended", Path("/k/my packages"))
    assert "with them it ended" in words
    assert "%pip uninstall" in words
    assert "!rm -r '/k/my packages/lib'" in words
