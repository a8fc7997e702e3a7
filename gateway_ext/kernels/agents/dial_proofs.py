"""The proof in the header with which an agent connects (docs/protocols.md)."""

import re
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass

from jupyter_ext.wire.proof import DIAL_VERSION, dial_proof, proves

SKEW_SECONDS = 60.0
"""How far the clocks of agent and gateway may differ. Beyond that an agent is treated as one that
sent no header."""
PER_KERNEL = 128
"""How many proofs of one kernel are taken within 2 * SKEW_SECONDS: code in a kernel may have read
its agent's key."""
LONGEST_CACHE = 65536

_HEADER = re.compile(rf"{DIAL_VERSION} ([0-9]{{1,12}}) ([0-9a-f]{{32}}) ([0-9a-f]{{64}})")


@dataclass(frozen=True)
class DialProof:
    """What a header says: the agent's clock in seconds, a random number, and the proof."""

    when: int
    nonce: str
    proof: str


def read_dial_proof(header: str | None) -> DialProof | None:
    """The proof in a header; None if there is none, or none that this gateway can read."""
    found = _HEADER.fullmatch(header or "")
    return None if found is None else DialProof(int(found[1]), found[2], found[3])


class DialProofs:
    """Takes each proof once. Only right ones are remembered, so that nobody without a key can fill
    the memory."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._seen: set[str] = set()
        self._of_kernel: Counter[str] = Counter()
        self._by_expiry: deque[tuple[float, str, str]] = deque()

    def may_be_right(self, kernel_id: str, said: DialProof) -> bool:
        """The checks that need no key: its time is valid, it was not used before, and there is room
        to remember it."""
        self._forget()
        return (
            abs(self._clock() - said.when) <= SKEW_SECONDS
            and said.nonce not in self._seen
            and self._of_kernel[kernel_id] < PER_KERNEL
            and len(self._seen) < LONGEST_CACHE
        )

    def take(self, kernel_id: str, said: DialProof, key: bytes) -> bool:
        """Whether the proof is correct and used for the first time; marks it as used."""
        if not self.may_be_right(kernel_id, said):
            return False
        if not proves(said.proof, dial_proof(key, kernel_id, said.when, said.nonce)):
            return False
        self._seen.add(said.nonce)
        self._of_kernel[kernel_id] += 1
        # Its own time may lie ahead by SKEW_SECONDS.
        expiry = self._clock() + 2 * SKEW_SECONDS
        self._by_expiry.append((expiry, kernel_id, said.nonce))
        return True

    def _forget(self) -> None:
        now = self._clock()
        while self._by_expiry and self._by_expiry[0][0] < now:
            _, kernel_id, nonce = self._by_expiry.popleft()
            self._seen.discard(nonce)
            self._of_kernel[kernel_id] -= 1
            if not self._of_kernel[kernel_id]:
                del self._of_kernel[kernel_id]
