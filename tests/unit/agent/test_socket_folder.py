"""Where Unix sockets are if a path is too long for them."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from gateway_ext.agent import socket_folder
from gateway_ext.agent.socket_folder import PathTooLong, SocketFolder
from tests.servers.short_folder import short_folder


@pytest.mark.parametrize("length", [107, 108])
def test_a_socket_is_in_the_directory_as_long_as_the_system_allows_its_path(length: int) -> None:
    with short_folder("fleet-test-") as folder:
        directory = folder / ("d" * (length - len(str(folder)) - len("//calls")))
        directory.mkdir()
        assert len(str(directory / "calls")) == length
        sockets = SocketFolder(directory)
        path = sockets.path("calls")
        assert (path.parent == directory) is (length == 107)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
        sockets.remove()
        assert directory.exists()


def test_the_short_folder_is_one_for_all_sockets_and_closed_to_others(tmp_path: Path) -> None:
    sockets = SocketFolder(tmp_path / ("d" * 100))
    one, other = sockets.path("one"), sockets.path("other")
    assert one.parent == other.parent
    assert one.parent.stat().st_mode & 0o777 == 0o700
    assert len(str(one.parent)) < 60
    sockets.remove()
    assert not one.parent.exists()


def test_without_a_short_place_the_error_says_what_to_shorten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("d" * 100)
    monkeypatch.setattr(socket_folder.tempfile, "mkdtemp", lambda prefix: str(long))
    with pytest.raises(PathTooLong, match=r"kernels_dir, or TMPDIR"):
        SocketFolder(long).path("calls")


def test_a_long_folder_below_the_agent_s_own_needs_nothing_outside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    container = tmp_path / ("c" * 100)
    directory = container / "jupyter-fleet-1"
    directory.mkdir(parents=True)
    monkeypatch.chdir(container)
    monkeypatch.setattr(socket_folder.tempfile, "mkdtemp", lambda prefix: pytest.fail(prefix))
    path = SocketFolder(directory).path("k-1")
    with socket.socket(socket.AF_UNIX) as kernel, socket.socket(socket.AF_UNIX) as agent:
        kernel.bind(str(path))
        kernel.listen()
        agent.connect(str(path))
    assert (directory / "k-1").exists()


def test_the_short_folder_is_made_again_where_it_was_unless_somebody_else_was_faster(
    tmp_path: Path,
) -> None:
    sockets = SocketFolder(tmp_path / ("d" * 100))
    sockets.renew()
    path = sockets.path("calls")
    path.parent.rmdir()
    sockets.renew()
    assert sockets.path("calls") == path
    assert path.parent.stat().st_mode & 0o777 == 0o700
    path.parent.rmdir()
    path.parent.symlink_to(tmp_path)
    sockets.renew()
    other = sockets.path("calls")
    assert other.parent != path.parent
    assert other.parent.stat().st_mode & 0o777 == 0o700
    sockets.remove()
    path.parent.unlink()


def test_an_agent_whose_own_folder_was_removed_finds_a_place_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    container = tmp_path / "container"
    container.mkdir()
    monkeypatch.chdir(container)
    container.rmdir()
    sockets = SocketFolder(container / ("d" * 100))
    assert sockets.path("calls").parent.is_dir()
    sockets.remove()
