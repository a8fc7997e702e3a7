"""What `up` says of walls, by what was asked for and what the machine allows."""

import argparse
from pathlib import Path

import pytest

from jupyter_ext.fleet import kernel_walls
from jupyter_ext.fleet.command_line import parser
from jupyter_ext.fleet.failure import FleetError
from jupyter_ext.fleet.kernel_walls import (
    check_kernel_walls,
    folders,
    one_user_notice,
    runs_code_of_one_user,
    walls_mode,
    walls_notices,
)
from jupyter_ext.fleet.option import yes_or_no
from jupyter_ext.fleet.settings import Settings

REFUSED = "unshare: Operation not permitted"


@pytest.fixture(autouse=True)
def _no_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is said of a home is said where a test gives the user one."""
    monkeypatch.setattr(kernel_walls, "homes", list)


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """What runs in the place of the kernels' Python, on a machine that refuses."""
    file = tmp_path / "python"
    file.write_text(f"#!/bin/sh\nprintf '{REFUSED}'\n")
    file.chmod(0o755)
    return file


def test_where_walls_were_not_asked_for_nothing_is_tried_or_said() -> None:
    missing = Path("/no/python")
    assert not check_kernel_walls("none", missing, as_root=False)
    assert walls_notices("none", missing, as_root=False) == []


def test_up_says_why_kernels_have_none(python: Path) -> None:
    assert not check_kernel_walls("auto", python, as_root=False)
    (line,) = walls_notices("auto", python, as_root=False)
    assert REFUSED in line


def test_up_says_that_one_user_alone_is_served() -> None:
    line = one_user_notice(None)
    assert "--trust-everyone" in line
    assert "--only-user" in line
    assert "code of ada alone" in one_user_notice("ada")


def test_up_says_whether_kernels_see_the_home_of_their_user(
    python: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel_walls, "homes", lambda: ["/home/ann"])

    def last(
        mode: str, only_user: str | None, as_root: bool = False, shown: str | None = None
    ) -> str:
        lines = walls_notices(mode, python, as_root=as_root, only_user=only_user, shown=shown)
        return lines[-1] if lines else ""

    hidden = last("required", None)
    assert hidden.startswith("Kernels see nothing of your home /home/ann but")
    assert "--shown-folders" in hidden
    assert "--only-user" in hidden
    # Landlock alone hides it where there are no namespaces.
    assert last("auto", None).startswith("Where Linux has Landlock, kernels see nothing of your")
    assert last("required", "ada").startswith("Kernels read your home /home/ann, as they are ada's")
    for mode, as_root in (("none", False), ("required", True)):
        assert "/home/ann" not in last(mode, None, as_root)
    for shown, is_said in (("/data:/home/ann", False), ("/home", False), ("/home/ann/x", True)):
        assert ("/home/ann" in last("required", None, shown=shown)) is is_said
    # $HOME, and that of the system's list of users.
    monkeypatch.setattr(kernel_walls, "homes", lambda: ["/home/ann", "/srv/ann"])
    assert "your home /home/ann and /srv/ann but" in last("required", None)
    assert "your home /srv/ann but" in last("required", None, shown="/home/ann")
    # Users of services have none.
    monkeypatch.setattr(kernel_walls, "homes", list)
    assert last("required", None) == ""


def test_up_fails_where_kernels_must_have_them(python: Path) -> None:
    with pytest.raises(FleetError, match=r"Operation not permitted.*--kernel-walls auto"):
        check_kernel_walls("required", python, as_root=False)


def test_up_says_nothing_where_they_are_there(tmp_path: Path) -> None:
    allowed = tmp_path / "python"
    allowed.write_text("#!/bin/sh\n[ -d $4 ]\n")
    allowed.chmod(0o755)
    assert check_kernel_walls("required", allowed, as_root=False)
    assert walls_notices("auto", allowed, as_root=False) == []


def test_an_environment_without_the_probe_is_no_machine_that_allows_them(tmp_path: Path) -> None:
    old = tmp_path / "python"
    old.write_text("#!/bin/sh\necho 'No module named walls' >&2; exit 1\n")
    old.chmod(0o755)
    (line,) = walls_notices("auto", old, as_root=False)
    assert "No module named walls" in line


def test_other_words_are_refused() -> None:
    assert walls_mode("auto") == "auto"
    with pytest.raises(argparse.ArgumentTypeError, match="required"):
        walls_mode("yes")
    assert (yes_or_no("yes"), yes_or_no("no")) == (True, False)
    with pytest.raises(argparse.ArgumentTypeError, match="neither yes nor no"):
        yes_or_no("maybe")


def test_shown_folders_must_exist_and_be_absolute_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/usr")
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "data").mkdir()
    assert folders("/usr/lib/:~/data:") == f"/usr/lib:{tmp_path}/data"
    assert folders("") == ""
    with pytest.raises(argparse.ArgumentTypeError, match="not an absolute path: use '/usr/lib'"):
        folders("/usr:lib")
    with pytest.raises(argparse.ArgumentTypeError, match=r"/nope' does not exist: create it first"):
        folders(f"/usr:{tmp_path}/nope")


def test_one_user_is_served_where_nothing_keeps_several_apart() -> None:
    served = {
        (root, walls, trust)
        for root in (False, True)
        for walls in (False, True)
        for trust in (False, True)
        if runs_code_of_one_user(as_root=root, has_walls=walls, trust_everyone=trust)
    }
    assert served == {(False, False, False)}


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ([], None),
        (["--trust-everyone"], True),
        (["--trust-everyone", "yes", "--detach"], True),
        (["--trust-everyone", "no"], False),
    ],
)
def test_everybody_is_trusted_with_one_word_and_no_longer_with_two(
    words: list[str], value: bool | None
) -> None:
    assert parser().parse_args(["up", *words]).trust_everyone is value
    told = Settings().changed({"trust_everyone": True}).changed({"trust_everyone": value})
    assert told.trust_everyone is (value is not False)
