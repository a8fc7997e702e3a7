"""The limit of what all streams of a process hold together."""

from jupyter_ext.kernels.held_messages import HeldMessages


class Stream:
    """Notes whether it gave up."""

    gave_up = False

    def give_up(self) -> None:
        self.gave_up = True


def test_the_stream_that_holds_the_most_gives_up() -> None:
    held = HeldMessages(100)
    much, more, little = Stream(), Stream(), Stream()
    held.holds(much, 40)
    held.holds(more, 60)
    assert held.bytes == 100
    held.holds(little, 1)
    assert (much.gave_up, more.gave_up, little.gave_up) == (False, True, False)
    assert held.bytes == 41


def test_as_many_give_up_as_hold_too_much() -> None:
    held = HeldMessages(100)
    streams = [Stream() for _ in range(10)]
    for stream in streams:
        held.holds(stream, 10)
    last = Stream()
    held.holds(last, 95)
    assert last.gave_up
    assert not any(stream.gave_up for stream in streams)
    held.holds(streams[0], 55)
    assert held.bytes == 90
    assert [stream.gave_up for stream in streams] == [True] + [False] * 9


def test_what_was_taken_leaves_room() -> None:
    held = HeldMessages(100)
    one, other = Stream(), Stream()
    for _ in range(50):
        held.holds(one, 90)
        held.holds(one, 0)
        held.holds(other, 90)
        held.holds(other, 0)
    assert (held.bytes, one.gave_up, other.gave_up) == (0, False, False)


def test_a_message_alone_may_be_longer_than_the_limit() -> None:
    held = HeldMessages(100)
    alone = Stream()
    held.holds(alone, 300)
    assert not alone.gave_up
    held.holds(Stream(), 1)
    assert (alone.gave_up, held.bytes) == (True, 1)
