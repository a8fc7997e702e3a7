"""The way between a browser and the fleet, which tests cut."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from urllib.parse import urlsplit

_CHUNK = 65536


class Cable:
    """A TCP port of this machine behind which a server is; each connection is passed on unread.

    While it is cut, connections end and new ones are refused. While it is silent, they stay open,
    and nothing passes. While it is slow, each of them passes so many bytes a second each way.
    """

    def __init__(self, url: str):
        """`url`: of the server."""
        target = urlsplit(url)
        self._target = (target.hostname or "127.0.0.1", target.port or 80)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._passes = threading.Event()
        self._passes.set()
        self._is_cut = False
        self._rate = float("inf")
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        self._is_cut = True
        self._end_all()

    def silence(self) -> None:
        self._passes.clear()

    def slow(self, bytes_per_second: float) -> None:
        self._rate = bytes_per_second

    def restore(self) -> None:
        """Everything passes again; what was held up while it was silent first."""
        self._is_cut = False
        self._rate = float("inf")
        self._passes.set()

    def close(self) -> None:
        self.cut()
        self._passes.set()
        # Wakes the thread that waits for connections.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if self._is_cut:
                near.close()
                continue
            try:
                far = socket.create_connection(self._target, timeout=10)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            with self._lock:
                self._open |= {near, far}
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._pass, args=(source, sink), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(_CHUNK):
                self._passes.wait()
                time.sleep(len(data) / self._rate)
                sink.sendall(data)
        except OSError:
            pass
        finally:
            self._end(source, sink)

    def _end(self, *sockets: socket.socket) -> None:
        with self._lock:
            self._open -= set(sockets)
        for one in sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _end_all(self) -> None:
        with self._lock:
            sockets = list(self._open)
        self._end(*sockets)
