"""The protocol without one of its rules: each of these must be caught."""

from enum import Enum


class Weakened(Enum):
    """What is left out, or done instead."""

    LAB_HAS_THE_NUMBERS = "the lab numbers and acknowledges for the page, which forgets"
    LAB_REDIALS = "the lab dials the owner again below a page's open websocket"
    NUMBERS_AT_OWNER = "the gateway remembers the last number of each client end, and nobody more"
    NUMBERS_BY_SESSION = "numbers are remembered by session; a reloaded page keeps its session"
    NUMBERS_BY_SESSION_AND_NONCE = "numbers are remembered by session and nonce"
    RECEIVED_WITHOUT_JOURNAL = "`received` is compared with the journal's length alone"
    PENDING_SENT_TO_NEW_JOURNAL = "a new journal gets what was sent to the one before"
    PENDING_IN_MEMORY = "a reload loses what was not acknowledged"
    NO_FENCE = "the page keeps live messages that the answer has as well"
    SAVED_NUMBER_HANDED = "the file says what JupyterLab was given, not what it has shown"
    NO_WORD_OF_THE_DEAD = "nothing is said about requests that died with a kernel's process"
    RESTART_KEEPS_PENDING = "a restart leaves what was not acknowledged with the page"
    RESTART_IS_NO_BARRIER = "a restart leaves older streams open"
    KNOWN_REQUESTS_RUN_AGAIN = "a request runs again if the number that it had was forgotten"
    SAME_NONCE_AFTER_DROPPING = "the page counts on after it has dropped messages of its own"
