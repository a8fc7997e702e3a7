"""The proof in the header with which agents dial."""

import pytest

from gateway_ext.kernels.agents.dial_proofs import (
    PER_KERNEL,
    SKEW_SECONDS,
    DialProof,
    DialProofs,
    read_dial_proof,
)
from jupyter_ext.wire.proof import DIAL_VERSION, dial_header, dial_proof

KEY = b"k" * 32
NOW = 1_800_000_000


class Clock:
    now = float(NOW)

    def __call__(self) -> float:
        return self.now


def said(
    when: int = NOW, nonce: str = "0" * 32, kernel_id: str = "k", key: bytes = KEY
) -> DialProof:
    return DialProof(when, nonce, dial_proof(key, kernel_id, when, nonce))


def test_what_an_agent_sends_is_read_and_taken() -> None:
    proof = read_dial_proof(dial_header(KEY, "k"))
    assert proof is not None
    assert DialProofs().take("k", proof, KEY)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        f"{DIAL_VERSION + 1} 1800000000 {'0' * 32} {'0' * 64}",
        f"{DIAL_VERSION} -1 {'0' * 32} {'0' * 64}",
        f"{DIAL_VERSION} {'9' * 400} {'0' * 32} {'0' * 64}",
        f"{DIAL_VERSION} 1800000000 {'0' * 31} {'0' * 64}",
        f"{DIAL_VERSION} 1800000000 {'0' * 32} {'g' * 64}",
        f"{DIAL_VERSION} 1800000000 {'0' * 32} {'0' * 64}\n",
    ],
)
def test_a_header_that_is_none_of_ours_is_as_if_there_were_none(header: str | None) -> None:
    assert read_dial_proof(header) is None


def test_a_proof_is_taken_once() -> None:
    proofs = DialProofs(Clock())
    assert proofs.take("k", said(), KEY)
    assert not proofs.may_be_right("k", said())
    assert not proofs.take("k", said(), KEY)
    assert proofs.take("k", said(nonce="1" * 32), KEY)


@pytest.mark.parametrize(
    "wrong",
    [said(key=b"x" * 32), said(kernel_id="other"), DialProof(NOW, "0" * 32, "0" * 64)],
)
def test_a_wrong_proof_is_not_taken_and_not_remembered(wrong: DialProof) -> None:
    proofs = DialProofs(Clock())
    assert not proofs.take("k", wrong, KEY)
    assert proofs.take("k", said(), KEY)


@pytest.mark.parametrize("off", [-SKEW_SECONDS - 1, SKEW_SECONDS + 1])
def test_a_proof_of_another_time_is_not_taken(off: float) -> None:
    proofs = DialProofs(Clock())
    assert not proofs.take("k", said(when=int(NOW + off)), KEY)
    assert proofs.take("k", said(when=int(NOW + off * 0.9)), KEY)


def test_a_proof_that_is_forgotten_is_too_old_to_be_taken_again() -> None:
    clock = Clock()
    proofs = DialProofs(clock)
    ahead = said(when=int(NOW + SKEW_SECONDS))
    assert proofs.take("k", ahead, KEY)
    for _ in range(40):
        clock.now += SKEW_SECONDS / 10
        assert not proofs.take("k", ahead, KEY)
    assert not proofs._seen
    assert not proofs._of_kernel


def test_one_kernel_cannot_fill_the_memory() -> None:
    clock = Clock()
    proofs = DialProofs(clock)
    taken = [
        proofs.take("k", said(nonce=f"{number:032x}"), KEY) for number in range(PER_KERNEL + 5)
    ]
    assert taken == [True] * PER_KERNEL + [False] * 5
    assert proofs.take("other", said(kernel_id="other", nonce="f" * 32), KEY)
    clock.now += 3 * SKEW_SECONDS
    assert proofs.take("k", said(when=int(clock.now), nonce="e" * 32), KEY)
