"""For each weakened protocol, what happens when its missing rule would have been needed."""

from __future__ import annotations

from collections.abc import Callable

from tests.unit.protocol.fleet import Fleet
from tests.unit.protocol.weakened import Weakened

Scenario = Callable[[Fleet], None]


def connected(fleet: Fleet) -> None:
    """The page's connection stands, and its question is answered."""
    fleet.connect()
    fleet.agent_opens()
    fleet.page_reads()
    fleet.agent_takes()
    fleet.agent_sends()
    fleet.page_reads()
    fleet.page_shows()


def lab_has_the_numbers(fleet: Fleet) -> None:
    """A cell is run, and the lab is killed with it."""
    connected(fleet)
    fleet.run_cell()
    fleet.cut()


def lab_redials(fleet: Fleet) -> None:
    """Two first cells are run, and the lab loses the first on its way."""
    fleet.connect()
    fleet.agent_opens()
    fleet.page_reads()
    fleet.run_cell()
    fleet.lab_redials()
    fleet.run_cell()


def numbers_at_owner(fleet: Fleet) -> None:
    """The owner dies after it has passed a cell on, before it could say so."""
    connected(fleet)
    fleet.run_cell()
    fleet.agent_takes()
    fleet.cut()


def numbers_by_session(fleet: Fleet) -> None:
    """A cell is run, the page reloaded, another cell run."""
    connected(fleet)
    fleet.run_cell()
    fleet.agent_takes()
    fleet.reload()
    fleet.run_cell()
    fleet.run_cell()


def numbers_by_session_and_nonce(fleet: Fleet) -> None:
    """The page is reloaded after a cell was taken, before it has heard so. Its session is new."""
    connected(fleet)
    fleet.run_cell()
    fleet.agent_takes()
    fleet.reload()


def received_without_journal(fleet: Fleet) -> None:
    """The new agent's journal is longer than the one before when the page comes back."""
    connected(fleet)
    fleet.run_cell()
    fleet.agent_takes()
    fleet.kernel_steps()
    for _ in range(3):
        fleet.agent_sends()
        fleet.page_reads()
    fleet.agent_lost()
    for _ in range(3):
        fleet.stock_runs(with_cell=True)
        fleet.stock_exchanges()
        fleet.kernel_steps()
        fleet.kernel_steps()


def pending_sent_to_new_journal(fleet: Fleet) -> None:
    """A cell was run by a kernel whose agent is lost before it could acknowledge."""
    connected(fleet)
    fleet.run_cell()
    fleet.agent_takes()
    fleet.kernel_steps()
    fleet.agent_lost()


def pending_in_memory(fleet: Fleet) -> None:
    """A cell is run, the lab killed with it, and the page reloaded."""
    connected(fleet)
    fleet.run_cell()
    fleet.cut()
    fleet.reload()


def no_fence(fleet: Fleet) -> None:
    """A page is opened while a cell prints."""
    connected(fleet)
    fleet.run_cell()
    fleet.agent_takes()
    fleet.reload()
    fleet.connect()
    fleet.agent_opens()
    fleet.page_reads()
    fleet.kernel_steps()


def saved_number_handed(fleet: Fleet) -> None:
    """The notebook is saved before the last output is shown, and opened again."""
    connected(fleet)
    fleet.run_cell()
    fleet.agent_takes()
    fleet.kernel_steps()
    fleet.kernel_steps()
    while fleet.agent.send(fleet.page.relay):  # type: ignore[arg-type]
        fleet.page_reads()
    fleet.page_shows()
    fleet.page_shows()
    fleet.save()
    fleet.reload()


def no_word_of_the_dead(fleet: Fleet) -> None:
    """The kernel crashes in a cell while another one waits."""
    connected(fleet)
    fleet.run_cell()
    fleet.run_cell()
    fleet.agent_takes()
    fleet.agent_takes()
    fleet.kernel_steps()
    fleet.kernel_dies()


def restart_keeps_pending(fleet: Fleet) -> None:
    """The kernel is restarted while a cell is on its way."""
    connected(fleet)
    fleet.run_cell()
    fleet.press_restart()
    fleet.restart_arrives()


def restart_is_no_barrier(fleet: Fleet) -> None:
    """A cell arrives after the restart, by a connection from before."""
    connected(fleet)
    fleet.run_cell()
    fleet.half_open()
    fleet.press_restart()
    fleet.restart_arrives()
    fleet.agent_takes_late()


def known_requests_run_again(fleet: Fleet) -> None:
    """The agent has forgotten the page when it comes back with what it knows of no answer to."""
    connected(fleet)
    fleet.run_cell()
    fleet.agent_takes()
    fleet.cut()
    fleet.agent_forgets()


def same_nonce_after_dropping(fleet: Fleet) -> None:
    """A cell is run after a restart that another one was dropped at."""
    connected(fleet)
    fleet.run_cell()
    fleet.half_open()
    fleet.press_restart()
    fleet.restart_arrives()
    fleet.run_cell()


SCENARIOS: dict[Weakened, tuple[Scenario, str]] = {
    Weakened.LAB_HAS_THE_NUMBERS: (lab_has_the_numbers, "no reply"),
    Weakened.LAB_REDIALS: (lab_redials, "no reply"),
    Weakened.NUMBERS_AT_OWNER: (numbers_at_owner, "ran twice"),
    Weakened.NUMBERS_BY_SESSION: (numbers_by_session, "no reply"),
    Weakened.NUMBERS_BY_SESSION_AND_NONCE: (numbers_by_session_and_nonce, "ran twice"),
    Weakened.RECEIVED_WITHOUT_JOURNAL: (received_without_journal, "shows"),
    Weakened.PENDING_SENT_TO_NEW_JOURNAL: (pending_sent_to_new_journal, "ran twice"),
    Weakened.PENDING_IN_MEMORY: (pending_in_memory, "no reply"),
    Weakened.NO_FENCE: (no_fence, "out of order"),
    Weakened.SAVED_NUMBER_HANDED: (saved_number_handed, "shows"),
    Weakened.NO_WORD_OF_THE_DEAD: (no_word_of_the_dead, "no reply"),
    Weakened.RESTART_KEEPS_PENDING: (restart_keeps_pending, "ran after the restart"),
    Weakened.RESTART_IS_NO_BARRIER: (restart_is_no_barrier, "ran after the restart"),
    Weakened.KNOWN_REQUESTS_RUN_AGAIN: (known_requests_run_again, "ran twice"),
    Weakened.SAME_NONCE_AFTER_DROPPING: (same_nonce_after_dropping, "no reply"),
}
"""What happens, and how what is caught begins."""
