"""Clients that do not read fill no gateway, and those that read are not hurt by them."""

from gateway_ext.kernels.unsent_bytes import UnsentBytes, UnsentOfClient


class Clients:
    def __init__(self, most_bytes: int, most_per_person: int) -> None:
        self._unsent = UnsentBytes(most_bytes, most_per_person)
        self.ended: list[str] = []

    def client(self, name: str, user: str) -> UnsentOfClient:
        return UnsentOfClient(self._unsent, user, lambda: self.ended.append(name))


def test_of_one_person_the_client_with_the_most_is_ended() -> None:
    clients = Clients(1000, 100)
    slow, slower = clients.client("slow", "ada"), clients.client("slower", "ada")
    other = clients.client("other", "grace")
    for client, frames in ((slow, 5), (slower, 7), (other, 9)):
        for _ in range(frames):
            assert client.add(10)
    assert clients.ended == []
    assert slow.add(10)
    assert clients.ended == ["slower"]
    assert not slower.add(10)
    assert clients.ended == ["slower"]


def test_of_all_persons_the_client_with_the_most_is_ended() -> None:
    clients = Clients(100, 100)
    slow, slower = clients.client("slow", "ada"), clients.client("slower", "grace")
    for client, frames in ((slow, 5), (slower, 7)):
        for _ in range(frames):
            assert client.add(10)
    assert slow.add(10)
    assert slow.add(10)
    assert clients.ended == ["slower"]
    # It has gone, and so there is room.
    for _ in range(4):
        assert slow.add(10)
    assert not slow.add(10)
    assert clients.ended == ["slower", "slow"]


def test_who_is_alone_has_a_limit_too() -> None:
    clients = Clients(1000, 100)
    client = clients.client("slow", "ada")
    added = [client.add(10) for _ in range(12)]
    assert added == [True] * 11 + [False]
    assert clients.ended == ["slow"]


def test_who_reads_is_not_ended_whatever_waits_for_others() -> None:
    clients = Clients(200, 100)
    reader = clients.client("reader", "ada")
    slow = [clients.client("slow", user) for user in ("ada", "grace", "alan")]
    for _ in range(100):
        for client in slow:
            client.add(10)
        # One message may be longer than any limit.
        assert reader.add(5000)
        reader.sent(5000)
    assert clients.ended == ["slow"] * 3


def test_what_waited_for_a_client_that_left_makes_room() -> None:
    clients = Clients(100, 100)
    for _ in range(20):
        client = clients.client("gone", "ada")
        assert all(client.add(10) for _ in range(9))
        client.stop()
        client.sent(10)
    assert clients.ended == []
