"""Nobody takes the websockets of a kernel that others need."""

from gateway_ext.agent.sessions import MOST_SESSIONS
from gateway_ext.kernels.client_room import PER_PERSON, ClientRoom
from gateway_ext.kernels.lifecycle.launch_board import MOST_LISTENERS


def test_one_person_leaves_room_for_others_at_each_kernel() -> None:
    room = ClientRoom()
    assert all(room.enter("k", "ada") for _ in range(PER_PERSON))
    assert not room.enter("k", "ada")
    assert room.enter("k", "grace")
    assert room.enter("other", "ada")
    room.leave("k", "grace")
    assert not room.enter("k", "ada")
    room.leave("k", "ada")
    assert room.enter("k", "ada")
    assert min(MOST_LISTENERS, MOST_SESSIONS) >= 2 * PER_PERSON
