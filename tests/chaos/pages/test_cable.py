"""A network that is cut, silently and loudly."""

import gc
import socket
from collections.abc import Iterator

import pytest

from tests.chaos.pages.cable import Cable


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20)
        yield server


@pytest.fixture
def cable(server: socket.socket) -> Iterator[Cable]:
    cable = Cable(server.getsockname()[1])
    yield cable
    cable.stop()


def connect(cable: Cable) -> socket.socket:
    return socket.create_connection(("127.0.0.1", cable.port), 20)


def test_what_is_sent_in_a_silent_cut_comes_after_it(server: socket.socket, cable: Cable) -> None:
    with connect(cable) as client, server.accept()[0] as other:
        other.settimeout(20)
        client.sendall(b"before")
        assert other.recv(100) == b"before"
        cable.cut(silently=True)
        client.sendall(b"meanwhile")
        other.settimeout(0.3)
        with pytest.raises(TimeoutError):
            other.recv(100)
        other.settimeout(20)
        cable.restore()
        assert other.recv(100) == b"meanwhile"
        other.sendall(b"answer")
        assert client.recv(100) == b"answer"


def ended(connection: socket.socket) -> bool:
    try:
        return connection.recv(100) == b""
    except ConnectionResetError:
        return True


def test_a_loud_cut_closes_what_is_just_connecting(server: socket.socket, cable: Cable) -> None:
    for _ in range(50):
        with connect(cable) as client, server.accept()[0]:
            cable.cut(silently=False)
            assert ended(client)
        cable.restore()


def test_a_loud_cut_closes_and_refuses(server: socket.socket, cable: Cable) -> None:
    with connect(cable) as client, server.accept()[0] as other:
        other.settimeout(20)
        cable.cut(silently=False)
        assert ended(client)
        assert ended(other)
    with connect(cable) as refused:
        assert ended(refused)
    cable.restore()
    with connect(cable) as client, server.accept()[0] as other:
        client.sendall(b"again")
        other.settimeout(20)
        assert other.recv(100) == b"again"


def test_nothing_is_left_of_connections_that_are_open_at_the_end(
    server: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    cable = Cable(server.getsockname()[1])
    with connect(cable) as client, server.accept()[0] as other:
        other.settimeout(20)
        client.sendall(b"before")
        assert other.recv(100) == b"before"
        cable.stop()
        assert ended(client)
    del cable
    gc.collect()
    assert caplog.records == []
