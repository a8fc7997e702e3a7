import os
from pathlib import Path

from gateway_ext.xgb_ray.worker.collective import _ends


def test_a_descriptor_that_is_no_socket_any_more_leaves_none_open(tmp_path: Path) -> None:
    """As when another thread closes a socket, and a file takes its number."""
    fd = os.open(tmp_path / "file", os.O_CREAT)
    try:
        before = os.listdir("/proc/self/fd")
        assert _ends(fd) is None
        assert os.listdir("/proc/self/fd") == before
    finally:
        os.close(fd)
