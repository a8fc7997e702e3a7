"""Unix sockets whose files were removed."""

from __future__ import annotations

import os
import socket

from gateway_ext.agent.held_sockets import HeldSockets
from tests.servers.short_folder import short_folder


def test_a_socket_whose_file_was_removed_or_replaced_is_still_reached() -> None:
    with short_folder("fleet-test-") as folder, socket.socket(socket.AF_UNIX) as kernel:
        path = folder / "k-1"
        kernel.bind(str(path))
        kernel.listen()
        held = HeldSockets()
        held.hold([str(path), str(folder / "nothing")])
        assert held.way_to(str(path)) == str(path)
        assert held.way_to(str(folder / "nothing")) == str(folder / "nothing")
        path.unlink()
        for replaced in (False, True):
            if replaced:
                path.symlink_to("/etc/passwd")
            way = held.way_to(str(path))
            assert way != str(path)
            with socket.socket(socket.AF_UNIX) as agent:
                agent.connect(way)
                kernel.accept()[0].close()
        before = len(os.listdir("/proc/self/fd"))
        held.release()
        assert len(os.listdir("/proc/self/fd")) == before - 1
        assert held.way_to(str(path)) == str(path)


def test_what_is_no_socket_is_not_held() -> None:
    with short_folder("fleet-test-") as folder:
        path = folder / "k-1"
        path.symlink_to("/etc/passwd")
        held = HeldSockets()
        held.hold([str(path)])
        path.unlink()
        assert held.way_to(str(path)) == str(path)
