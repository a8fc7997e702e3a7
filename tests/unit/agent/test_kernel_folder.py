"""The kernel's own folder, and what its code may have put in its place."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway_ext.agent import kernel_folder
from gateway_ext.agent.kernel_folder import (
    FolderRefused,
    clear,
    make_kernel_folder,
    open_to_append,
)


def test_the_folder_is_closed_to_others(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    make_kernel_folder(folder)
    folder.chmod(0o755)
    make_kernel_folder(folder)
    assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("target", ["there", "nowhere"])
def test_a_link_in_its_place_is_refused(tmp_path: Path, target: str) -> None:
    (tmp_path / "there").mkdir(mode=0o755)
    folder = tmp_path / "k"
    folder.symlink_to(tmp_path / target)
    with pytest.raises(FolderRefused, match="taken by a link") as refused:
        make_kernel_folder(folder)
    assert str(tmp_path) not in str(refused.value)
    assert (tmp_path / "there").stat().st_mode & 0o777 == 0o755
    assert not (tmp_path / "nowhere").exists()


def test_a_folder_that_another_user_prepared_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = os.geteuid() + 1
    monkeypatch.setattr(kernel_folder.os, "geteuid", lambda: other)
    with pytest.raises(FolderRefused, match="another user"):
        make_kernel_folder(tmp_path)


def test_whatever_is_in_the_way_is_cleared_and_nothing_behind_a_link(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").touch()
    link, folder, file = tmp_path / "link", tmp_path / "folder", tmp_path / "file"
    link.symlink_to(kept)
    (folder / "inner").mkdir(parents=True)
    file.touch()
    for path in (link, folder, file, tmp_path / "nothing"):
        clear(path)
    assert os.listdir(tmp_path) == ["kept"]
    assert os.listdir(kept) == ["file"]


def test_a_file_is_appended_to_and_nothing_that_was_put_in_its_place(tmp_path: Path) -> None:
    def append(words: str) -> None:
        with os.fdopen(open_to_append(file), "a") as opened:
            opened.write(words)

    file, other = tmp_path / "agent.log", tmp_path / "other"
    other.write_text("kept")
    append("one ")
    append("two")
    assert file.read_text() == "one two"
    assert file.stat().st_mode & 0o777 == 0o600
    for put in (
        lambda: file.symlink_to(other),
        lambda: file.symlink_to(tmp_path / "nowhere"),
        lambda: os.mkfifo(file),
        lambda: (file / "inner").mkdir(parents=True),
    ):
        file.unlink()
        put()
        append("anew")
        assert file.read_text() == "anew"
    reader = os.open(_pipe(file), os.O_RDONLY | os.O_NONBLOCK)
    append("anew")
    assert file.read_text() == "anew"
    assert os.read(reader, 10) == b""
    os.close(reader)
    assert other.read_text() == "kept"
    assert not (tmp_path / "nowhere").exists()


def _pipe(path: Path) -> Path:
    path.unlink()
    os.mkfifo(path)
    return path
