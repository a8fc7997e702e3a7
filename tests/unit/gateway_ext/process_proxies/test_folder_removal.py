"""Removing folders that other users have filled."""

import os
from pathlib import Path

import pytest

from gateway_ext.process_proxies.folder_removal import remove_folder


def test_a_folder_goes_however_deeply_its_content_is_nested(tmp_path: Path) -> None:
    folder = tmp_path / "kernel"
    folder.mkdir()
    place = os.open(folder, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("d", dir_fd=place)
        below = os.open("d", os.O_RDONLY, dir_fd=place)
        os.close(place)
        place = below
    os.close(place)
    assert remove_folder(folder, 60.0)
    assert not folder.exists()
    assert remove_folder(folder, 60.0)


def test_nothing_behind_a_link_is_removed(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").touch()
    folder = tmp_path / "kernel"
    folder.mkdir()
    (folder / "link").symlink_to(kept)
    assert remove_folder(folder, 60.0)
    link = tmp_path / "linked"
    link.symlink_to(kept)
    remove_folder(link, 60.0)
    assert (kept / "file").exists()


def test_a_removal_that_takes_too_long_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "kernel" / "below").mkdir(parents=True)
    rm = tmp_path / "rm"
    rm.write_text("#!/bin/sh\nexec /bin/sleep 60\n")
    rm.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not remove_folder(tmp_path / "kernel", 0.1)
