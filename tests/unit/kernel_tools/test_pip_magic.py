"""What `%pip` says."""

from pathlib import Path
from typing import Any

import pytest

from gateway_ext.kernel_tools import pip_magic
from gateway_ext.kernel_tools.pip_magic import index_host, words_after, words_without_packages

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


@pytest.mark.parametrize(
    ("url", "host"),
    [
        (None, "pypi.org"),
        ("https://user:x@packages.example:8443/simple", "packages.example"),
        ("nonsense", "pypi.org"),
        ("http://[", "pypi.org"),
    ],
)
def test_the_host_of_the_index_is_known(url: str | None, host: str) -> None:
    assert index_host({} if url is None else {"PIP_INDEX_URL": url}) == host


class _Shell:
    """In which pip fails."""

    def __init__(self) -> None:
        self.user_ns = {"_exit_code": 1}
        self.pip: Any = None

    def register_magic_function(self, function: Any, kind: str, name: str) -> None:
        self.pip = function

    def system(self, command: str) -> None:
        assert command.endswith(" -m pip install polars")


@pytest.mark.parametrize(
    ("unanswered", "words"), [(True, "No name server answers"), (False, "no private network")]
)
def test_an_install_that_fails_says_what_of_the_network_is_missing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    unanswered: bool,
    words: str,
) -> None:
    monkeypatch.setenv(pip_magic.FOLDER, str(tmp_path))
    monkeypatch.delenv(pip_magic.LEFT_OUT, raising=False)
    monkeypatch.setenv("FLEET_NETWORK", "internet")
    monkeypatch.setattr(pip_magic.site, "addsitedir", lambda _: None)
    monkeypatch.setattr(pip_magic, "no_server_answers", lambda host: unanswered)
    shell = _Shell()
    pip_magic.load_ipython_extension(shell)
    shell.pip("install polars")
    assert words in capsys.readouterr().err
