"""Which folders of the user who runs a fleet are nobody's business."""

import os
from pathlib import Path

import pytest

from jupyter_ext.wire.private_folders import homes, private_folders


@pytest.fixture
def ann(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The home of a user with a desktop."""
    for name in ("ann", "run"):
        (tmp_path / name).mkdir()
    (tmp_path / "link").symlink_to("ann")
    monkeypatch.setenv("HOME", str(tmp_path / "link"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    return str(tmp_path / "ann")


def test_a_home_and_the_sockets_of_a_desktop_are_private(ann: str, tmp_path: Path) -> None:
    assert homes()[0] == ann
    assert private_folders()[: len(homes()) + 1] == [*homes(), str(tmp_path / "run")]


@pytest.mark.parametrize("home", ["/", "/usr/sbin", "/nowhere", "relative", None])
def test_a_home_that_is_not_the_users_is_not(
    home: str | None, ann: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 4_000_001)
    monkeypatch.setenv("HOME", home or ann)
    assert private_folders() == []
